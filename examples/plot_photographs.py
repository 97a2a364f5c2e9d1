"""
Photographs: the pagoda or the sky?
===================================

A classifier of photographs can be right for the wrong reason: a pagoda stands before a pale
sky, and a rocket before a dark one.  A model of this library shows what each answer is based
on, and nothing else can have influenced it.
"""

# %%
# A folder of photographs
# -----------------------
# With your own photographs, you would have one folder per class already.  Here we cut many
# pictures out of six photographs that scikit-image and scikit-learn bring along, and write
# them to such a folder.  All pictures of a class are parts of the same photograph, so this is
# an easy task; what is interesting is how it is solved.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.model_selection import train_test_split

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.explanations import plot_masked_image, plot_page

#: Photographs, and the middle of what each of them shows: row and column.
PHOTOGRAPHS = {
    "cat": (skimage.data.chelsea(), (140, 215)),
    "coffee": (skimage.data.coffee(), (200, 300)),
    "flower": (load_sample_image("flower.jpg"), (215, 310)),
    "motorcycle": (skimage.data.stereo_motorcycle()[0], (270, 360)),
    "pagoda": (load_sample_image("china.jpg"), (230, 210)),
    "rocket": (skimage.data.rocket(), (250, 325)),
}


def cut_out(photograph, middle, rng):
    """A picture of 4:3 from around the middle, mirrored every other time."""
    size = rng.uniform(0.5, 0.8) * len(photograph) * np.array([1, 4 / 3])
    corner = middle - size * rng.uniform(0.35, 0.65, 2)
    top, left = np.clip(corner, 0, photograph.shape[:2] - size)
    box = (left, top, left + size[1], top + size[0])
    picture = Image.fromarray(photograph).resize((240, 180), box=box)
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else picture


folder = Path(tempfile.mkdtemp())
rng = np.random.default_rng(0)
for name, (photograph, middle) in PHOTOGRAPHS.items():
    (folder / name).mkdir()
    for number in range(50):
        cut_out(photograph, middle, rng).save(folder / name / f"{number}.jpg")

images, labels = datasets.load_image_folder(folder)
X, X_test, y, y_test = train_test_split(images, labels, stratify=labels, random_state=0)
print(X)

# %%
# Settings that suit them
# -----------------------
# :func:`~p2pselect.presets.suited_to` chooses the networks, the resolution and the length of
# the training.  For photographs it takes pretrained networks.  This page is built without
# downloads, so we ask for the small ones that learn from scratch.

settings = presets.suited_to(X, y, preset="small", max_epochs=24)
print(settings)

# %%

clf = P2PClassifier(**settings, random_state=0).fit(X, y)
exp = clf.explain(X_test)
print(f"right {np.mean(exp.predicted == y_test):.0%}, shown {exp.kept_fraction.mean():.0%}")

# %%
# What it looks at
# ----------------
# The same, on the command line, would be ``p2pselect fit FOLDER``.  The page shows pictures
# drawn at random, because a selected page proves nothing.

page = plot_page(exp, y_test, n_images=12, random_state=0)

# %%
# Nobody has told the model what a pagoda is.  It has to tell pagodas from cats, cups, flowers,
# motorcycles and rockets, and it takes whatever does that with the fewest pixels: often a piece
# of the background.  If the pale sky tells the pagoda from all others, the model is right, and
# shows you that it knows nothing about pagodas.  The cure is in the data: pagodas before many
# skies, and skies without pagodas.
#
# For each class, the picture of which the least had to be seen:

decided = exp.answered & (exp.predicted == y_test)
figure, axes = plt.subplots(2, len(clf.classes_), figsize=(13, 4), layout="constrained")
for (above, below), name in zip(axes.T, clf.classes_, strict=True):
    rows = np.flatnonzero(y_test == name)
    image = rows[np.lexsort((exp.kept_fraction[rows], ~decided[rows]))[0]]
    above.imshow(X_test[image])
    above.set_title(name)
    above.set_axis_off()
    plot_masked_image(exp, image, ax=below)
    below.set_title(f"saw {exp.kept_fraction[image]:.1%}")

# %%
# A report to share
# -----------------
# One file, with a slider for each picture that reveals the regions in the order in which they
# were chosen.  Wrong answers come first: what they were based on usually explains them.

report = folder / "report.html"
exp.to_html(report, y=y_test, names=X_test.files, title="Six photographs")

# sphinx_gallery_thumbnail_number = 1
