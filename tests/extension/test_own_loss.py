"""A loss term and a phase of a third party, with nothing but public names."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from p2pselect import datasets
from p2pselect.methods import P2PClassifier
from p2pselect.nn import region_areas, to_pixels
from p2pselect.training import Phase, Step, expected_kept_fraction, geometric_schedule


class CompactObjective:
    """Cross-entropy on soft masks whose borders are short."""

    def __init__(self, weight: float):
        self.weight = weight

    def __call__(self, step: Step) -> dict[str, torch.Tensor]:
        scores = step.model.score(step.images, step.regions)
        noise = step.randn_like(scores.areas)
        masks = torch.sigmoid(scores.maps[:, 0] + 0.1 * noise)
        logits = step.model.classify(step.images, step.regions, masks)
        pixels = to_pixels(masks, step.regions)
        border = sum(pixels.diff(dim=dim).abs().mean(dim=(1, 2)) for dim in (1, 2))
        weight = geometric_schedule(self.weight, self.weight / 10, step.progress)
        return {
            "cross_entropy": F.cross_entropy(logits, step.target, reduction="none"),
            "selector/border": weight * border,
            "selector/area": expected_kept_fraction(masks, scores.areas),
        }


def random_masks(step: Step) -> dict[str, torch.Tensor]:
    areas = region_areas(step.regions)
    masks = (step.rand_like(areas) < 0.5).float()
    logits = step.model.classify(step.images, step.regions, masks)
    return {"cross_entropy": F.cross_entropy(logits, step.target, reduction="none")}


class CompactClassifier(P2PClassifier):
    """P2P with another loss, after a phase in which the classifier alone learns."""

    def _phases(self):
        both = ("selector", "classifier")
        return [
            Phase("random masks", 1, random_masks, ("classifier",)),
            Phase("compact", self.max_epochs - 1, CompactObjective(0.5), both),
        ]


def small_selector(n_maps):
    return nn.Conv2d(3, n_maps, 4, stride=4)


def small_classifier(n_classes):
    return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(3 * 16, n_classes))


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(20, image_size=16, random_state=0)


def fit(scenes, **changes):
    clf = CompactClassifier(
        selector=small_selector,
        classifier=small_classifier,
        regions="grid",
        image_size=16,
        max_epochs=3,
        batch_size=10,
        lr=0.01,
        random_state=0,
    )
    return clf.set_params(**changes).fit(scenes.images, scenes.target % 2)


def test_terms_and_phases_of_ones_own(scenes):
    clf = fit(scenes)
    assert clf.history_[:, "phase"] == ["random masks", "compact", "compact"]
    assert np.isfinite(clf.history_[1:, "train_selector/border"]).all()
    assert "train_selector/area" not in clf.history_[0]
    assert clf.transform(scenes.images).shape == (20, 16, 16)
    again = fit(scenes)
    found, expected = (each.predict_proba(scenes.images) for each in (again, clf))
    np.testing.assert_array_equal(found, expected)


def test_its_random_numbers_do_not_depend_on_how_batches_are_divided(scenes):
    whole, parts = fit(scenes), fit(scenes, training__micro_batch_size=3)
    np.testing.assert_allclose(
        whole.predict_proba(scenes.images), parts.predict_proba(scenes.images), atol=1e-5
    )
