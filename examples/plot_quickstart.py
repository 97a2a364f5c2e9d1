"""
Train, explain, look
====================

A classifier is trained on small pictures and then shows what it based its predictions on.
Nothing outside the regions that it shows can have had any influence, because the classifier was
given nothing else.
"""

# %%
# Data
# ----
# Handwritten digits on photographs: real images that need no download.  We use three of the ten
# digits, so that training takes seconds.

import tempfile
from pathlib import Path

import numpy as np

from p2pselect import P2PClassifier, datasets, metrics, presets
from p2pselect.explanations import plot_page


def digits(split, n):
    scenes = datasets.make_digit_scenes(n, image_size=48, split=split, random_state=0)
    chosen = np.isin(scenes.objects, ["0", "1", "7"])
    return scenes.images[chosen], scenes.objects[chosen], scenes.masks[chosen]


X, y, _ = digits("train", 1300)
X_test, y_test, masks = digits("test", 400)
X.shape, X.dtype, np.unique(y).tolist()

# %%
# Training
# --------
# ``presets.SMALL`` chooses small networks that learn on a CPU without pretrained weights; the
# changes here suit 400 images.  Without a preset, :class:`~p2pselect.P2PClassifier` has the
# networks of the paper, for a GPU and images of 224 pixels.

own = {"image_size": 48, "max_epochs": 20, "objective__warmup_epochs": 6, "augment": "shift"}
clf = P2PClassifier(**presets.SMALL).set_params(**own, random_state=0).fit(X, y)

# %%
# Prediction
# ----------
# This works as for any classifier in scikit-learn.  :meth:`~p2pselect.P2PClassifier.transform`
# returns the masks: True where the classifier could see the pixel.

print("accuracy", clf.score(X_test, y_test))
print("masks", clf.transform(X_test[:5]).shape)

# %%
# Explanation
# -----------
# For one image: the regions, which of them were kept, how probable it was for each of them to
# be kept, and the learned embedding of the regions as colors.

exp = clf.explain(X_test)
panels = exp.plot(1)

# %%
# A page of images with the objects outlined.  The images are drawn at random, because a
# selected page proves nothing.

page = plot_page(exp, y_test, n_images=9, object_masks=masks)

# %%
# What does the model look at, in numbers?  Localization is the share of the kept pixels that
# lie on the object.  It means something only in comparison with a random mask and with a disc
# in the middle of the image.

print(f"localization  {metrics.localization_score(exp.pixel_masks, masks):.2f}")
print(f"random mask   {metrics.random_localization(masks):.2f}")
print(f"centered disc  {metrics.center_localization(exp.pixel_masks, masks):.2f}")
print(f"pixels kept   {exp.kept_fraction.mean():.2f}")

# %%
# A report to share
# -----------------
# The report is one self-contained file.  Open an image and move the slider: regions appear in
# the order in which they were chosen, until the classifier was certain.

report = Path(tempfile.mkdtemp()) / "report.html"
exp[:24].to_html(report, y=y_test[:24], title="Digits on photographs")

# sphinx_gallery_thumbnail_number = 2
