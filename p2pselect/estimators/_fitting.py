"""How an image classifier learns: its settings, its networks, ``fit`` and ``partial_fit``."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from math import prod
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import IterableDataset

from p2pselect import distributed
from p2pselect._labels import as_labels, encode_known, encode_labels, find_classes
from p2pselect._settings import AT_LEAST_ONE, POSITIVE, Role, Settings, setting
from p2pselect.estimators._changes import (
    changes,
    refuse_changes,
    remembered,
    unchanged_by_errors,
)
from p2pselect.estimators._inputs import (
    Division,
    Labeled,
    check_channels,
    check_class_weight,
    check_sample_weight,
    propose_all,
    read_images,
    refuse_metadata,
    refuse_rows,
    resolve_regions,
)
from p2pselect.estimators._options import MAX_SIDE, ImageOptions, NetworkOptions, SearchOptions
from p2pselect.estimators._progress import CallbackSupportMixin, FitTask, with_callbacks
from p2pselect.exceptions import InputError, P2PSelectError, P2PSelectWarning, brief
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import RESIZES, Grid, rescaled
from p2pselect.images._meaning import SAID, ValueRange, measure_channels, warn_of_little_use
from p2pselect.images._torch_datasets import is_map_style, labels_of
from p2pselect.nn._backbones import build_classifier
from p2pselect.nn._image_network import ImageNetwork, prepare_networks
from p2pselect.nn._selectors import build_pixel_scorer
from p2pselect.training._callbacks import Outcome, check_callbacks
from p2pselect.training._data import N_VIEWS, REGION_MEMORY, TrainingData, Views
from p2pselect.training._fitting import new_net, train
from p2pselect.training._isolation import (
    Randomness,
    draw_seed,
    resolve_device,
    usual_surroundings,
)
from p2pselect.training._net import SelectiveNet
from p2pselect.training._options import TrainingOptions
from p2pselect.training._phases import Phase
from p2pselect.training._stream import StreamContents, TrainingStream
from p2pselect.training._validation import given_apart, needs_rows, split_rows


class TrainableImageClassifier(CallbackSupportMixin, Settings):
    """The settings of every method, and how its networks are built and trained."""

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
        "Weights of the classes in the loss.", dict, StrOptions({"balanced"}), default=None
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

    #: ``fit`` asks for groups by itself: it needs no more than those that a splitter has.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True}
    #: Whether held-out images are predicted after every epoch, to be measured.
    _measures_predictions: ClassVar[bool] = True
    #: Fitted attributes that a saved model holds besides the networks and the classes.
    _fitted: ClassVar[tuple[str, ...]] = (
        "image_shape_in_",
        "n_channels_in_",
        "n_channels_seen_",
        "n_features_in_",
        "normalization_",
        "value_range_",
    )

    #: The network whose backbone sees whole images in training: None where all are masked.
    _sees_whole_images: ClassVar[str | None] = "selector"

    # -- hooks: SelectiveImageClassifier documents all of them ------------------------------

    @abstractmethod
    def _build_model(self, n_classes: int) -> nn.Module:
        """Build the networks, under the estimator's seed."""

    @abstractmethod
    def _phases(self) -> Sequence[Phase]:
        """Phases of training, in order."""

    def _before_training(self, n_images: int, continues: bool) -> None:
        """Called before the networks are built, or before their training continues."""

    def _after_training(self, data: TrainingData) -> None:
        """Measure on the training images whatever prediction needs."""

    @abstractmethod
    def _calibrate_on(self, held_out: Labeled) -> None:
        """Let certainty mean what these images say."""

    def _needs_rows_for(self) -> str | None:
        """What needs training images in any order; None where nothing does."""
        return "validation" if needs_rows(self.validation) else None

    def _prediction_parameters(self) -> frozenset[str]:
        """Settings that no training of this estimator, as it is set, depends on."""
        return frozenset(self._names_by_role("prediction"))

    # -- settings and networks -----------------------------------------------------------

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

    # -- training ------------------------------------------------------------------------

    @with_callbacks
    @distributed.group()
    @usual_surroundings()
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        regions: Any = None,
        groups: Any = None,
        **metadata: Any,
    ) -> Self:
        """Train on labeled images.

        Parameters
        ----------
        X : images
            See :func:`p2pselect.images.as_images`: arrays, paths, Pillow images, tensors, or
            the ``output="images+regions"`` of a ``SuperpixelTransformer``.  Or a
            ``torch.utils.data.Dataset`` of pairs (image, label); an ``IterableDataset`` is read
            once for its labels, and then once per epoch, in its own order.  Gray images, RGB
            and RGBA may change between calls, because networks see three channels.
        y : array-like of shape (n,)
            Labels, at least two different ones; None where X has them.
        sample_weight : array-like of shape (n,), optional
            Weight of every image in the loss, not negative.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.
        groups : array-like of shape (n,), optional
            Which images belong together, such as those of one patient: `validation` holds out
            whole groups.  Under metadata routing, ``fit`` asks for them by itself.
        **metadata
            Refused: ``fit`` learns from nothing else.  Object masks, for example, are for
            scoring.

        Returns
        -------
        Self
            The estimator itself.

        Raises
        ------
        InputError
            If images, labels, weights or regions cannot be used, or there is metadata;
            nothing was trained.
        ImageReadError
            If images cannot be decoded, which is tried with all of them; nothing was trained.
        TrainingError
            If the loss stops being finite.
        """
        self._validate_params()
        refuse_metadata(metadata)
        continues = self.warm_start and hasattr(self, "net_")
        meaning = self._meaning(continues)
        given = self._read_labeled(X, y, meaning, sample_weight, regions, groups)
        classes = find_classes(given.labels)
        if continues and not np.array_equal(self.classes_, classes):
            raise InputError(
                "warm_start=True continues with the classes "
                f"{brief(self.classes_.tolist())}, got {brief(classes.tolist())}"
            )
        division = self._divide(given, classes, groups)
        target = encode_labels(division.train.labels, classes)
        class_weight = check_class_weight(self.class_weight, classes, target)
        weight = division.train.weight * class_weight[target]
        check_sample_weight(weight, len(target))
        # Of mean 1 again, so that class weights do not change the scale of the loss.
        class_weight = class_weight / weight.mean()
        parts = self._start(division, classes, class_weight, continues, "networks")
        # A training that continues stays in its last phase.
        schedules = [self.max_epochs] if continues else self._epochs_by_schedule()
        task = FitTask(self, X, y, sum(schedules))
        self._train(*parts, schedules, [("fit_task", task), ("outcome", Outcome())])
        if self._search_options.calibration == "held_out" and division.held_out is not None:
            self._calibrate_on(division.held_out)
        task.end()
        return self

    @distributed.group()
    @usual_surroundings()
    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, *, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch on these images, from where the last call stopped.

        Parameters
        ----------
        X : images
            As for :meth:`fit`.
        y : array-like of shape (n,)
            Labels; None where X has them.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed at the first call unless ``y`` has them.
        sample_weight : array-like of shape (n,), optional
            Weight of every image in the loss, relative to the others of this call.

        Returns
        -------
        Self
            The estimator itself.

        Raises
        ------
        InputError
            If images, labels or weights cannot be used, if a label is none of the classes, or
            if ``class_weight="balanced"``, which has to count all images; nothing was trained.
        TrainingError
            If the loss stops being finite.
        """
        self._validate_params()
        continues = hasattr(self, "net_")
        if continues:
            refuse_changes(self)
        given = self._read_labeled(X, y, self._meaning(continues), sample_weight)
        if classes is not None:
            named = find_classes(as_labels(classes, "classes"), "classes")
            if continues and not np.array_equal(self.classes_, named):
                raise InputError(
                    "classes must be those of the first call, "
                    f"{brief(self.classes_.tolist())}, got {brief(named.tolist())}"
                )
        else:
            named = self.classes_ if continues else find_classes(given.labels)
        encode_known(given.labels, named)
        division = self._divide(given, named, is_part=True)
        class_weight = check_class_weight(self.class_weight, named, None)
        # Of the classes, not of this call's images: a call of rare ones alone must count.
        class_weight = class_weight / class_weight.mean()
        parts = self._start(division, named, class_weight, continues, "networks", "input")
        self._train(*parts, [1])
        return self

    def _meaning(self, fitted: bool, value_range: ValueRange | None = None) -> dict[str, Any]:
        """What :func:`as_images` has to know; a fitted estimator knows more than its settings.

        ``value_range`` is that of other images, which these belong to.
        """
        options = self._image_options
        n_channels = options.n_channels
        if fitted:
            value_range = self.value_range_
            if n_channels is None and self.n_channels_seen_ != 3:
                n_channels = self.n_channels_seen_
        said = {name: getattr(options, name) for name in SAID}
        known = {"n_channels": n_channels, "value_range": value_range or options.value_range}
        return said | known

    def _read(
        self, X: Any, regions: Any, meaning: dict[str, Any]
    ) -> tuple[ImageSequence, np.ndarray | None]:
        return read_images(X, regions, meaning=meaning, grid=self._grid)

    def _read_labeled(
        self,
        X: Any,
        y: Any,
        meaning: dict[str, Any],
        sample_weight: Any = None,
        regions: Any = None,
        groups: Any = None,
    ) -> Labeled:
        """Everything that can be said about training images before their classes are known."""
        images: ImageSequence | StreamContents
        if isinstance(X, IterableDataset):
            rows = {"y": y, "sample_weight": sample_weight, "regions": regions}
            refuse_rows(self._needs_rows_for(), **rows, groups=groups)
            images = StreamContents(X, meaning, self._training_options.num_workers)
            maps, y = None, images.labels
        else:
            images, maps = self._read(X, regions, meaning)
        labels = as_labels(labels_of(X) if y is None and is_map_style(X) else y)
        if len(labels) != len(images):
            raise InputError(
                f"X and y must have the same length: got {len(images)} images and "
                f"{len(labels)} labels"
            )
        return Labeled(images, maps, labels, check_sample_weight(sample_weight, len(images)))

    def _divide(
        self, given: Labeled, classes: np.ndarray, groups: Any = None, is_part: bool = False
    ) -> Division:
        """Set apart what is held out; ``is_part`` says that other images come later."""
        validation: Any = self.validation
        if validation == "auto" and (is_part or isinstance(given.images, StreamContents)):
            validation = None
        if given_apart(validation):
            meaning = self._meaning(False, given.images.value_range)
            held_out = self._read_validation(*_pair(validation), classes, meaning)
            division = Division(given, held_out)
        else:
            division = Division.by_rows(given, split_rows(validation, given.labels, groups))
        training, has_some = self._training_options, division.held_out is not None
        if self._search_options.calibration == "held_out" and not has_some and not is_part:
            few = (
                "the images are too few for" if validation == "auto" else "there are none with"
            )
            warnings.warn(
                "search__calibration='held_out' needs held-out images, and "
                f"{few} validation={brief(self.validation)}: certainty is the classifier's "
                "own word",
                P2PSelectWarning,
                stacklevel=5,
            )
        check_callbacks(training.callbacks, has_some)
        if training.patience is not None and not has_some and not is_part:
            raise InputError(
                f"training__patience={training.patience} looks at held-out images, but there "
                f"are none with validation={brief(self.validation)}; set it to 0.2, for example"
            )
        return division

    def _read_validation(
        self, X: Any, y: Any, classes: np.ndarray, meaning: dict[str, Any]
    ) -> Labeled:
        """Images that are held out, and no part of the training images."""
        if isinstance(X, IterableDataset):
            raise InputError("validation: held-out images cannot be a stream")
        try:
            held_out = self._read_labeled(X, y, meaning)
        except P2PSelectError as error:
            raise type(error)(f"validation: {error}") from error
        encode_known(held_out.labels, classes, "the y of validation")
        return held_out

    def _start(
        self,
        division: Division,
        classes: np.ndarray,
        class_weight: np.ndarray,
        continues: bool,
        *fixed: Role,
    ) -> tuple[TrainingData | TrainingStream, TrainingData | None]:
        """Networks for a training, its data, and those held out.

        After an error all is as it was.  Settings with the roles ``fixed`` must not have
        changed since the training began.
        """
        images = division.train.images
        with unchanged_by_errors(self):
            # It was one of networks that change from here on.
            if hasattr(self, "calibration_"):
                del self.calibration_
            if continues:
                check_channels(images, self)
                refuse_changes(self, *fixed)
            else:
                self.classes_ = classes
                self.image_shape_in_ = images.image_shape
                self.n_channels_in_ = images.stored_channels
                self.n_channels_seen_ = images.seen_channels
                self.value_range_ = images.value_range
                self.normalization_ = self._measured(images)
                if (shape := self._image_options.image_shape) is not None:
                    # scikit-learn counts features where images come as flat rows.
                    self.n_features_in_ = int(np.prod(shape))
            self.regions_ = resolve_regions(self.regions, self.n_jobs)
            self.device_ = resolve_device(self.device)
            self._before_training(len(images), continues)
            self._fixed_by_fit = remembered(self, "networks", "input")
            if continues:
                self._renew_net()
            else:
                with distributed.group() as processes:
                    # With random_state=None every process would draw a seed of its own.
                    self._seed = processes.broadcast(draw_seed(self.random_state))
                with Randomness(self._seed, self.device_).in_place():
                    self._adopt(self._build_model(len(classes)))
            self.validation_rows_ = division.rows
            data = self._data(division, class_weight)
        if isinstance(images, ImageSequence) and images.is_float and not continues:
            warn_of_little_use(images)
        return data

    def _measured(self, images: ImageSequence | StreamContents) -> Any:
        """Mean and standard deviation of the channels, where networks shall use them."""
        if self._image_options.normalization == "pretrained":
            return None
        if isinstance(images, StreamContents):
            raise InputError(
                'images__normalization="measured" needs images in any order, not a stream'
            )
        return measure_channels(images)

    def _adopt(self, model: nn.Module, history: Any = None) -> None:
        """Take a model as the fitted one, with a fresh optimizer."""
        # Convolutions are about a quarter faster in this layout, also on CPUs.
        self.module_: Any = model.to(self.device_).to(memory_format=torch.channels_last)
        options = self._training_options
        prepare_networks(model, options.precision, options.compile, self._grid.size)
        self.net_: SelectiveNet = new_net(self, self.module_, self._phases())
        self._trained_with = remembered(self, "training", "machine")
        if history is not None:
            self.net_.history = history
        self.history_ = self.net_.history
        self.module_.eval()

    def _renew_net(self) -> None:
        """Train on with the settings as they are now; the optimizer keeps what it knows."""
        if not changes(self, self._trained_with):
            return
        before = self.net_
        self._adopt(self.module_, before.history)
        after = self.net_.optimizer_
        had = before.optimizer_
        if type(after) is type(had) and len(after.param_groups) == len(had.param_groups):
            # What the optimizer has gathered stays; lr, weight decay and the like are new.
            now = [{k: v for k, v in g.items() if k != "params"} for g in after.param_groups]
            after.load_state_dict(had.state_dict())
            for group, own in zip(after.param_groups, now, strict=True):
                group.update(own)

    def _data(
        self, division: Division, class_weight: np.ndarray
    ) -> tuple[TrainingData | TrainingStream, TrainingData | None]:
        views = Views(self.regions_.propose_batch, self._grid, self.augment, self._n_views())
        images = division.train.images
        if views.need_originals and images.seen_channels != 3:
            raise InputError(
                f"augment={brief(self.augment)} changes hue and saturation, which images of "
                f'{images.seen_channels} channels do not have; "affine+tint" is like it'
            )
        train: TrainingData | TrainingStream
        if isinstance(images, StreamContents):
            # Images of a stream have the weight of their class.
            of_class = class_weight.astype(np.float32)
            train = TrainingStream(images, self.classes_, views, of_class, self._seed)
        else:
            train = self._data_in_rows(division.train, class_weight, views)
        if division.held_out is None:
            return train, None
        held_out = self._data_in_rows(division.held_out, class_weight, views.unchanged())
        # No two images of a training have the same number.
        held_out.first = len(train)
        return train, held_out

    def _data_in_rows(
        self, given: Labeled, class_weight: np.ndarray, views: Views
    ) -> TrainingData:
        images, regions = given.images, given.regions
        # All damaged files are named now, rather than the first one in the middle of training.
        images.check_readable(progress=self.verbose > 0)
        if callable(views.augment):
            # On two images, to find a fault before the regions of all images are proposed.
            views(images[:2], None if regions is None else regions[:2], 0, 0, np.arange(2))
        # int32 labels; random crops of the originals need regions of their own every time.
        small_enough = len(images) * prod(self._grid.size) * 4 <= REGION_MEMORY
        if regions is None and small_enough and not views.need_originals:
            regions = propose_all(self.regions_, images, self._grid)
        target = encode_labels(given.labels, self.classes_)
        weight = (given.weight * class_weight[target]).astype(np.float32)
        return TrainingData(images, target, views, regions, weight, self._seed)

    def _epochs_by_schedule(self) -> list[int]:
        """Epochs of a first ``fit``, one learning-rate schedule after the other."""
        lengths: list[int] = []
        for phase in self._phases():
            if phase.continues_schedule:
                lengths[-1] += phase.epochs
            else:
                lengths.append(phase.epochs)
        return lengths

    def _train(
        self,
        data: TrainingData | TrainingStream,
        held_out: TrainingData | None,
        schedules: Sequence[int],
        watchers: Sequence[tuple[str, Callback]] = (),
    ) -> None:
        with distributed.group() as processes:  # it stays open until the end of fit
            processes.check_same("images and labels", data.brief)
            if held_out is not None:
                processes.check_same("held-out images and labels", held_out.brief)
        # The seed is another one where training goes on from a checkpoint.
        self._seed = train(self.net_, data, held_out, self, processes, schedules, watchers)
        self.module_.eval()
        self.history_ = self.net_.history
        self.interrupted_ = self.net_.interrupted
        # A method that needs images here has refused streams: see _needs_rows_for.
        if isinstance(data, TrainingData):
            self._after_training(data)


def _pair(validation: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(validation) != 2:
        raise InputError(
            f"validation: held-out images are a pair (X, y), got a tuple of {len(validation)}"
        )
    return validation


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
