"""A method of a third party in one file, by public imports only: loss, network, estimator."""

import pickle
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.base import clone
from sklearn.utils._param_validation import Interval
from torch import nn

from p2pselect import datasets, load, presets
from p2pselect.estimators import NetworkOptions, SelectiveImageClassifier, setting
from p2pselect.exceptions import ModelFileError
from p2pselect.nn import SelectiveModel
from p2pselect.testing import image_classifier_checks
from p2pselect.training import Phase, expected_kept_fraction


class ColorSelector(nn.Module):
    """Scores every pixel by its color alone."""

    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, width, 1), nn.Tanh(), nn.Conv2d(width, 1, 1))

    def forward(self, images):
        return self.layers(images)


@dataclass(frozen=True)
class ColorObjective:
    """Cross-entropy under sampled binary masks, and the area beyond tau."""

    tau: float
    area_weight: float

    def __call__(self, step):
        scores = step.model.score(step.images, step.regions)
        probs = scores.maps[:, 0].sigmoid()
        kept = (step.rand_like(probs) < probs).to(probs.dtype)
        # Binary in the forward pass, the gradient of the probabilities in the backward pass.
        masks = kept + (probs - probs.detach())
        logits = step.model.classify(step.images, step.regions, masks)
        area = expected_kept_fraction(probs, scores.areas)
        return {
            "cross_entropy": F.cross_entropy(logits, step.target, reduction="none"),
            "area": self.area_weight * torch.relu(area - self.tau),
        }


class ColorNetworkOptions(NetworkOptions, without=("selector_options", "selector_image_size")):
    """Details of the networks.

    Parameters
    ----------
    {parameters}
    """

    width: int = setting(
        "Channels of the selector.",
        Interval(Integral, 1, None, closed="left"),
        default=4,
        role="networks",
    )


class ColorClassifier(SelectiveImageClassifier, without=("selector",)):
    """Predicts from the few regions whose color tells most.

    Parameters
    ----------
    {parameters}
    """

    tau: float = setting(
        "Largest fraction of the pixels kept.",
        Interval(Real, 0, 1, closed="right"),
        default=0.3,
    )
    networks: ColorNetworkOptions | None = setting(None, ColorNetworkOptions, default=None)
    area_weight: float = setting(
        "Weight of the area beyond tau.", Interval(Real, 0, None, closed="left"), default=1.0
    )
    max_regions: int = setting(
        "Most regions that are kept.",
        Interval(Integral, 1, None, closed="left"),
        default=5,
        role="prediction",
    )

    def _build_model(self, n_classes):
        selector = ColorSelector(self._group("networks").width)
        return SelectiveModel(selector, self._build_classifier(n_classes))

    def _phases(self):
        objective = ColorObjective(self.tau, self.area_weight)
        return [Phase("joint", self.max_epochs, objective, ("selector", "classifier"))]

    def _selection_rule(self):
        return replace(super()._selection_rule(), cut=self._few)

    def _few(self, logits, areas, offsets, tau_grid):
        """As many of the best regions as fit into tau, up to max_regions."""
        budget = tau_grid * areas[0].sum()
        fitting = (areas.cumsum(axis=1)[:, :, None] <= budget + 1e-6) & (areas > 0)[:, :, None]
        return fitting.sum(axis=1).clip(max=self.max_regions)


SETTINGS = presets.settings_for(
    ColorClassifier,
    {**presets.SMALL, "image_size": 32, "max_epochs": 1, "regions": "grid", "random_state": 0},
)


@pytest.fixture(scope="module")
def scenes():
    return datasets.make_digit_scenes(24, image_size=32, random_state=0)


@pytest.fixture(scope="module")
def fitted(scenes):
    return ColorClassifier(**SETTINGS).fit(scenes.images, scenes.target % 2)


CHECKS = [pytest.param(check, id=n) for n, check in image_classifier_checks(ColorClassifier())]


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps_the_contract(check):
    check(ColorClassifier(**SETTINGS))


def test_its_loss_is_learned_and_reported(fitted):
    assert {"train_cross_entropy", "train_area"} <= set(fitted.history_[-1])
    start = ColorClassifier(**SETTINGS).set_params(max_epochs=0)
    assert start.get_params()["networks__width"] == 4


def test_its_rule_is_what_selects(fitted, scenes):
    exp = fitted.explain(scenes.images)
    assert (exp.region_masks.sum(axis=1) <= 5).all() and (exp.kept_fraction <= 0.3).all()
    one = clone(fitted).set_params(max_regions=1, max_epochs=0)
    one.fit(scenes.images, scenes.target % 2)
    assert (one.explain(scenes.images).region_masks.sum(axis=1) == 1).all()


def test_it_saves_and_loads_itself(fitted, scenes, tmp_path):
    fitted.save(tmp_path / "model")
    again = ColorClassifier.load(tmp_path / "model")
    assert type(again) is ColorClassifier and repr(again) == repr(fitted)
    expected = fitted.predict_proba(scenes.images)
    np.testing.assert_array_equal(again.predict_proba(scenes.images), expected)
    pickled = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(pickled.predict_proba(scenes.images), expected)
    # A name in a file never decides what is imported.
    with pytest.raises(ModelFileError, match="class must be one of .*MyClassifier.load"):
        load(tmp_path / "model")


def test_it_does_not_pass_for_one_of_the_library_s(fitted, tmp_path):
    class P2PClassifier(ColorClassifier):
        pass

    impostor = P2PClassifier(**SETTINGS)
    impostor.__setstate__(fitted.__getstate__())
    impostor.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="P2PClassifier has no .*area_weight"):
        load(tmp_path / "model")


def test_it_takes_its_own_settings_only():
    with pytest.raises(TypeError, match="selector.*would have no effect"):
        ColorClassifier(selector="resnet18")
    assert "max_regions : int >= 1, default=5" in ColorClassifier.__doc__
