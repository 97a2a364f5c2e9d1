"""
Regions that belong together
============================

The selector does not judge regions one by one.  It gives each region an embedding of three
numbers, and regions with similar embeddings are kept or removed together during training.  With
the three numbers as red, green and blue, the embedding is a picture of what the selector
considers as one thing.
"""

# %%
# A model
# -------
# Three handwritten digits on photographs, as in the first example.

import matplotlib.pyplot as plt
import numpy as np

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.explanations import (
    RegionCorrelationDisplay,
    plot_embedding,
    plot_masked_image,
)


def digits(split, n):
    scenes = datasets.make_digit_scenes(n, image_size=48, split=split, random_state=0)
    chosen = np.isin(scenes.objects, ["0", "1", "7"])
    return scenes.images[chosen], scenes.objects[chosen], scenes.masks[chosen]


X, y, _ = digits("train", 1300)
X_test, y_test, masks = digits("test", 400)
own = {"image_size": 48, "max_epochs": 20, "objective__warmup_epochs": 6, "augment": "shift"}
clf = P2PClassifier(**presets.SMALL).set_params(**own, random_state=0).fit(X, y)
exp = clf.explain(X_test[:40])

# %%
# Embeddings as colors
# --------------------
# The image is at the top, what the classifier saw in the middle, and the embedding at the
# bottom. Regions of the same color are chosen together.  We show every fifth image, without
# selecting any.

chosen = range(5, 30, 5)
colors, axes = plt.subplots(
    3, len(chosen), figsize=(2.2 * len(chosen), 6.4), layout="constrained"
)
for (top, middle, bottom), image in zip(axes.T, chosen, strict=True):
    top.imshow(exp.images[image])
    top.set_axis_off()
    plot_masked_image(exp, image, ax=middle).set_title("")
    plot_embedding(exp, image, ax=bottom).set_title("")
for ax, words in zip(axes[:, 0], ("image", "what was seen", "embedding"), strict=True):
    ax.set_title(words, loc="left", fontsize=11)

# %%
# The correlation matrix
# ----------------------
# The same relation in numbers, for the twelve most probable regions of the first image above.
# The line encloses the regions that were kept.

matrix = RegionCorrelationDisplay.from_explanation(exp, 5)

# %%
# Do regions of the object go together?
# -------------------------------------
# One image is no evidence.  Over all images, we compare the mean correlation of two regions
# that are both on the object, both off it, or one of each.


def correlations(image):
    covariance = exp.covariance(image)
    scale = np.sqrt(np.diag(covariance))
    return covariance / np.outer(scale, scale)


def on_object(image):
    regions = exp.regions[image]
    area = np.bincount(regions.ravel())
    hit = np.bincount(regions.ravel(), weights=masks[image].ravel())
    return hit / area > 0.5


rows = []
for image in range(len(exp)):
    own, matrix_of = on_object(image), correlations(image)
    pairs = ~np.eye(len(own), dtype=bool)
    rows.append(
        [
            matrix_of[np.outer(a, b) & pairs].mean()
            for a, b in ((own, own), (~own, ~own), (own, ~own))
        ]
    )

bars, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
names = ("both on the object", "both off it", "one of each")
ax.boxplot(np.array(rows), tick_labels=names, orientation="horizontal")
ax.axvline(0, color="gray", lw=1)
ax.set(xlabel="mean learned correlation, one point per image", xlim=(-1, 1))
ax.invert_yaxis()
ax.spines[["top", "right"]].set_visible(False)

# %%
# The covariance affects only the random masks of training.  At prediction, regions are ranked
# by their own scores, so the embedding tells us something about the selector but decides
# nothing.

# sphinx_gallery_thumbnail_number = 1
