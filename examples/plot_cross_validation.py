"""
Cross-validation of accuracy and explanations
=============================================

How much may a classifier ask to see?  A higher ``certainty_threshold`` shows it more of each
image.  We cross-validate accuracy, localization and insertion fidelity for three thresholds,
on handwritten digits that were pasted on photographs.
"""

# %%
# Images, labels and, for scoring only, the pixels of every digit.

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.model_selection import cross_val_score

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.metrics import get_scorer
from p2pselect.model_selection import CertaintySearchCV, cross_validate_explanations

scenes = datasets.make_digit_scenes(300, image_size=32, random_state=0)
X, y, masks = scenes.images, scenes.target % 2, scenes.masks

clf = P2PClassifier(**{**presets.SMALL, "image_size": 32, "random_state": 0})

# %%
# One call trains over folds and scores accuracy and explanations.  Two rows belong beside
# localization: what a random mask scores, and what a disc in the centre scores.

results = cross_validate_explanations(
    clf,
    X,
    y,
    masks=masks,
    scoring=["accuracy", "localization", "insertion_fidelity", "neg_kept_fraction"],
    cv=3,
)
for name, values in results.items():
    print(f"{name:25s} {values.mean():6.3f} +- {values.std():.3f}")

# %%
# The threshold matters at prediction only, so a search over it trains once per fold and not
# once per value.

thresholds = [0.6, 0.8, 0.95]
search = CertaintySearchCV(
    clf,
    {"certainty_threshold": thresholds},
    scoring=["accuracy", "localization", "insertion_fidelity", "neg_kept_fraction"],
    cv=3,
).fit(X, y, masks=masks)
table = search.cv_results_

print(f"best by accuracy: {search.best_params_}, {search.best_score_:.3f}")

# %%
# What more certainty costs: more pixels.

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name in ("accuracy", "localization", "insertion_fidelity"):
    ax.errorbar(
        thresholds,
        table[f"mean_test_{name}"],
        table[f"std_test_{name}"],
        marker="o",
        capsize=3,
        label=name.replace("_", " "),
    )
kept = -np.asarray(table["mean_test_neg_kept_fraction"])
ax.plot(thresholds, kept, "s--", color="grey", label="kept fraction")
ax.axhline(results["random_row"].mean(), color="grey", lw=0.8, ls=":")
ax.text(thresholds[0], results["random_row"].mean(), "random mask", va="bottom", size=8)
ax.axhline(results["center_row"].mean(), color="grey", lw=0.8, ls=":")
ax.text(thresholds[0], results["center_row"].mean(), "centred disc", va="bottom", size=8)
ax.set(xlabel="certainty_threshold", ylabel="mean over folds", ylim=(0, 1.02))
ax.legend(loc="center right")
plt.show()

# %%
# scikit-learn's own tools take the same scores, once metadata routing is on.

with sklearn.config_context(enable_metadata_routing=True):
    scores = cross_val_score(
        clf, X, y, cv=3, scoring=get_scorer("localization"), params={"masks": masks}
    )
print(f"localization {scores.mean():.3f} +- {scores.std():.3f}")
