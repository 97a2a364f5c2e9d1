"""
Cross-validate accuracy and explanations
========================================

Is the model right, is it right because of the object, and how much does it have to see?  All
three are scores, and go through cross-validation and searches like any other.
"""

# %%
# Data
# ----
# Three handwritten digits on photographs, as in the first example.  The masks say which
# pixels belong to the digit; they are for scoring only, training never sees them.

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.model_selection import cross_validate

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.metrics import get_scorer
from p2pselect.model_selection import CertaintySearchCV

scenes = datasets.make_digit_scenes(1300, image_size=48, random_state=0)
chosen = np.isin(scenes.objects, ["0", "1", "7"])
X, y, masks = scenes.images[chosen], scenes.objects[chosen], scenes.masks[chosen]

own = {"image_size": 48, "max_epochs": 20, "warmup_epochs": 6, "augment": "shift"}
clf = P2PClassifier(**{**presets.SMALL, **own}, random_state=0)

# %%
# As ordinary scikit-learn
# ------------------------
# Scores ask for the masks by scikit-learn's metadata routing, which is off by default.
# :func:`~p2pselect.model_selection.cross_validate_explanations` does the same in one pass of
# explanations per fold, and without anything to switch on.

with sklearn.config_context(enable_metadata_routing=True):
    results = cross_validate(
        clf,
        X,
        y,
        cv=3,
        scoring={"accuracy": "accuracy", "localization": get_scorer("localization")},
        params={"masks": masks},
    )
for name in ("test_accuracy", "test_localization"):
    print(f"{name:18s} {results[name].mean():.3f} +- {results[name].std():.3f}")

# %%
# How certain should it have to be?
# ---------------------------------
# A higher ``certainty_threshold`` shows the classifier more of each image.  That matters at
# prediction only, so this search trains once per fold and not once per value.  Localization
# is to be read beside what a random mask, and a disc in the centre, would have scored.

thresholds = [0.6, 0.8, 0.95]
scores = ["accuracy", "localization", "insertion_fidelity", "neg_kept_fraction"]
rows = ["random_localization", "center_localization"]
search = CertaintySearchCV(
    clf, {"certainty_threshold": thresholds}, scoring=[*scores, *rows], cv=3
).fit(X, y, masks=masks)

print(f"{'certainty_threshold':20s}", *(f"{t:15}" for t in thresholds))
for name in [*scores, *rows]:
    mean, std = (search.cv_results_[f"{kind}_test_{name}"] for kind in ("mean", "std"))
    print(f"{name:20s}", *(f"{m:7.3f} +- {s:.3f}" for m, s in zip(mean, std, strict=True)))

# %%
# What more certainty gives, and what it costs in pixels.  The bars are the standard deviation
# over folds.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name in ("accuracy", "localization", "insertion_fidelity"):
    mean, std = (search.cv_results_[f"{kind}_test_{name}"] for kind in ("mean", "std"))
    ax.errorbar(thresholds, mean, std, marker="o", capsize=3, label=name.replace("_", " "))
kept = -search.cv_results_["mean_test_neg_kept_fraction"]
ax.plot(thresholds, kept, "s--", color="black", label="share of pixels kept")
for name, line, label in zip(rows, ":-", ("random mask", "centred disc"), strict=True):
    mean = search.cv_results_[f"mean_test_{name}"]
    ax.plot(thresholds, mean, line, color="silver", label=f"localization of a {label}")
ax.set(xlabel="certainty_threshold", xticks=thresholds, ylabel="mean over folds", ylim=(0, 1))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))

# %%
# The search is a classifier trained on all images with the best value, and explains itself.

print(search.best_params_, search.explain(X[:50]))
