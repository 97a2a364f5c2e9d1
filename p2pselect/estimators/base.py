"""What every method shares: labels, training, the search for tau, explanations."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import compute_sample_weight
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from p2pselect.estimators.inputs import (
    check_sample_weight,
    encode_labels,
    read_images,
    resolve_regions,
)
from p2pselect.estimators.selection import Selections, explain_selections
from p2pselect.exceptions import InputError
from p2pselect.explanation import Explanation
from p2pselect.images import ImageSequence, as_images
from p2pselect.nn.model import RegionScores
from p2pselect.thresholding import budget_counts, make_tau_grid
from p2pselect.training.data import REGION_MEMORY, TrainingData, as_float_images
from p2pselect.training.fitting import new_net, run_epochs
from p2pselect.training.optim import LR_SCHEDULES, OPTIMIZERS
from p2pselect.training.phases import Phase
from p2pselect.training.seeding import draw_seed, isolated_rng, resolve_device


class SelectiveImageClassifier(TransformerMixin, ClassifierMixin, BaseEstimator):
    """Base of all methods: a method says how its networks are built and what they learn.

    A subclass gives three hooks: :meth:`_build_model`, :meth:`_phases` and, where its
    masks are not "the most probable regions within tau's budget", :meth:`_mask_counts`.
    """

    _parameter_constraints: ClassVar[dict] = {
        "selector": [str, callable],
        "classifier": [str, callable],
        "regions": [str, callable, HasMethods(["fit", "transform"])],
        "image_size": [Interval(Integral, 1, None, closed="left")],
        "pretrained": ["boolean", str, dict, HasMethods(["__fspath__"])],
        "selector_options": [dict, None],
        "classifier_options": [dict, None],
        "tau": [StrOptions({"dynamic"}), Interval(Real, 0, 1, closed="right")],
        "certainty_threshold": [Interval(Real, 0, 1, closed="right")],
        "tau_min": [Interval(Real, 0, 1, closed="neither")],
        "tau_step": [Interval(Real, 0, 1, closed="neither")],
        "allow_empty": ["boolean"],
        "max_epochs": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
        "lr_schedule": [StrOptions(set(LR_SCHEDULES))],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "augment": [str, callable, None],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "callbacks": [list, None],
        "channels": [StrOptions({"first", "last"})],
        "image_shape": [tuple, None],
        "warm_start": ["boolean"],
        "device": [str, torch.device],
        "num_workers": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # -- hooks ---------------------------------------------------------------------------

    @abstractmethod
    def _build_model(self, n_classes: int) -> nn.Module:
        """Build the networks; called once per fit, under the estimator's seed."""

    @abstractmethod
    def _phases(self) -> Sequence[Phase]:
        """Phases of training, in order."""

    def _score(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Score the regions of a batch; tau has no part in it."""
        return self.module_.score(images, regions)

    def _tau_offsets(self, tau_grid: np.ndarray) -> Tensor:
        """What every tau of the grid adds to the selection logits, shape (t,)."""
        return torch.zeros(len(tau_grid), device=self.device_)

    def _mask_counts(
        self, logits: Tensor, areas: Tensor, offsets: Tensor, tau_grid: np.ndarray
    ) -> Tensor:
        """Regions kept at every tau, (n, t), given logits and areas in ranking order."""
        return budget_counts(areas, tau_grid)

    # -- training ------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, regions: Any = None) -> Self:
        """Train on labelled images.

        Parameters
        ----------
        X : images
            See :func:`p2pselect.images.as_images`: arrays, paths, Pillow images, tensors,
            or the ``output="images+regions"`` of a ``SuperpixelTransformer``.
        y : array-like of shape (n,)
            Labels, at least two different ones.
        sample_weight : array-like of shape (n,), optional
            Weight of every image in the loss, not negative.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.

        Returns
        -------
        self

        Raises
        ------
        InputError
            If images, labels, weights or regions cannot be used; nothing was trained.
        TrainingError
            If the loss stops being finite.
        """
        self._validate_params()
        images, given = self._read(X, regions)
        encoder, target = encode_labels(y, len(images))
        weight = check_sample_weight(sample_weight, len(images))
        if self.class_weight is not None:
            labels = encoder.classes_[target]
            weight = check_sample_weight(
                weight * compute_sample_weight(self.class_weight, labels), len(images)
            )
        again = self.warm_start and hasattr(self, "net_")
        if again and not np.array_equal(self.classes_, encoder.classes_):
            raise InputError(
                f"warm_start=True continues with the classes {self.classes_.tolist()}, "
                f"got {encoder.classes_.tolist()}"
            )
        self.classes_ = encoder.classes_
        self.image_shape_in_ = images.image_shape
        self.n_channels_in_ = images.n_channels
        if self.image_shape is not None:
            self.n_features_in_ = int(np.prod(self.image_shape))
        self._prepare(images, again)
        self._train(images, target, weight, given, self.max_epochs)
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, *, sample_weight: Any = None
    ) -> Self:
        """Train for one epoch on these images, from where the last call stopped.

        Parameters
        ----------
        X : images
        y : array-like of shape (n,)
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed at the first call unless ``y`` has them.
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        self
        """
        self._validate_params()
        images, given = self._read(X, None)
        if not hasattr(self, "net_"):
            known = np.concatenate([np.asarray(y), [] if classes is None else classes])
            encoder, _ = encode_labels(known.astype(np.asarray(y).dtype), len(known))
            self.classes_ = encoder.classes_
            self.image_shape_in_ = images.image_shape
            self.n_channels_in_ = images.n_channels
            self._prepare(images, again=False)
        labels = np.asarray(y)
        if len(labels) != len(images):
            raise InputError(
                f"X and y must have the same length: got {len(images)} images and "
                f"{len(labels)} labels"
            )
        target = np.searchsorted(self.classes_, labels)
        known_label = self.classes_[np.minimum(target, len(self.classes_) - 1)] == labels
        if not known_label.all():
            raise InputError(
                f"y has labels that the first call did not name: "
                f"{sorted(set(labels[~known_label].tolist()))[:5]}; "
                "pass classes= to the first call"
            )
        weight = check_sample_weight(sample_weight, len(images))
        self._train(images, target.astype(np.int64), weight, given, 1)
        return self

    def _read(self, X: Any, regions: Any) -> tuple[ImageSequence, np.ndarray | None]:
        return read_images(
            X,
            regions,
            channels=self.channels,
            image_shape=self.image_shape,
            image_size=self.image_size,
        )

    def _prepare(self, images: ImageSequence, again: bool) -> None:
        """Everything that training needs besides data, unless it is there already."""
        self.regions_ = resolve_regions(self.regions, self.n_jobs)
        self.device_ = resolve_device(self.device)
        if again:
            return
        self._seed = draw_seed(self.random_state)
        with isolated_rng(self._seed, self.device_):
            self.module_ = self._build_model(len(self.classes_)).to(self.device_)
            self.net_ = new_net(self, self.module_, self._phases())
        self.history_ = self.net_.history

    def _train(
        self,
        images: ImageSequence,
        target: np.ndarray,
        weight: np.ndarray,
        regions: np.ndarray | None,
        epochs: int,
    ) -> None:
        small_enough = len(images) * self.image_size**2 * 4 <= REGION_MEMORY
        own_size = self.augment != "paper" if isinstance(self.augment, str) else True
        if regions is None and small_enough and own_size:
            regions = self._propose_all(images)
        data = TrainingData(
            images,
            target,
            self.regions_.propose_batch,
            self.image_size,
            regions,
            self.augment,
            weight,
            self._seed,
        )
        # A fit that continues must not repeat the random numbers of the one before.
        with isolated_rng(self._seed + 1 + len(self.net_.history), self.device_):
            run_epochs(self.net_, data, epochs, self)
        self.module_.eval()
        self.history_ = self.net_.history

    def _propose_all(self, images: ImageSequence) -> np.ndarray:
        size, step = self.image_size, 256
        regions = np.empty((len(images), size, size), np.int32)
        for start in range(0, len(images), step):
            batch = images.batch(slice(start, start + step), size)
            regions[start : start + step] = self.regions_.propose_batch(batch)
        return regions

    # -- prediction ----------------------------------------------------------------------

    def predict_proba(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Class probabilities, predicted from the kept regions alone.

        Parameters
        ----------
        X : images
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            Rows sum to 1; columns follow ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            Before ``fit``.
        InputError
            If the images cannot be used, or have another number of channels.
        """
        return self._select(X, regions).search().proba

    def predict(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Most probable label of every image, array of shape (n,)."""
        proba = self.predict_proba(X, regions=regions)
        return self.classes_[proba.argmax(axis=1)]

    def transform(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Kept-pixel masks on the model's grid.

        Returns
        -------
        ndarray of shape (n, image_size, image_size), bool
            True where the classifier could see the pixel.
        """
        selections = self._select(X, regions, keep="ranks")
        return selections.pixel_masks(selections.search())

    def explain(
        self,
        X: Any,
        *,
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
        regions: Any = None,
    ) -> Explanation:
        """Select, predict, and tell what was shown.

        Parameters
        ----------
        X : images
        certainty_threshold : float in (0, 1], optional
            Instead of the estimator's own.
        tau : "dynamic" or float in (0, 1], optional
            Instead of the estimator's own.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.

        Returns
        -------
        Explanation
        """
        selections = self._select(
            X, regions, keep="all", certainty_threshold=certainty_threshold, tau=tau
        )
        return explain_selections(self, selections, selections.search(keep_path=True))

    def predict_proba_masked(self, masked_images: Any) -> np.ndarray:
        """Class probabilities of images that are masked already: no selection takes place.

        Parameters
        ----------
        masked_images : ndarray of shape (n, image_size, image_size, 3)
            uint8, or float in [0, 1]; removed pixels black.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
        """
        check_is_fitted(self, "net_")
        images = as_images(masked_images)
        proba = np.empty((len(images), len(self.classes_)), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = images.batch(slice(start, start + self.batch_size), self.image_size)
            shown = as_float_images(torch.from_numpy(batch), self.device_)
            with torch.inference_mode():
                out = self.module_(shown).softmax(dim=1)
            proba[start : start + self.batch_size] = out.cpu().numpy()
        return proba

    def _select(
        self,
        X: Any,
        regions: Any = None,
        *,
        keep: str = "nothing",
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
    ) -> Selections:
        check_is_fitted(self, "net_")
        images, given = self._read(X, regions)
        if images.n_channels != self.n_channels_in_:
            raise InputError(
                f"X has {images.n_channels} channels, but {type(self).__name__} was fitted "
                f"on images of {self.n_channels_in_}"
            )
        tau = _in_unit_interval("tau", self.tau if tau is None else tau, "dynamic")
        threshold = _in_unit_interval(
            "certainty_threshold",
            self.certainty_threshold if certainty_threshold is None else certainty_threshold,
        )
        dynamic = isinstance(tau, str)
        grid = make_tau_grid(self.tau_min, self.tau_step) if dynamic else np.array([tau])
        return Selections(self, images, given, grid, float(threshold), keep)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        tags.non_deterministic = False
        return tags


def _in_unit_interval(name: str, value: Any, *words: str) -> Any:
    number = isinstance(value, Real) and not isinstance(value, bool) and 0 < value <= 1
    if not (number or (isinstance(value, str) and value in words)):
        allowed = " or ".join([*map(repr, words), "a number in (0, 1]"])
        raise InputError(f"{name} must be {allowed}, got {value!r}")
    return value
