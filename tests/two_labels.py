"""Images with two labels that are independent of each other, and networks to learn them."""

import numpy as np
import two_patches
from torch import nn
from two_patches import PATCH

NAMES = ["red", "blue"]


def two_labels(n, seed):
    """Each of two patches has its color, or is as gray as the other 14: four sets of labels."""
    rng = np.random.default_rng(seed)
    x = rng.integers(60, 200, (n, 4, 4, 1)) + rng.integers(-20, 20, (n, 4, 4, 3))
    y = rng.integers(0, 2, (n, 2))
    x[y[:, 0] == 1, 1, 0] = 220, 30, 30
    x[y[:, 1] == 1, 2, 3] = 30, 30, 220
    images = np.repeat(np.repeat(x, PATCH, axis=1), PATCH, axis=2)
    return images.astype(np.uint8), y


def selector(n_maps):
    return nn.Sequential(
        nn.AvgPool2d(PATCH), nn.Conv2d(3, 16, 1), nn.ReLU(), nn.Conv2d(16, n_maps, 1)
    )


#: Settings of models of these images, besides how long they learn.
SETTINGS = {**two_patches.SETTINGS, "selector": selector, "regions": "grid"}
