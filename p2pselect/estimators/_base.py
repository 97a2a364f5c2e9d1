"""What every method shares: labels, training, the search for tau, explanations."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from p2pselect._labels import as_true_labels
from p2pselect.estimators._fixed_settings import refuse_changes
from p2pselect.estimators._inputs import check_channels
from p2pselect.estimators._stored import StoredEstimator
from p2pselect.exceptions import InputError, brief
from p2pselect.explanations._explanation import Explanation
from p2pselect.images import as_images
from p2pselect.nn._model import RegionScores
from p2pselect.selection import SelectionRule
from p2pselect.selection._certainty_search import make_tau_grid
from p2pselect.selection._prediction_run import PredictionRun
from p2pselect.training._data import as_float_images
from p2pselect.training._surroundings import usual_surroundings


class SelectiveImageClassifier(TransformerMixin, ClassifierMixin, StoredEstimator):
    """Base of all methods: a method says how its networks are built and what they learn.

    A subclass implements two hooks, :meth:`_build_model` and :meth:`_phases`.  It overrides
    :meth:`_score` where its networks do not score regions themselves, or its classifier sees
    continuous masks, and :meth:`_selection_rule` where it does not keep "the most probable
    regions within a budget of tau".
    """

    # -- hooks ---------------------------------------------------------------------------

    def _score(self, images: Tensor, regions: Tensor) -> RegionScores:
        """Score the regions of a batch; tau has no part in it."""
        return self.module_.score(images, regions)

    def _selection_rule(self) -> SelectionRule:
        """How the fitted estimator, with its parameters as they are now, selects regions."""
        return SelectionRule(
            score=self._score,
            classify=lambda images: self.module_(images).softmax(dim=1),
            propose=self.regions_.propose_batch,
            image_size=self.image_size,
            batch_size=self.batch_size,
            device=self.device_,
            allow_empty=self._search_options.allow_empty,
            method=type(self).__name__,
        )

    def _check_tau(self, tau: float | str) -> None:
        """Raise where what was learned has no answer for this tau."""

    # -- prediction ----------------------------------------------------------------------

    @usual_surroundings()
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
        return self._run(X, regions).search().proba

    def predict(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Most probable label of every image, array of shape (n,)."""
        proba = self.predict_proba(X, regions=regions)
        return self.classes_[proba.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of the images whose class is predicted right.

        Parameters
        ----------
        X : images
        y : array-like of shape (n,)
            True labels.  A label that was not in training counts as a wrong answer.
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        float

        Raises
        ------
        InputError
            If labels are missing, of another kind than in training, or known classes in
            another spelling.
        """
        check_is_fitted(self, "net_")
        return super().score(X, as_true_labels(y, self.classes_), sample_weight)

    @usual_surroundings()
    def transform(self, X: Any, *, regions: Any = None) -> np.ndarray:
        """Kept-pixel masks on the model's grid.

        Returns
        -------
        ndarray of shape (n, image_size, image_size), bool
            True where the classifier could see the pixel; for a method that shows it
            continuous masks, True for the highest scores, up to an area of tau.
        """
        run = self._run(X, regions, keep="ranks")
        return run.pixel_masks(run.search())

    @usual_surroundings()
    def explain(
        self,
        X: Any,
        *,
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
        max_kept: float | None = None,
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
        max_kept : float in (0, 1], optional
            Most of an image that may be shown: the answer is the first one that is certain
            within this fraction of the pixels, or else the most certain one; choosing that
            one takes a look at all the masks that fit.  Without ``allow_empty`` one region
            is shown even where it is larger.  Methods whose classifier sees continuous masks
            refuse it: they cannot bound what is seen.
        regions : array-like of shape (n, h, w), optional
            Label maps to use instead of proposing regions.

        Returns
        -------
        Explanation

        Raises
        ------
        InputError
            If an option is out of range, or is one that this model cannot answer.
        """
        run = self._run(
            X,
            regions,
            keep="all",
            certainty_threshold=certainty_threshold,
            tau=tau,
            max_kept=max_kept,
        )
        return run.explain(self.classes_)

    @usual_surroundings()
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
        refuse_changes(self)
        images = as_images(masked_images)
        proba = np.empty((len(images), len(self.classes_)), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = images.batch(slice(start, start + self.batch_size), self.image_size)
            shown = as_float_images(torch.from_numpy(batch).to(self.device_))
            with torch.inference_mode():
                out = self.module_(shown).softmax(dim=1)
            proba[start : start + self.batch_size] = out.cpu().numpy()
        return proba

    def _predict_views(self, images: np.ndarray, regions: np.ndarray) -> np.ndarray:
        """Class probabilities of a training batch (b, h, w, 3), for callbacks that score."""
        grid = self._tau_grid(self.tau)
        threshold = float(self.certainty_threshold)
        rule = self._selection_rule()
        return PredictionRun(rule, as_images(images), regions, grid, threshold).search().proba

    def _tau_grid(self, tau: float | str) -> np.ndarray:
        if isinstance(tau, str):
            search = self._search_options
            return make_tau_grid(search.tau_min, search.tau_step)
        return np.array([tau])

    def _run(
        self,
        X: Any,
        regions: Any = None,
        *,
        keep: str = "nothing",
        certainty_threshold: float | None = None,
        tau: float | str | None = None,
        max_kept: float | None = None,
    ) -> PredictionRun:
        check_is_fitted(self, "net_")
        refuse_changes(self)
        images, given = self._read(X, regions)
        check_channels(images, self)
        tau = _in_unit_interval("tau", self.tau if tau is None else tau, "dynamic")
        self._check_tau(tau)
        threshold = _in_unit_interval(
            "certainty_threshold",
            self.certainty_threshold if certainty_threshold is None else certainty_threshold,
        )
        grid = self._tau_grid(tau)
        if max_kept is not None:
            max_kept = float(_in_unit_interval("max_kept", max_kept))
        return PredictionRun(
            self._selection_rule(),
            images,
            given,
            grid,
            float(threshold),
            keep,
            max_kept,
            is_shared=True,
        )

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.input_tags.three_d_array = True
        # transform gives bool masks, whatever the type of the images.
        tags.transformer_tags.preserves_dtype = []
        tags.non_deterministic = False
        return tags


def _in_unit_interval(name: str, value: Any, *words: str) -> Any:
    number = isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) <= 1
    if not (number or (isinstance(value, str) and value in words)):
        allowed = " or ".join([*map(repr, words), "a number in (0, 1]"])
        raise InputError(f"{name} must be {allowed}, got {brief(value)}")
    return value
