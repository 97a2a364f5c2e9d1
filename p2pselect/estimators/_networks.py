"""From an estimator's settings to its networks."""

from __future__ import annotations

import os
from numbers import Real
from typing import Any

from torch import nn

from p2pselect.estimators._settings import SharedSettings
from p2pselect.exceptions import InputError, brief
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._image_network import ImageNetwork, prepare_networks
from p2pselect.nn._selectors import build_pixel_scorer


class NetworkBuilder(SharedSettings):
    """Builds the networks that ``selector`` and ``classifier`` name."""

    def _build_scorer(self, n_maps: int) -> ImageNetwork:
        """The network that maps images to pixel maps."""
        options = self._network_options
        scorer = build_pixel_scorer(
            self.selector,
            n_maps,
            self._weights_of("selector"),
            options.selector_options,
            options.selector_image_size or self.image_size,
        )
        scorer.image_size = options.selector_image_size
        scorer.frozen_share = self._frozen_share_of("selector")
        return scorer

    def _build_classifier(self, n_classes: int) -> ImageNetwork:
        """The network that maps images to logits."""
        classifier = build_classifier(
            self.classifier,
            n_classes,
            self.image_size,
            self._weights_of("classifier"),
            self._network_options.classifier_options,
        )
        classifier.frozen_share = self._frozen_share_of("classifier")
        return classifier

    def _ready(self, model: nn.Module) -> None:
        """Make a model run as the settings say, wherever it came from."""
        options = self._training_options
        prepare_networks(model, options.precision, options.compile, self.image_size)

    def _weights_of(self, network: str) -> Any:
        """The ``pretrained`` setting of one network."""
        pretrained = self.pretrained
        if isinstance(pretrained, dict):
            _check_networks("pretrained", pretrained)
            return pretrained.get(network, "auto")
        if isinstance(pretrained, (str, os.PathLike)) and pretrained != "auto":
            raise InputError(
                "pretrained: two networks cannot share one file; pass "
                f"pretrained={{'selector': ..., 'classifier': ...}}, got {brief(pretrained)}"
            )
        return pretrained

    def _frozen_share_of(self, network: str) -> float:
        """The ``frozen_share`` setting of one network."""
        share = self._network_options.frozen_share
        if isinstance(share, dict):
            _check_networks("frozen_share", share)
            share = share.get(network, 0.0)
        if not (isinstance(share, Real) and 0 <= share < 1):
            raise InputError(
                f"frozen_share of the {network} must be in [0, 1), got {brief(share)}"
            )
        return float(share)


def _check_networks(setting: str, value: dict[str, Any]) -> None:
    if set(value) - {"selector", "classifier"}:
        raise InputError(
            f"{setting}: a dict has the keys 'selector' and 'classifier', "
            f"got {brief(sorted(value))}"
        )
