"""Named settings: mappings of constructor arguments, each with its source.

A preset hands out copies: estimators made of it share no object, and nothing changes it.

Examples
--------
>>> from p2pselect import P2PClassifier, presets
>>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 5})
>>> clf.image_size
64
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from p2pselect.regions._transformer import SuperpixelTransformer

__all__ = ["PAPER", "PAPER_TAU", "SMALL", "Preset"]


class Preset(Mapping[str, Any]):
    """Settings that cannot be changed, and that are made afresh whenever they are read.

    Parameters
    ----------
    settings : mapping
        Names of constructor arguments, and their values.

    Examples
    --------
    >>> preset = Preset({"regions": SuperpixelTransformer(n_segments=64), "lr": 4e-3})
    >>> {**preset, "lr": 1e-3}
    {'regions': SuperpixelTransformer(n_segments=64), 'lr': 0.001}
    >>> preset["regions"] is preset["regions"]
    False
    """

    def __init__(self, settings: Mapping[str, Any]):
        self._settings = dict(settings)

    def __getitem__(self, name: str) -> Any:
        return deepcopy(self._settings[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __repr__(self) -> str:
        return f"Preset({self._settings!r})"


#: For a few hundred to some ten thousand images, on a CPU: small timm networks from random
#: weights at 64 pixels.  Source: our own trials on the training split of
#: :func:`p2pselect.datasets.make_digit_scenes`.
SMALL = Preset(
    {
        "selector": "test_resnet",
        "selector_options": {"strides": (4, 16), "head_channels": 64},
        "classifier": "test_resnet",
        "pretrained": False,
        "image_size": 64,
        "regions": SuperpixelTransformer(n_segments=64),
        "max_epochs": 20,
        "warmup_epochs": 2,
        "batch_size": 32,
        "lr": 4e-3,
        "optimizer": "adamw",
        "lr_schedule": "onecycle",
        "weight_decay": 0.01,
        "augment": "shift+tint",
        "certainty_threshold": 0.95,
    }
)

_PAPER: dict[str, Any] = {
    "selector": "lraspp_mobilenet_v3_large",  # section 4
    "classifier": "vit_tiny_patch16_224",  # section 4
    "pretrained": "auto",
    "image_size": 224,  # section 4
    "regions": SuperpixelTransformer(n_segments=100),  # section 4; their m = 20 is our 14
    "max_epochs": 100,  # section 4
    "warmup_epochs": 0,
    "batch_size": 64,  # section 4
    "lr": 1e-4,  # section 4
    "optimizer": "adam",  # section 4
    "sparsity_weight": 10.0,  # section 4
    "covariance_weight": 0.01,  # section 4
    "embedding_dim": 3,  # section 3
    "tau_min": 0.05,  # section 3
    "certainty_threshold": 0.99,  # section 4
    "tau_input": "additive",  # released code
    "allow_empty": True,  # released code
    "augment": "paper",  # released code
}

#: The paper's P2P, by dataset: everything not named here is a default of
#: :class:`~p2pselect.P2PClassifier`.  Source of each value: the comment beside it.
PAPER: dict[str, Preset] = {
    "cifar10": Preset({**_PAPER, "augment": "paper-crop"}),  # released code
    "coco10": Preset(_PAPER),
    "imagenet9": Preset(_PAPER),
    "bam_object": Preset(_PAPER),
    "bam_scene": Preset(_PAPER),
    "imagenet": Preset({**_PAPER, "max_epochs": 20, "certainty_threshold": 0.8}),  # section 4
}

#: Fraction of pixels that the paper grants its baselines, by dataset (section 4).
PAPER_TAU: dict[str, float] = {
    "cifar10": 0.2,
    "coco10": 0.4,
    "imagenet": 0.5,
    "imagenet9": 0.3,
    "bam_object": 0.2,
    "bam_scene": 0.2,
}
