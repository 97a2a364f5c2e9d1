"""How an estimator learns: checks, labels, networks, phases."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import nn
from torch.utils.data import IterableDataset

from p2pselect import distributed
from p2pselect._labels import as_labels, encode_known, encode_labels, find_classes
from p2pselect.estimators._fixed_settings import (
    fixed_by_fit,
    refuse_changes,
    unchanged_by_errors,
)
from p2pselect.estimators._inputs import (
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
from p2pselect.estimators._networks import NetworkBuilder
from p2pselect.estimators._progress import CallbackSupportMixin, FitTask, with_callbacks
from p2pselect.exceptions import InputError, TrainingError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._torch_datasets import is_map_style, labels_of
from p2pselect.training._averaging import WeightAverage
from p2pselect.training._checkpoints import Checkpoints, checkpoint_path
from p2pselect.training._data import REGION_MEMORY, TrainingData, Views
from p2pselect.training._fitting import new_net, run_epochs
from p2pselect.training._net import SelectiveNet
from p2pselect.training._outcome import Outcome
from p2pselect.training._phases import Phase
from p2pselect.training._seeding import Randomness, draw_seed, resolve_device
from p2pselect.training._stream import StreamContents, TrainingStream
from p2pselect.training._surroundings import usual_surroundings


class TrainedEstimator(CallbackSupportMixin, NetworkBuilder):
    """``fit`` and ``partial_fit`` for whatever networks and phases a method has."""

    classes_: np.ndarray
    module_: Any
    _fixed_by_fit: dict[str, Any]
    net_: SelectiveNet

    @abstractmethod
    def _build_model(self, n_classes: int) -> nn.Module:
        """Build the networks; called once per fit, under the estimator's seed."""

    @abstractmethod
    def _phases(self) -> Sequence[Phase]:
        """Phases of training, in order."""

    def _cycles(self) -> Sequence[int]:
        """Epochs of a first ``fit``, one learning-rate schedule after the other."""
        return [self.max_epochs]

    def _check_continues(self) -> None:
        """Raise where training cannot go on with the settings as they are now."""

    def _views(self) -> Any:
        """Augmentation of the training images."""
        return self.augment

    def _after_training(self, data: TrainingData) -> None:
        """Whatever a method measures on its training images at the end."""

    def _needs_rows_for(self) -> str | None:
        """What a method does that needs training images in any order; None where nothing."""
        return "validation_fraction" if self.validation_fraction else None

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
        **metadata: Any,
    ) -> Self:
        """Train on labeled images.

        Parameters
        ----------
        X : images
            See :func:`p2pselect.images.as_images`: arrays, paths, Pillow images, tensors,
            or the ``output="images+regions"`` of a ``SuperpixelTransformer``.  Or a
            ``torch.utils.data.Dataset`` of pairs (image, label); an ``IterableDataset`` is
            read once to see its labels, and then once per epoch, in its own order.  Gray
            images, RGB and RGBA may change between calls: networks see three channels.
        y : array-like of shape (n,)
            Labels, at least two different ones; None where X has them.
        sample_weight : array-like of shape (n,), optional
            Weight of every image in the loss, not negative.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.
        **metadata
            Nothing else is learned from: object masks, for example, are for scoring.

        Returns
        -------
        self

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
        again = self.warm_start and hasattr(self, "net_")
        if again:
            self._check_continues()
        given = self._read_labeled(X, y, sample_weight, regions)
        classes = find_classes(given.labels)
        if again:
            check_channels(given.images, self)
            if not np.array_equal(self.classes_, classes):
                raise InputError(
                    "warm_start=True continues with the classes "
                    f"{brief(self.classes_.tolist())}, got {brief(classes.tolist())}"
                )
        target = encode_labels(given.labels, classes)
        class_weight = check_class_weight(self.class_weight, classes, target)
        weight = check_sample_weight(given.weight * class_weight[target], len(target))
        with unchanged_by_errors(self):
            self._start(given.images, classes, again)
            data = self._data(given, target, weight)
        cycles = [self.max_epochs] if again else self._cycles()
        task = FitTask(self, X, y, sum(cycles))
        self._train(data, cycles, [("fit_task", task), ("outcome", Outcome())])
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
        self

        Raises
        ------
        InputError
            If images, labels or weights cannot be used, if a label is none of the classes, or
            if ``class_weight="balanced"``, which has to count all images; nothing was trained.
        TrainingError
            If the loss stops being finite.
        """
        self._validate_params()
        again = hasattr(self, "net_")
        if again:
            self._check_continues()
            refuse_changes(self)
        given = self._read_labeled(X, y, sample_weight, None)
        if again:
            check_channels(given.images, self)
        if classes is not None:
            named = find_classes(as_labels(classes, "classes"), "classes")
            if again and not np.array_equal(self.classes_, named):
                raise InputError(
                    "classes must be those of the first call, "
                    f"{brief(self.classes_.tolist())}, got {brief(named.tolist())}"
                )
        else:
            named = self.classes_ if again else find_classes(given.labels)
        target = encode_known(given.labels, named)
        class_weight = check_class_weight(self.class_weight, named, None)
        # Of the classes, not of this call's images: a call of rare ones alone must count.
        class_weight = class_weight / class_weight.mean()
        weight = (given.weight * class_weight[target]).astype(np.float32)
        with unchanged_by_errors(self):
            if not again:
                self._start(given.images, named, again)
            data = self._data(given, target, weight)
        self._train(data, [1])
        return self

    def _read_labeled(self, X: Any, y: Any, sample_weight: Any, regions: Any) -> Labeled:
        """Everything that can be said of training images before their classes are known."""
        images: ImageSequence | StreamContents
        if isinstance(X, IterableDataset):
            refuse_rows(
                self._needs_rows_for(), y=y, sample_weight=sample_weight, regions=regions
            )
            images = StreamContents(X, self.channels, self._training_options.num_workers)
            maps, y = None, images.labels
        else:
            images, maps = self._read(X, regions)
        labels = as_labels(labels_of(X) if y is None and is_map_style(X) else y)
        if len(labels) != len(images):
            raise InputError(
                f"X and y must have the same length: got {len(images)} images and "
                f"{len(labels)} labels"
            )
        return Labeled(images, maps, labels, check_sample_weight(sample_weight, len(images)))

    def _start(
        self, images: ImageSequence | StreamContents, classes: np.ndarray, again: bool
    ) -> None:
        """Note what the estimator was fitted on, and have networks for it."""
        if not again:
            self.classes_ = classes
            self.image_shape_in_ = images.image_shape
            self.n_channels_in_ = images.stored_channels
            if self.image_shape is not None:
                self.n_features_in_ = int(np.prod(self.image_shape))
        self._prepare(len(images), again)

    def _read(self, X: Any, regions: Any) -> tuple[ImageSequence, np.ndarray | None]:
        return read_images(
            X,
            regions,
            channels=self.channels,
            image_shape=self.image_shape,
            image_size=self.image_size,
        )

    def _prepare(self, n_images: int, again: bool) -> None:
        """Everything that training needs besides data, unless it is there already."""
        if again:
            refuse_changes(self, "networks")
        self.regions_ = resolve_regions(self.regions, self.n_jobs)
        self.device_ = resolve_device(self.device)
        self._fixed_by_fit = fixed_by_fit(self)
        if again:
            return
        with distributed.group() as processes:
            self._seed = processes.broadcast(draw_seed(self.random_state))
        with Randomness(self._seed, self.device_).in_place():
            self._adopt(self._build_model(len(self.classes_)))

    def _data(
        self, given: Labeled, target: np.ndarray, weight: np.ndarray
    ) -> TrainingData | TrainingStream:
        images, regions = given.images, given.regions
        views = Views(self.regions_.propose_batch, self.image_size, self._views())
        if isinstance(images, StreamContents):
            # Images of a stream have the weight of their class.
            of_class = np.ones(len(self.classes_), np.float32)
            of_class[target] = weight
            return TrainingStream(images, self.classes_, views, of_class, self._seed)
        images.check_readable(progress=self.verbose > 0)
        if callable(views.augment):
            # On two images, for a fault to be found before the regions of all are proposed.
            views(images[:2], None if regions is None else regions[:2], 0, 0, np.arange(2))
        small_enough = len(images) * self.image_size**2 * 4 <= REGION_MEMORY
        if regions is None and small_enough and not views.need_originals:
            regions = propose_all(self.regions_, images, self.image_size)
        return TrainingData(images, target, views, regions, weight, self._seed)

    def _train(
        self,
        data: TrainingData | TrainingStream,
        cycles: Sequence[int],
        watchers: Sequence[tuple[str, Callback]] = (),
    ) -> None:
        with distributed.group() as processes:  # it stays open until the end of fit
            processes.check_same("images and labels", data.brief)
        end = len(self.net_.history)
        averages = []
        if (decay := self._training_options.ema_decay) is not None:
            averages.append(WeightAverage(self.module_, decay))
            watchers = [*watchers, ("weight_average", averages[0])]
        checkpoints = None
        folder = self._training_options.checkpoint_dir
        if folder is not None and not end:
            # The settings of a group are listed by themselves, the same whether it is None.
            without = {*self._names_by_role("machine"), *self._groups()}
            settings = {k: v for k, v in self.get_params().items() if k not in without}
            path = checkpoint_path(folder, type(self).__name__, settings, data)
            checkpoints = Checkpoints(path, self._seed, averages, processes)
            if checkpoints.restore(self.net_):
                cycles = ()
            self._seed = data.seed = checkpoints.seed
            watchers = [*watchers, ("checkpoints", checkpoints)]
        for epochs in cycles:
            end += epochs
            done = max(0, len(self.net_.history) - end + epochs)
            if done >= epochs:
                continue  # before it was stopped
            if checkpoints is not None:
                checkpoints.end = end
            try:
                run_epochs(self.net_, data, epochs, self, processes, watchers, done)
            except TrainingError as error:
                if checkpoints is None:
                    raise
                finished = len(self.net_.history) - 1
                raise checkpoints.named_in(error, finished) from error
            if len(self.net_.history) < end:
                break  # interrupted: what comes after builds on what was not learned
        for average in averages:
            average.take_over(self.module_)
        self.module_.eval()
        self.history_ = self.net_.history
        self.interrupted_ = self.net_.interrupted
        if isinstance(data, TrainingData):
            self._after_training(data)

    def _adopt(self, model: nn.Module, history: Any = None) -> None:
        """Take a model as the fitted one, with a fresh optimizer."""
        # Convolutions are about a quarter faster in this layout, also on CPUs.
        self.module_ = model.to(self.device_).to(memory_format=torch.channels_last)
        self._ready(self.module_)
        self.net_ = new_net(self, self.module_, self._phases())
        if history is not None:
            self.net_.history = history
        self.history_ = self.net_.history
        self.module_.eval()
