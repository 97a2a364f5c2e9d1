"""The settings that all methods share, and the networks that they describe."""

from __future__ import annotations

import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from p2pselect._settings import AT_LEAST_ONE, POSITIVE, Settings, setting
from p2pselect.estimators._options import MAX_SIDE, ImageOptions, NetworkOptions, SearchOptions
from p2pselect.exceptions import InputError, brief
from p2pselect.images._geometry import RESIZES, Grid, rescaled
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._image_network import ImageNetwork
from p2pselect.nn._selectors import build_pixel_scorer
from p2pselect.nn._token_dropping import check_drops_tokens
from p2pselect.training._data import N_VIEWS
from p2pselect.training._options import TrainingOptions


class ConfiguredImageClassifier(Settings):
    """The settings of every method, and how its networks are built from them."""

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
    image_size: int | tuple[int, int] = setting(
        "Side in pixels of the square grid that images are resized to, or its (height, width).",
        Interval(Integral, 1, MAX_SIDE, closed="both"),
        tuple,
        default=224,
        role="input",
        kind="int or tuple of two int",
    )
    resize: str = setting(
        'How images of another aspect come onto the grid.  ``"pad"`` shows them whole, between '
        'black borders that belong to no region; ``"crop"`` cuts off both ends of the longer '
        'side; ``"stretch"`` shows them whole and loses the aspect.',
        StrOptions(set(RESIZES)),
        default="pad",
        role="input",
    )
    pretrained: Any = setting(
        '``"auto"`` uses pretrained weights where they are in the cache or can be downloaded, '
        "and otherwise warns; ``True`` raises instead.  A path is a file of tensors "
        "(``.safetensors``, or what ``torch.save`` wrote: a state dict, or a dict that holds "
        "one as ``state_dict``, ``model`` or the like), in which all but the head "
        "must fit.  A folder has such files for both networks, named as timm names models "
        "(``resnet18.safetensors``, ``resnet18.a1_in1k.pth``); what it does not have is taken "
        "from the cache or downloaded, as with ``True``.  "
        'A dict tells ``"selector"`` and ``"classifier"`` apart.',
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
        "Certainty at which the search for tau stops: the largest class probability, delta in "
        "eq. 4.  Used at prediction only.",
        Interval(Real, 0, 1, closed="right"),
        default=0.99,
        role="prediction",
    )
    max_epochs: int = setting(
        "Epochs of training.", Interval(Integral, 0, None, closed="left"), default=20
    )
    lr: float = setting(
        "Learning rate; the highest one where there is a schedule.", POSITIVE, default=1e-4
    )
    batch_size: int = setting(
        "Images per step of training and per batch of prediction.", AT_LEAST_ONE, default=64
    )
    augment: Any = setting(
        "Random views of the training images; the regions follow the image.\n\n"
        '``"flip"`` mirrors, ``"shift"`` moves by up to a tenth of the side, ``"shift+tint"`` '
        'changes colors too, ``"affine"`` and ``"affine+tint"`` move, turn, scale and shear a '
        'little, ``"paper"`` is resized crop, flip and color jitter, ``"paper-crop"`` the same '
        "with 7/8 of the side.\n\n"
        "A callable maps ``(images, regions, rng)`` to new images and regions of the same "
        "shapes: images (b, h, w, c), uint8 or float in [0, 1]; regions (b, h, w), integers "
        "from 0; and a numpy ``Generator``.  It is called with one image at a time (b = 1), so "
        "that the view of an image does not depend on the others in its batch.",
        str,
        callable,
        None,
        default="flip",
        kind="str, callable or None",
    )
    class_weight: dict[Any, float] | str | None = setting(
        'Weights of the classes in the loss.  If images have several labels, ``"balanced"`` '
        "lets the presence of each label count as much as its absence.",
        dict,
        StrOptions({"balanced"}),
        default=None,
    )
    validation: Any = setting(
        "Images that training is measured on and does not learn from.  Their losses go into "
        "``history_``, with all schedules at their end, so that epochs can be compared; "
        "``valid_loss`` is infinite in phases that only prepare for the last one.  "
        "``valid_acc`` and ``valid_kept`` are accuracy and kept fraction of a prediction whose "
        "search for tau takes four steps at a time, to save time: it keeps a little more than "
        "the fitted estimator will.\n\n"
        '``"auto"`` holds out a tenth of every class, at most 2,000 images, and nothing where '
        "that would be fewer than 50; neither from a stream, nor in ``partial_fit``.  A number "
        "is the share of every class.  A pair ``(X, y)`` is of anything that ``fit`` takes but "
        "streams.  A scikit-learn splitter, such as ``StratifiedGroupKFold(10)``, gives its "
        "first split.  None trains on all images.\n\n"
        "Where ``fit`` is told ``groups``, those of one group are never on both sides.  Which "
        "images are held out depends on their labels and groups, not on ``random_state``; "
        "``validation_rows_`` has their numbers.",
        StrOptions({"auto"}),
        Interval(Real, 0, 1, closed="neither"),
        tuple,
        HasMethods(["split", "get_n_splits"]),
        None,
        default="auto",
        kind='"auto", float in (0, 1), pair (X, y), splitter or None',
    )
    warm_start: bool = setting(
        "Let ``fit`` continue from where the last one ended, with the settings as they are "
        "now.  Those that the networks were built from cannot change.",
        "boolean",
        default=False,
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
    verbose: int = setting(
        "Say what every epoch has brought, in a line of losses, accuracy and kept fraction; on "
        "a terminal, there is a progress bar, too.",
        "verbose",
        default=0,
        role="machine",
    )
    images: ImageOptions | None = setting(
        "What the numbers of the images mean: layout, channels, range.",
        ImageOptions,
        default=None,
    )
    networks: NetworkOptions | None = setting(
        "Details of the networks.", NetworkOptions, default=None
    )
    training: TrainingOptions | None = setting(
        "Optimizer, precision, callbacks and checkpoints.", TrainingOptions, default=None
    )
    search: SearchOptions | None = setting(
        "The values of tau that are tried.", SearchOptions, default=None
    )

    #: The network whose backbone sees whole images in training: None where all are masked.
    _sees_whole_images: ClassVar[str | None] = "selector"
    #: Whether what its training removes is removed for good, so that patches can be dropped.
    _learns_from_binary_masks: ClassVar[bool] = False

    def _prediction_parameters(self) -> frozenset[str]:
        """Settings that no training of this estimator, as it is set, depends on."""
        return frozenset(self._names_by_role("prediction"))

    @property
    def _grid(self) -> Grid:
        """The size of the networks' images, and how images of other sizes come to it."""
        return Grid.of(self.image_size, self.resize)

    @property
    def _image_options(self) -> ImageOptions:
        return self._group("images")

    @property
    def _network_options(self) -> Any:
        return self._group("networks")

    @property
    def _training_options(self) -> TrainingOptions:
        return self._group("training")

    @property
    def _search_options(self) -> SearchOptions:
        return self._group("search")

    def _validate_params(self) -> None:
        super()._validate_params()
        _check_size("image_size", self.image_size)

    def _build_scorer(self, n_maps: int) -> ImageNetwork:
        """The network that ``selector`` names: from images to pixel maps."""
        options = self._network_options
        longest = options.selector_image_size
        size = None if longest is None else rescaled(self._grid.size, longest)
        scorer = build_pixel_scorer(
            self.selector,
            n_maps,
            self._weights_of("selector"),
            options.selector_options,
            size or self._grid.size,
            self.n_channels_seen_,
        )
        self._normalize(scorer)
        # Some networks see images at another size than the one that they are asked for.
        scorer.image_size = scorer.image_size or size
        scorer.frozen_share = self._frozen_share_of("selector")
        return scorer

    def _build_classifier(self, n_classes: int) -> ImageNetwork:
        """The network that ``classifier`` names: from images to logits."""
        classifier = build_classifier(
            self.classifier,
            n_classes,
            self._grid.size,
            self._weights_of("classifier"),
            self._network_options.classifier_options,
            self.n_channels_seen_,
        )
        self._normalize(classifier)
        classifier.frozen_share = self._frozen_share_of("classifier")
        classifier.fill = self.fill_
        if self.fill_ == "drop":
            if not self._learns_from_binary_masks:
                raise InputError(
                    "networks__fill='drop' needs a classifier that learns from binary masks, "
                    f"too; those of {type(self).__name__} are continuous, and remove no patch"
                )
            check_drops_tokens(classifier.network, self.classifier)
        return classifier

    def _normalize(self, network: ImageNetwork) -> None:
        if self.normalization_ is not None:
            network.normalize_by(*self.normalization_)

    def _weights_of(self, network: str) -> Any:
        pretrained = self.pretrained
        if isinstance(pretrained, dict):
            _check_networks("pretrained", pretrained)
            return pretrained.get(network, "auto")
        if (
            isinstance(pretrained, (str, os.PathLike))
            and pretrained != "auto"
            and not Path(pretrained).is_dir()
        ):
            raise InputError(
                "pretrained: two networks cannot share one file; pass a folder, or "
                f"pretrained={{'selector': ..., 'classifier': ...}}, got {brief(pretrained)}"
            )
        return pretrained

    def _frozen_share_of(self, network: str) -> float:
        share: Any = self._network_options.frozen_share
        if isinstance(share, dict):
            _check_networks("networks__frozen_share", share)
            share = share.get(network, 0.0)
        if not (isinstance(share, Real) and 0 <= float(share) <= 1):
            raise InputError(
                f"networks__frozen_share of the {network} must be in [0, 1], got {brief(share)}"
            )
        return float(share)

    def _n_views(self) -> int | None:
        n_views: Any = self._training_options.n_views
        if n_views == "auto":
            whole = self._sees_whole_images
            frozen = whole is not None and self._frozen_share_of(whole) == 1
            return N_VIEWS if frozen else None
        return n_views


def _check_size(setting: str, size: Any) -> None:
    """Refuse a pair that is not a height and a width."""
    if isinstance(size, tuple):
        sides = [isinstance(side, Integral) and 1 <= int(side) <= MAX_SIDE for side in size]
        if len(size) != 2 or not all(sides):
            raise InputError(
                f"{setting} must be an int or a pair (height, width) of int, each from 1 to "
                f"{MAX_SIDE}, got {brief(size)}"
            )


def _check_networks(setting: str, value: dict[str, Any]) -> None:
    if set(value) - {"selector", "classifier"}:
        raise InputError(
            f"{setting}: a dict has the keys 'selector' and 'classifier', "
            f"got {brief(sorted(value))}"
        )
