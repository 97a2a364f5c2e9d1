"""The settings that all methods have."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from p2pselect._settings import Settings, setting
from p2pselect.estimators._options import MAX_SIDE, NetworkOptions, SearchOptions
from p2pselect.training._monitors import check_callbacks
from p2pselect.training._options import TrainingOptions


class SharedSettings(Settings):
    """Settings of networks, regions, tau, training and input."""

    selector: Any = setting(
        "The paper's network, the name of a timm backbone that gets an LR-ASPP head, or a "
        "factory ``n_maps -> Module``.",
        str,
        callable,
        default="lraspp_mobilenet_v3_large",
        role="networks",
    )
    classifier: Any = setting(
        "Name of a timm model, or a factory ``n_classes -> Module``.",
        str,
        callable,
        default="vit_tiny_patch16_224",
        role="networks",
    )
    regions: Any = setting(
        "What proposes regions.  A name or callable is the ``engine`` of a "
        ":class:`~p2pselect.SuperpixelTransformer` with its defaults (about 100 regions).",
        str,
        callable,
        HasMethods(["fit", "transform"]),
        default="slic",
        role="input",
        kind="str, callable or SuperpixelTransformer",
    )
    image_size: int = setting(
        "Side in pixels of the square grid that images are resized to.",
        Interval(Integral, 1, MAX_SIDE, closed="both"),
        default=224,
        role="input",
    )
    pretrained: Any = setting(
        '``"auto"`` uses pretrained weights where they are in the cache or can be downloaded, '
        "and otherwise warns; ``True`` raises instead.  A path is a file of tensors, bare or "
        "wrapped (:func:`p2pselect.nn._weights.read_state_dict`), in which all but the head "
        'must fit.  A dict tells ``"selector"`` and ``"classifier"`` apart.',
        "boolean",
        str,
        dict,
        HasMethods(["__fspath__"]),
        default="auto",
        kind='{"auto", True, False}, path or dict',
    )
    tau: float | str = setting(
        "Largest fraction of pixels kept: a number, or found for each image (eq. 4).",
        StrOptions({"dynamic"}),
        Interval(Real, 0, 1, closed="right"),
        default=0.2,
    )
    certainty_threshold: float = setting(
        "delta of eq. 4: the search for tau stops when the largest class probability reaches "
        "it.  Used at prediction only.",
        Interval(Real, 0, 1, closed="right"),
        default=0.99,
        role="prediction",
    )
    max_epochs: int = setting(
        "Epochs of training.", Interval(Integral, 0, None, closed="left"), default=20
    )
    lr: float = setting(
        "Learning rate; the highest one where there is a schedule.",
        Interval(Real, 0, None, closed="neither"),
        default=1e-4,
    )
    batch_size: int = setting(
        "Images per step of training and per batch of prediction.",
        Interval(Integral, 1, None, closed="left"),
        default=64,
    )
    augment: Any = setting(
        "Random views of the training images; the regions follow the image.\n\n"
        '``"flip"`` mirrors, ``"shift"`` moves by up to a tenth of the side, ``"shift+tint"`` '
        'changes colors too, ``"affine"`` and ``"affine+tint"`` move, turn, scale and shear a '
        'little, ``"paper"`` is resized crop, flip and color jitter, ``"paper-crop"`` the same '
        "with 7/8 of the side.\n\n"
        "A callable maps ``(images, regions, rng)`` to new images and regions of the same "
        "shapes: images (b, h, w, 3), uint8 or float in [0, 1]; regions (b, h, w), integers "
        "from 0; and a numpy ``Generator``.",
        str,
        callable,
        None,
        default="flip",
        kind="str, callable or None",
    )
    class_weight: dict[Any, float] | str | None = setting(
        "Weights of the classes in the loss.",
        dict,
        StrOptions({"balanced"}),
        default=None,
    )
    validation_fraction: float | None = setting(
        "Share of every class held out.  The terms of the loss of these images go into "
        "``history_``, with all schedules at their end, so that epochs can be compared; "
        "``valid_loss`` is infinite in phases that only prepare for the last one.",
        Interval(Real, 0, 1, closed="neither"),
        default=None,
    )
    warm_start: bool = setting(
        "Let ``fit`` continue from where the last one ended, with the settings as they are "
        "now.  Those that the networks were built from cannot change.",
        "boolean",
        default=False,
    )
    channels: str = setting(
        "Where array-like images have their channel axis.",
        StrOptions({"first", "last"}),
        default="last",
        role="machine",
    )
    image_shape: tuple[int, ...] | None = setting(
        "(h, w, c) of images that are given as flat rows (n, h * w * c).",
        tuple,
        default=None,
        role="machine",
        kind="tuple of int",
    )
    device: str | torch.device = setting(
        '``"auto"`` takes a GPU where there is one.',
        str,
        torch.device,
        default="auto",
        role="machine",
    )
    n_jobs: int | None = setting(
        "Threads that propose regions.", Integral, default=None, role="machine", kind="int"
    )
    random_state: Any = setting(
        "A number makes training on a CPU exactly reproducible and leaves all global "
        "generators untouched; None draws a seed from numpy's.",
        "random_state",
        default=None,
    )
    verbose: int = setting("Show a progress bar.", "verbose", default=0, role="machine")
    networks: NetworkOptions | None = setting(
        "Details of the networks.", NetworkOptions, default=None
    )
    training: TrainingOptions | None = setting(
        "Optimizer, precision, callbacks and checkpoints.", TrainingOptions, default=None
    )
    search: SearchOptions | None = setting(
        "The values of tau that are tried.", SearchOptions, default=None
    )

    @property
    def _network_options(self) -> NetworkOptions:
        return self._group("networks")

    @property
    def _training_options(self) -> TrainingOptions:
        return self._group("training")

    @property
    def _search_options(self) -> SearchOptions:
        return self._group("search")

    def _prediction_parameters(self) -> frozenset[str]:
        """Settings that no training of this estimator, as it is set, depends on.

        A search over these trains once.  A method for which more settings matter at prediction
        only under some condition adds them here.
        """
        return frozenset(self._names_by_role("prediction"))

    def _validate_params(self) -> None:
        super()._validate_params()
        training = self._training_options
        check_callbacks(training.callbacks, self.validation_fraction, training.ema_decay)
