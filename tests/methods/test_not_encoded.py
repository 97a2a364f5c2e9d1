"""A label that no single region tells: whether the choice of a region can tell it instead."""

import numpy as np
import pytest
import torch
from torch import nn

from p2pselect import P2PClassifier, SuperpixelTransformer

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


class KnowsTheLabel(nn.Module):
    """A selector that sees whether both patches have the same color, as a deep one would."""

    def __init__(self, n_maps):
        super().__init__()
        self.last = nn.Linear(2, 16 * n_maps)

    def forward(self, images):
        patches = nn.functional.avg_pool2d(images, PATCH)
        red = patches[:, 0] - patches[:, 2]
        label = (red[:, 1, 0] * red[:, 2, 3]).sign()
        seen = torch.stack([label, torch.ones_like(label)], dim=1)
        return self.last(seen).view(len(images), -1, 4, 4)


def classifier(n_classes):
    return nn.Sequential(
        nn.AvgPool2d(PATCH),
        nn.Flatten(),
        nn.Linear(48, 32),
        nn.ReLU(),
        nn.Linear(32, n_classes),
    )


def answers_from_one_region(**objective):
    """Accuracy and certainty on new images, of each of which one region is shown."""
    clf = P2PClassifier(
        selector=KnowsTheLabel,
        classifier=classifier,
        pretrained=False,
        regions=SuperpixelTransformer(n_segments=16, engine="grid"),
        image_size=32,
        tau=0.07,
        selection="budget",
        max_epochs=15,
        batch_size=64,
        lr=0.02,
        augment=None,
        validation=None,
        random_state=0,
    )
    clf.set_params(training__lr_schedule="onecycle", **objective)
    exp = clf.fit(*two_patches(512, seed=0)).explain(two_patches(400, seed=1)[0])
    assert (exp.region_masks.sum(axis=1) == 1).all()
    right = exp.predicted == two_patches(400, seed=1)[1]
    return right.mean(), exp.certainty


def test_the_released_objective_hides_the_label_in_the_mask():
    accuracy, certainty = answers_from_one_region(objective__random_share=0.0)
    assert accuracy > 0.95 and certainty.mean() > 0.8


@pytest.mark.parametrize("learns_from", ["all", "random"])
def test_random_masks_keep_the_classifier_from_reading_the_mask(learns_from):
    _, certainty = answers_from_one_region(
        objective__random_share=0.5, objective__classifier_learns_from=learns_from
    )
    assert certainty.mean() < 0.75 and certainty.max() < 0.9
