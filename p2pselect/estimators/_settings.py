"""The settings that all methods have, and how scikit-learn finds them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from p2pselect._doc_links import DocumentedEstimator
from p2pselect.exceptions import did_you_mean
from p2pselect.nn._image_network import PRECISIONS
from p2pselect.training._fitting import LR_SCHEDULES, OPTIMIZERS
from p2pselect.training._monitors import check_callbacks

#: Side in pixels of the largest grid: what is larger is a slip, and would fill any memory.
MAX_SIDE = 16384


class SharedSettings(DocumentedEstimator, BaseEstimator):
    """Settings of networks, regions, tau, training and input.

    :class:`~p2pselect.P2PClassifier` documents them.  A method adds its own as keywords of
    its ``__init__`` and passes ``**shared`` on.
    """

    _parameter_constraints: ClassVar[dict] = {
        "selector": [str, callable],
        "classifier": [str, callable],
        "regions": [str, callable, HasMethods(["fit", "transform"])],
        "image_size": [Interval(Integral, 1, MAX_SIDE, closed="both")],
        "pretrained": ["boolean", str, dict, HasMethods(["__fspath__"])],
        "selector_options": [dict, None],
        "classifier_options": [dict, None],
        "selector_image_size": [Interval(Integral, 1, MAX_SIDE, closed="both"), None],
        "frozen_share": [Interval(Real, 0, 1, closed="left"), dict],
        "tau": [StrOptions({"dynamic"}), Interval(Real, 0, 1, closed="right")],
        "certainty_threshold": [Interval(Real, 0, 1, closed="right")],
        "tau_min": [Interval(Real, 0, 1, closed="neither")],
        "tau_step": [Interval(Real, 0.001, 1, closed="left")],
        "allow_empty": ["boolean"],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "ema_decay": [Interval(Real, 0, 1, closed="neither"), None],
        "micro_batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "augment": [str, callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [list, None],
        "checkpoint_dir": [str, HasMethods(["__fspath__"]), None],
        "channels": [StrOptions({"first", "last"})],
        "image_shape": [tuple, None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "precision": [StrOptions(set(PRECISIONS))],
        "compile": ["boolean"],
        "num_workers": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        selector: Any = "lraspp_mobilenet_v3_large",
        classifier: Any = "vit_tiny_patch16_224",
        regions: Any = "slic",
        image_size: int = 224,
        pretrained: Any = "auto",
        selector_options: dict[str, Any] | None = None,
        classifier_options: dict[str, Any] | None = None,
        selector_image_size: int | None = None,
        frozen_share: float | dict[str, float] = 0.0,
        tau: float | str = 0.2,
        certainty_threshold: float = 0.99,
        tau_min: float = 0.05,
        tau_step: float = 0.05,
        allow_empty: bool = False,
        max_epochs: int = 20,
        lr: float = 1e-4,
        optimizer: Any = "adam",
        lr_schedule: str = "constant",
        weight_decay: float = 0.0,
        ema_decay: float | None = None,
        batch_size: int = 64,
        micro_batch_size: int | None = None,
        augment: Any = "flip",
        validation_fraction: float | None = None,
        class_weight: dict | str | None = None,
        callbacks: list | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        channels: str = "last",
        image_shape: tuple[int, ...] | None = None,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        precision: str = "32",
        compile: bool = False,
        num_workers: int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.selector = selector
        self.classifier = classifier
        self.regions = regions
        self.image_size = image_size
        self.pretrained = pretrained
        self.selector_options = selector_options
        self.classifier_options = classifier_options
        self.selector_image_size = selector_image_size
        self.frozen_share = frozen_share
        self.tau = tau
        self.certainty_threshold = certainty_threshold
        self.tau_min = tau_min
        self.tau_step = tau_step
        self.allow_empty = allow_empty
        self.max_epochs = max_epochs
        self.lr = lr
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.ema_decay = ema_decay
        self.batch_size = batch_size
        self.micro_batch_size = micro_batch_size
        self.augment = augment
        self.validation_fraction = validation_fraction
        self.class_weight = class_weight
        self.callbacks = callbacks
        self.checkpoint_dir = checkpoint_dir
        self.channels = channels
        self.image_shape = image_shape
        self.warm_start = warm_start
        self.device = device
        self.precision = precision
        self.compile = compile
        self.num_workers = num_workers
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def _prediction_parameters(self) -> frozenset[str]:
        """Settings that no training of this estimator, as it is set, depends on.

        A search over these trains once.  Methods that do not train for tau, or have more
        settings of prediction, add them here.
        """
        return frozenset({"allow_empty", "certainty_threshold", "tau_step"}) - self._unused

    def _validate_params(self) -> None:
        super()._validate_params()
        check_callbacks(self.callbacks, self.validation_fraction, self.ema_decay)

    #: Settings of other methods that this one has no use for: it does not take them.
    _unused: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # ``help`` and editors show all that a method takes, not "**shared".
        cls.__signature__ = inspect.Signature([*cls._keywords().values()])

    def __new__(cls, *args: Any, **settings: Any) -> Self:
        known = cls._keywords()
        for name in settings:
            if name not in known:
                hint = did_you_mean(name, known)
                if name in cls._unused:
                    hint = ": it would have no effect"
                raise TypeError(f"{cls.__name__} has no parameter {name!r}{hint}")
        return super().__new__(cls)

    @classmethod
    def _keywords(cls) -> dict[str, inspect.Parameter]:
        """All parameters by name: a method's __init__ has its own and passes **shared on."""
        found: dict[str, inspect.Parameter] = {}
        for base in cls.__mro__:
            if "__init__" not in vars(base):
                continue
            _, *own = inspect.signature(vars(base)["__init__"]).parameters.values()
            named = [p for p in own if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
            for parameter in named:
                found.setdefault(parameter.name, parameter.replace(kind=parameter.KEYWORD_ONLY))
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in own):
                break
        return {name: found[name] for name in sorted(found) if name not in cls._unused}

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return [*cls._keywords()]

    @classmethod
    def known(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Those of some settings that this method has, so that presets fit every method."""
        return {name: settings[name] for name in cls._get_param_names() if name in settings}
