"""
How much it has to see
======================

Some images need more evidence than others.  ``tau`` is the largest fraction of an image that
may be kept.  By default it is found image by image: the classifier is shown a little more at
every step, until it is certain enough.
"""

# %%
# A model
# -------
# Three handwritten digits on photographs, as in the first example.

import matplotlib.pyplot as plt
import numpy as np

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.explanations import EvidenceCurveDisplay, ReliabilityDisplay, RiskCoverageDisplay


def digits(split, n):
    scenes = datasets.make_digit_scenes(n, image_size=48, split=split, random_state=0)
    chosen = np.isin(scenes.objects, ["0", "1", "7"])
    return scenes.images[chosen], scenes.objects[chosen]


X, y = digits("train", 1300)
X_test, y_test = digits("test", 400)
own = {"image_size": 48, "max_epochs": 20, "objective__warmup_epochs": 6, "augment": "shift"}
clf = P2PClassifier(**presets.SMALL).set_params(**own, random_state=0).fit(X, y)

# %%
# Evidence, step by step
# ----------------------
# The search path of two images that were classified correctly: the one that needed the fewest
# looks, and the one that needed the most.  The search sees how large the largest probability
# is, but never which class it belongs to, nor which class is right.  It can also end with an
# error that the classifier is certain of.

exp = clf.explain(X_test, certainty_threshold=0.95)
looked = np.isfinite(exp.path_proba).all(axis=2)
looks = ((np.diff(exp.path_counts, axis=1, prepend=0) > 0) & looked).sum(axis=1)
decided = np.flatnonzero(exp.answered & (exp.predicted == y_test))
easy = int(decided[looks[decided].argmin()])
hard = int(decided[looks[decided].argmax()])

figure, axes = plt.subplots(2, 2, figsize=(9, 7), width_ratios=(1, 2), layout="constrained")
for (left, right), image in zip(axes, (easy, hard), strict=True):
    left.imshow(exp.images[image])
    left.set_axis_off()
    EvidenceCurveDisplay.from_explanation(exp, image, n_classes=3, ax=right)

# %%
# What the classifier saw at each step for the harder image.  The masks are nested: once a
# region is shown, it stays visible.

steps = np.flatnonzero(looked[hard] & (np.diff(exp.path_counts[hard], prepend=0) > 0))
steps = steps[np.linspace(0, len(steps) - 1, min(5, len(steps))).round().astype(int)]
reveal, axes = plt.subplots(1, len(steps), figsize=(2.4 * len(steps), 2.8))
for ax, step in zip(np.atleast_1d(axes), steps, strict=True):
    first = exp.ranking[hard][: exp.path_counts[hard, step]]
    visible = np.isin(exp.regions[hard], first)
    ax.imshow(exp.images[hard] * visible[..., None])
    ax.set_title(f"τ = {exp.path_tau[step]:.2f}, {exp.path_proba[hard, step].max():.0%} sure")
    ax.set_axis_off()

# %%
# Certainty costs pixels
# ----------------------
# The certainty threshold is a setting of prediction, not of training, so one model serves all
# values.  More certainty means that more has to be shown.

thresholds = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
runs = [clf.explain(X_test, certainty_threshold=threshold) for threshold in thresholds]
kept = [run.kept_fraction.mean() for run in runs]
right = [np.mean(run.predicted == y_test) for run in runs]
answered = [run.answered.mean() for run in runs]

cost, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(thresholds, right, "o-", label="accuracy", color="#0072B2")
ax.plot(thresholds, answered, "^-", label="share of images that are answered", color="#009E73")
ax.plot(thresholds, kept, "s-", label="share of pixels kept", color="#D55E00")
ax.set(xlabel="certainty asked for", ylim=(0, 1.02))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="center left")

# %%
# Images for which the classifier never becomes certain enough are not answered.  Their most
# probable class is predicted all the same, but they can be given to a person instead.
# Answering only the most certain images gives fewer errors:

risk = RiskCoverageDisplay.from_explanation(exp, y_test)

# %%
# What is the certainty worth?  On the diagonal, it means what it says.  Even the images of a
# perfect model do not all lie on it: the gray bars and the second number in the title say how
# far from it they would be.

worth = ReliabilityDisplay.from_explanation(exp, y_test)

# %%
# A budget instead of a search
# ----------------------------
# ``tau`` can be fixed instead.  With ``selection="budget"`` the most probable regions are kept
# as long as they fit, so "at most 10 % of the image" is a guarantee.

strict = clf.set_params(selection="budget").explain(X_test, tau=0.1)
print(f"largest kept fraction {strict.kept_fraction.max():.3f}")
print(f"accuracy {np.mean(strict.predicted == y_test):.3f}")

# sphinx_gallery_thumbnail_number = 1
