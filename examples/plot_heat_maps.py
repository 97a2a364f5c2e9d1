"""
A heat map, and what was really seen
====================================

Grad-CAM and other heat maps estimate, after the fact, which pixels of an image mattered to a
classifier that has seen all of them.  Here we put such an estimate to the test, beside a
classifier that was given nothing but the pixels that it shows.
"""

# %%
# Two models of the same photographs
# ----------------------------------
# Pictures cut out of photographs that scikit-image and scikit-learn bring along, as in the
# example on photographs.

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.model_selection import train_test_split

from p2pselect import P2PClassifier, presets
from p2pselect.explanations import plot_masked_image
from p2pselect.methods import BlackboxClassifier

PHOTOGRAPHS = {
    "cat": (skimage.data.chelsea(), (140, 215)),
    "coffee": (skimage.data.coffee(), (200, 300)),
    "flower": (load_sample_image("flower.jpg"), (215, 310)),
    "motorcycle": (skimage.data.stereo_motorcycle()[0], (270, 360)),
    "pagoda": (load_sample_image("china.jpg"), (230, 210)),
    "rocket": (skimage.data.rocket(), (250, 325)),
}


def cut_out(photograph, middle, rng):
    """A square picture from around the middle, mirrored every other time."""
    size = rng.uniform(0.5, 0.8) * len(photograph)
    top, left = np.clip(
        middle - size * rng.uniform(0.35, 0.65, 2), 0, np.array(photograph.shape[:2]) - size
    )
    picture = Image.fromarray(photograph).resize(
        (64, 64), box=(left, top, left + size, top + size)
    )
    pixels = np.asarray(picture)
    return pixels[:, ::-1] if rng.random() < 0.5 else pixels


rng = np.random.default_rng(0)
labels = np.repeat([*PHOTOGRAPHS], 50)
images = np.stack([cut_out(*PHOTOGRAPHS[name], rng) for name in labels])
X, X_test, y, y_test = train_test_split(images, labels, stratify=labels, random_state=0)

# %%
# An ordinary classifier, which sees whole images, and a P2P model with the same classifier,
# which sees what the selector keeps.

settings = presets.SMALL | {"max_epochs": 24, "random_state": 0}
clf = P2PClassifier(**settings).fit(X, y)
blackbox = BlackboxClassifier(**presets.settings_for(BlackboxClassifier, settings)).fit(X, y)
print(f"P2P {clf.score(X_test, y_test):.0%}, black box {blackbox.score(X_test, y_test):.0%}")

# %%
# Grad-CAM of the black box
# -------------------------
# The map weights the channels of a late layer by the gradient of the predicted class
# (Selvaraju et al., 2017).


def grad_cam(model, images):
    """Heat maps (n, h, w) of the predicted classes."""
    classifier = model.module_.classifier
    x = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    layers = {}

    def keep(layer, given, features):
        features.retain_grad()
        layers["features"] = features

    # The last layer whose maps have more than a handful of pixels.
    hook = classifier.network.layer2.register_forward_hook(keep)
    classifier(x).amax(dim=1).sum().backward()
    hook.remove()
    features = layers["features"]
    weights = features.grad.mean(dim=(2, 3), keepdim=True)
    heat = (weights * features).sum(dim=1, keepdim=True).relu()
    return F.interpolate(heat, x.shape[2:], mode="bilinear")[:, 0].detach().numpy()


heat = grad_cam(blackbox, X_test)
exp = clf.explain(X_test)

figure, axes = plt.subplots(3, 6, figsize=(13, 6.6), layout="constrained")
for column, name in zip(axes.T, clf.classes_, strict=True):
    image = int(np.flatnonzero(y_test == name)[0])
    for ax in column[:2]:
        ax.imshow(X_test[image])
        ax.set_axis_off()
    column[0].set_title(name)
    column[1].imshow(heat[image], cmap="inferno", alpha=0.6)
    column[1].set_title("Grad-CAM")
    plot_masked_image(exp, image, ax=column[2])
    column[2].set_title(f"P2P saw {exp.kept_fraction[image]:.0%}")

# %%
# Is it true?
# -----------
# If the hot part of a map were what the answer depends on, the rest could be taken away.  We
# paint black everything outside the hottest pixels, and count how many answers stay the same.

answers = blackbox.predict(X_test)
shares = np.array([0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0])
same = []
for share in shares:
    cut = np.quantile(heat, 1 - share, axis=(1, 2), keepdims=True)
    shown = X_test * (heat >= cut)[..., None].astype(np.uint8)
    same.append(np.mean(blackbox.predict(shown) == answers))

# %%
# The same for P2P: everything outside the kept regions becomes black.  It was black already.

p2p = clf.classes_[clf.predict_proba_masked(exp.masked_images).argmax(axis=1)]
p2p_same = np.mean(p2p == exp.predicted)

test, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.plot(shares, same, "o-", color="#D55E00", label="black box, hottest part of Grad-CAM")
ax.plot(exp.kept_fraction.mean(), p2p_same, "s", color="#0072B2", label="P2P, kept regions")
ax.set(xlabel="share of the image that is left", ylabel="answers that stay the same")
ax.set(xlim=(0, 1.02), ylim=(0, 1.05))
ax.spines[["top", "right"]].set_visible(False)
ax.legend(frameon=False, loc="lower right")

# %%
# The test is not quite fair to the black box, which has never seen a black region in training.
# That is the point: what a heat map says about an ordinary classifier cannot be checked without
# leaving the images that this classifier knows.  A model that was trained to see parts can be
# asked about parts.

# sphinx_gallery_thumbnail_number = 2
