"""How an image classifier learns: ``fit`` and ``partial_fit``."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn

from p2pselect import distributed
from p2pselect._answer_kinds import ONE_CLASS
from p2pselect._settings import Role
from p2pselect._targets import find_targets
from p2pselect.estimators._calibration import CalibratedImageClassifier
from p2pselect.estimators._changes import (
    changes,
    refuse_changes,
    remembered,
    unchanged_by_errors,
)
from p2pselect.estimators._inputs import resolve_regions
from p2pselect.estimators._loss_weights import weigh
from p2pselect.estimators._progress import CallbackSupportMixin, FitTask, with_callbacks
from p2pselect.estimators._training_images import (
    Division,
    classes_of_part,
    divide,
    fill_of,
    normalization_of,
    read_labeled,
    refuse_metadata,
    training_data,
)
from p2pselect.exceptions import InputError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._meaning import SAID, ValueRange, check_same_channels, warn_of_little_use
from p2pselect.nn._image_network import prepare_networks
from p2pselect.training._callbacks import Outcome
from p2pselect.training._data import TrainingData
from p2pselect.training._isolation import (
    Randomness,
    draw_seed,
    resolve_device,
    usual_surroundings,
)
from p2pselect.training._net import SelectiveNet
from p2pselect.training._phases import Phase, epochs_by_schedule
from p2pselect.training._stream import TrainingStream
from p2pselect.training._training_run import new_net, take_over, train
from p2pselect.training._validation import needs_rows


class TrainableImageClassifier(CallbackSupportMixin, CalibratedImageClassifier):
    """How every method learns."""

    #: ``fit`` asks for groups, which a splitter has, by itself; masks are for scorers.
    __metadata_request__fit: ClassVar[dict[str, Any]] = {"groups": True, "masks": False}
    #: Whether the objective has a term for :attr:`p2pselect.training.Step.masks`.
    _learns_from_masks: ClassVar[bool] = False
    #: Whether held-out images are predicted after every epoch, to be measured.
    _measures_predictions: ClassVar[bool] = True
    #: Whether it can learn from images with several labels, as its loss is ``cross_entropy``.
    _several_labels: ClassVar[bool] = False
    #: Fitted attributes that a saved model holds besides the networks and the classes.
    _fitted: ClassVar[tuple[str, ...]] = (
        "class_counts_",
        "fill_",
        "image_shape_in_",
        "multilabel_",
        "n_channels_in_",
        "n_channels_seen_",
        "n_features_in_",
        "n_masks_seen_",
        "normalization_",
        "value_range_",
    )

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

    def _needs_rows_for(self) -> str | None:
        """What needs training images in any order; None where nothing does."""
        return "validation" if needs_rows(self.validation) else None

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
        masks: Any = None,
        **metadata: Any,
    ) -> Self:
        """Train on labeled images.

        Parameters
        ----------
        X : images
            See :func:`p2pselect.images.as_images`: arrays, paths, Pillow images, tensors, or
            the ``output="images+regions"`` of a ``SuperpixelTransformer``.  Or a
            ``torch.utils.data.Dataset`` of pairs (image, label), where a label may be a row of
            `y`; an ``IterableDataset`` is read once for its labels, and then once per epoch, in
            its own order.  Gray images, RGB
            and RGBA may change between calls, because networks see three channels.
        y : array-like of shape (n,) or (n, n_labels)
            Labels, at least two different ones; None where X has them.  A matrix of 0 and 1
            says which of several labels every image has, as that of scikit-learn's
            ``MultiLabelBinarizer`` does; the names of a data frame's columns become
            ``classes_``.
        sample_weight : array-like of shape (n,), optional
            Weight of every image in the loss, not negative.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.
        groups : array-like of shape (n,), optional
            Which images belong together, such as those of one patient: `validation` holds out
            whole groups.  Under metadata routing, ``fit`` asks for them by itself.
        masks : sequence of n, optional
            For any of the images, where the evidence for the answer may be: an array (h, w) of
            the size of the image, of a copy of it or of the model's grid, and None (or NaN) for
            images of which nothing is known.  Bool, or 0 and 1, or 0 and 255: selecting what is
            0 costs something (``mask_weight``; of P2P, ``objective__mask_weight``).  Where 2 is
            the largest number, not selecting what is 2 does, too.  A mask that allows nothing
            counts as missing.  Metadata routing needs ``set_fit_request(masks=True)``.
        **metadata
            Refused: ``fit`` learns from nothing else.

        Returns
        -------
        Self
            The estimator itself.

        Raises
        ------
        InputError
            If images, labels, weights, regions or masks cannot be used, or there is metadata;
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
        given = read_labeled(self, X, y, meaning, sample_weight, regions, groups, masks)
        classes = find_targets(given.labels, given.columns)
        if continues and not (
            np.array_equal(self.classes_, classes) and self._kind == given.kind
        ):
            raise InputError(
                "warm_start=True continues with the classes "
                f"{brief(self.classes_.tolist())}, got {brief(classes.tolist())}"
            )
        division = divide(self, given, classes, groups)
        class_weight = weigh(self.class_weight, division.train, classes)
        parts = self._start(division, classes, class_weight, continues, "networks")
        # A training that continues stays in its last phase.
        schedules = [self.max_epochs] if continues else epochs_by_schedule(self._phases())
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
        y : array-like of shape (n,) or (n, n_labels)
            Labels, as for :meth:`fit`; None where X has them.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed at the first call unless ``y`` has them.  Of
            a matrix with several labels for each image, the names of its columns.
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
        given = read_labeled(self, X, y, self._meaning(continues), sample_weight)
        first = (self._kind, self.classes_) if continues else None
        named = classes_of_part(given, classes, first)
        division = divide(self, given, named, is_part=True)
        class_weight = weigh(self.class_weight, division.train, named, is_part=True)
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
                check_same_channels(images, self)
                refuse_changes(self, *fixed)
            else:
                self.classes_ = classes
                self.multilabel_ = division.train.kind != ONE_CLASS
                self.image_shape_in_ = images.image_shape
                self.n_channels_in_ = images.stored_channels
                self.n_channels_seen_ = images.seen_channels
                self.value_range_ = images.value_range
                self.normalization_ = normalization_of(images, self)
                self.fill_ = fill_of(images, self)
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
            self.supervised_rows_ = division.taught
            before = self.n_masks_seen_ if continues else 0
            self.n_masks_seen_: int = max(before, len(self.supervised_rows_))
            self.class_counts_ = division.counts(classes)
            data = training_data(self, division, class_weight)
            self.net_.label_weight = None
            if self.multilabel_:
                weights = torch.tensor(class_weight, dtype=torch.float32)
                self.net_.label_weight = weights.to(self.device_)
        if isinstance(images, ImageSequence) and not continues:
            warn_of_little_use(images)
        return data

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
        take_over(self.net_.optimizer_, before.optimizer_)

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
