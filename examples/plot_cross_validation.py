"""
Cross-validate accuracy and explanations
========================================

Is the model right, is it right because of the object, and how much does it have to see?  Each
of these questions has a score, which works in cross-validation and searches like any other.
This example runs for about a minute.
"""

# %%
# Data
# ----
# Three handwritten digits on photographs, as in the first example.  The masks say which pixels
# belong to the digit.  They are used for scoring only; training never sees them.

import matplotlib.pyplot as plt
import numpy as np

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.model_selection import CertaintySearchCV

scenes = datasets.make_digit_scenes(1000, image_size=48, random_state=0)
chosen = np.isin(scenes.objects, ["0", "1", "7"])
X, y, masks = scenes.images[chosen], scenes.objects[chosen], scenes.masks[chosen]

own = {"image_size": 48, "batch_size": 16, "max_epochs": 24, "augment": "shift"}
clf = P2PClassifier(**{**presets.SMALL, **own}, random_state=0)

# %%
# How certain should it have to be?
# ---------------------------------
# :class:`~p2pselect.model_selection.CertaintySearchCV` is used like ``GridSearchCV``.  Its
# scores also work in ``cross_validate`` once scikit-learn's metadata routing is switched on::
#
#     with sklearn.config_context(enable_metadata_routing=True):
#         cross_validate(clf, X, y, scoring=get_scorer("localization"), params={"masks": masks})
#
# With a higher ``certainty_threshold`` the classifier sees more of each image.  This matters at
# prediction only, so the search trains once per fold instead of once per value.  Localization
# has to be compared with the scores of a random mask and of a disc in the center.

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
# What more certainty gains, and what it costs in pixels.  The bars show the standard deviation
# over the folds.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name in ("accuracy", "localization", "insertion_fidelity"):
    mean, std = (search.cv_results_[f"{kind}_test_{name}"] for kind in ("mean", "std"))
    ax.errorbar(thresholds, mean, std, marker="o", capsize=3, label=name.replace("_", " "))
kept = -search.cv_results_["mean_test_neg_kept_fraction"]
ax.plot(thresholds, kept, "s--", color="black", label="share of pixels kept")
for name, line, label in zip(rows, ":-", ("random mask", "centered disc"), strict=True):
    mean = search.cv_results_[f"mean_test_{name}"]
    ax.plot(thresholds, mean, line, color="silver", label=f"localization of a {label}")
ax.set(xlabel="certainty_threshold", xticks=thresholds, ylabel="mean over folds", ylim=(0, 1))
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))

# %%
# The search is itself a classifier.  It was trained on all images, uses the best value, and
# explains its predictions.

print(search.best_params_, search.explain(X[:50]))
