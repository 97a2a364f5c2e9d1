"""Named settings: mappings of constructor arguments, each with its source.

A preset hands out copies: estimators made of it share no object, and nothing changes it.

Examples
--------
>>> from p2pselect import P2PClassifier, presets
>>> clf = P2PClassifier(**{**presets.SMALL, "max_epochs": 5})
>>> clf.image_size
64
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from p2pselect._settings import Options, Settings
from p2pselect.regions._transformer import SuperpixelTransformer

__all__ = ["PAPER", "PAPER_TAU", "SMALL", "Preset", "settings_for"]


class Preset(Mapping[str, Any]):
    """Arguments for ``P2PClassifier`` that nothing can change: each is made afresh when read.

    Parameters
    ----------
    **settings
        Settings of :class:`~p2pselect.P2PClassifier`; those of a group as ``group__name``.

    Examples
    --------
    >>> preset = Preset(image_size=64, training__lr_schedule="cosine")
    >>> {**preset, "lr": 1e-3}
    {'image_size': 64, 'training': TrainingOptions(lr_schedule='cosine'), 'lr': 0.001}
    >>> preset["training"] is preset["training"]
    False
    """

    def __init__(self, **settings: Any):
        self._settings = settings

    def __getitem__(self, name: str) -> Any:
        if name in self._settings:
            return deepcopy(self._settings[name])
        if name not in iter(self):
            raise KeyError(name)
        from p2pselect.methods import P2PClassifier

        own = {k: v for k, v in self._settings.items() if k.startswith(f"{name}__")}
        return getattr(P2PClassifier().set_params(**deepcopy(own)), name)

    def __iter__(self) -> Iterator[str]:
        return iter(_outer(self._settings))

    def __len__(self) -> int:
        return len(_outer(self._settings))

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __repr__(self) -> str:
        return f"Preset({', '.join(f'{k}={v!r}' for k, v in self._settings.items())})"


def settings_for(method: type[Settings], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some settings that a method has, as arguments for its constructor.

    Parameters
    ----------
    method : type
        A method such as :class:`~p2pselect.methods.RealXClassifier`.
    settings : mapping
        A preset, or arguments for another method's constructor.  Settings of a group may also
        be named ``group__name``.

    Returns
    -------
    dict of str to object
        The values are not copied.

    Examples
    --------
    >>> from p2pselect.methods import BlackboxClassifier
    >>> small = settings_for(BlackboxClassifier, SMALL)
    >>> "selector" in SMALL, "selector" in small, small["training"].optimizer
    (True, False, 'adamw')
    """
    single: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Options):
            defaults = type(value)().get_params()
            own = value.get_params()
            single |= {f"{name}__{k}": own[k] for k in own if own[k] != defaults[k]}
        else:
            single[name] = value
    estimator = method()
    known = estimator.get_params()
    taken = {name: value for name, value in single.items() if name in known}
    estimator.set_params(**taken)
    return {name: getattr(estimator, name) for name in _outer(taken)}


def _outer(names: Iterable[str]) -> list[str]:
    """Names of single settings, and of the groups of all others, in order."""
    return [*dict.fromkeys(name.partition("__")[0] for name in names)]


#: For a few hundred to some ten thousand images, on a CPU: small timm networks from random
#: weights at 64 pixels.  Source: our own trials on the training split of
#: :func:`p2pselect.datasets.make_digit_scenes`.
SMALL = Preset(
    selector="test_resnet",
    networks__selector_options={"strides": (4, 16), "head_channels": 64},
    classifier="test_resnet",
    pretrained=False,
    image_size=64,
    regions=SuperpixelTransformer(n_segments=64),
    max_epochs=20,
    objective__warmup_epochs=2,
    batch_size=32,
    lr=4e-3,
    training__optimizer="adamw",
    training__lr_schedule="onecycle",
    training__weight_decay=0.01,
    augment="shift+tint",
    certainty_threshold=0.95,
)

_PAPER: dict[str, Any] = {
    "selector": "lraspp_mobilenet_v3_large",  # section 4
    "classifier": "vit_tiny_patch16_224",  # section 4
    "pretrained": "auto",
    "image_size": 224,  # section 4
    "regions": SuperpixelTransformer(n_segments=100),  # section 4; their m = 20 is our 14
    "max_epochs": 100,  # section 4
    "objective__warmup_epochs": 0,
    "batch_size": 64,  # section 4
    "lr": 1e-4,  # section 4
    "training__optimizer": "adam",  # section 4
    "objective__sparsity_weight": 10.0,  # section 4
    "objective__covariance_weight": 0.01,  # section 4
    "networks__embedding_dim": 3,  # section 3
    "search__tau_min": 0.05,  # section 3
    "certainty_threshold": 0.99,  # section 4
    "networks__tau_input": "additive",  # released code
    "search__allow_empty": True,  # released code
    "augment": "paper",  # released code
}

#: The paper's P2P, by dataset: everything not named here is a default of
#: :class:`~p2pselect.P2PClassifier`.  Source of each value: the comment beside it.
PAPER: dict[str, Preset] = {
    "cifar10": Preset(**{**_PAPER, "augment": "paper-crop"}),  # released code
    "coco10": Preset(**_PAPER),
    "imagenet9": Preset(**_PAPER),
    "bam_object": Preset(**_PAPER),
    "bam_scene": Preset(**_PAPER),
    "imagenet": Preset(**{**_PAPER, "max_epochs": 20, "certainty_threshold": 0.8}),  # section 4
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
