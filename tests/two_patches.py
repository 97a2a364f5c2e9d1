"""A label that no single region tells, and networks that are small enough to learn it."""

import numpy as np
import torch
from torch import nn

from p2pselect import SuperpixelTransformer

PATCH = 8


def two_patches(n, seed):
    """The label is whether two of 16 patches have the same color; all others are noise."""
    rng = np.random.default_rng(seed)
    x = rng.integers(60, 200, (n, 4, 4, 1)) + rng.integers(-20, 20, (n, 4, 4, 3))
    colors = np.array([[220, 30, 30], [30, 30, 220]])
    left, right = rng.integers(0, 2, (2, n))
    x[:, 1, 0], x[:, 2, 3] = colors[left], colors[right]
    images = np.repeat(np.repeat(x, PATCH, axis=1), PATCH, axis=2)
    return images.astype(np.uint8), (left == right).astype(int)


def two_pairs(n, seed):
    """Two labels (n, 2), each of which is whether two patches have the same color."""
    images, label = two_patches(n, seed)
    others, other = two_patches(n, seed + 1000)
    images[:, :PATCH, PATCH : 2 * PATCH] = others[:, PATCH : 2 * PATCH, :PATCH]
    images[:, -PATCH:, 2 * PATCH : -PATCH] = others[:, 2 * PATCH : -PATCH, -PATCH:]
    return images, np.stack([label, other], axis=1)


class KnowsTheLabel(nn.Module):
    """A selector that sees whether both patches have the same color, as a deep one would."""

    #: Rows and columns of the patches.
    pairs = (((1, 0), (2, 3)),)

    def __init__(self, n_maps):
        super().__init__()
        self.last = nn.Linear(1 + len(self.pairs), 16 * n_maps)

    def forward(self, images):
        patches = nn.functional.avg_pool2d(images, PATCH)
        red = patches[:, 0] - patches[:, 2]
        labels = [(red[:, *one] * red[:, *other]).sign() for one, other in self.pairs]
        seen = torch.stack([*labels, torch.ones_like(labels[0])], dim=1)
        return self.last(seen).view(len(images), -1, 4, 4)


class KnowsBothLabels(KnowsTheLabel):
    """The same for both labels of :func:`two_pairs`."""

    pairs = (((1, 0), (2, 3)), ((0, 1), (3, 2)))


def classifier(n_classes):
    return nn.Sequential(
        nn.AvgPool2d(PATCH),
        nn.Flatten(),
        nn.Linear(48, 64),
        nn.ReLU(),
        nn.Linear(64, n_classes),
    )


#: Settings of models of these images, besides how long they learn.
SETTINGS = {
    "selector": KnowsTheLabel,
    "classifier": classifier,
    "pretrained": False,
    "regions": SuperpixelTransformer(n_segments=16, engine="grid"),
    "image_size": 32,
    "batch_size": 64,
    "lr": 0.02,
    "augment": None,
    "validation": None,
    "random_state": 0,
}
