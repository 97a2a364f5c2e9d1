"""One pass of explanations over a set of images, and everything scorers ask of it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.pipeline import Pipeline

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._targets import true_targets
from p2pselect.exceptions import HOW_TO_ROUTE, InputError
from p2pselect.metrics._object_masks import masks_on_grid
from p2pselect.metrics._perturbed_images import CachedPredictProba


class ExplainedImages:
    """Images as a fitted estimator explains them, computed once and only when asked for.

    `masks` and `valid` of any size are brought to the model's grid; `asked_by` is what error
    messages call the scorer.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any = None,
        masks: Any = None,
        valid: Any = None,
        *,
        asked_by: str,
    ) -> None:
        self._estimator = estimator
        self._X = X
        self._given = {"y": y, "masks": masks, "valid": valid}
        self._asked_by = asked_by

    def require(self, needs: tuple[str, ...]) -> dict[str, Any]:
        """Keyword arguments of a score function that needs these."""
        # What is missing should show before the images are explained.
        if "masks" in needs and self._given["masks"] is None:
            routing = sklearn.get_config()["enable_metadata_routing"]
            off = "" if routing else "metadata routing is switched off, so none arrived; "
            raise InputError(
                f"{self._asked_by} needs masks, one object mask per image; {off}"
                f"write\n  {HOW_TO_ROUTE}"
            )
        if "y" in needs and self._given["y"] is None:
            raise InputError(f"{self._asked_by} needs y, the labels of the images; got None")
        for name, values in self._given.items():
            if name in needs and values is not None and len(values) != len(self._X):
                raise InputError(
                    f"{name} must have one entry per image: {self._asked_by} got "
                    f"{len(values)} for {len(self._X)} images"
                )
        return {name: getattr(self, name) for name in needs}

    @cached_property
    def _explainer(self) -> tuple[Any, Any]:
        return find_explainer(self._estimator, self._X, asked_by=self._asked_by)

    @cached_property
    def explanation(self) -> ExplanationArrays:
        """What the estimator shows of the images and predicts from it."""
        estimator, X = self._explainer
        return estimator.explain(X)

    @cached_property
    def predict_proba(self) -> CachedPredictProba:
        """Class probabilities of masked images, each computed once for all scorers."""
        estimator, _ = self._explainer
        if not hasattr(estimator, "predict_proba_masked"):
            raise InputError(
                f"{self._asked_by} needs an estimator with predict_proba_masked(images); "
                f"{type(estimator).__name__} does not predict from masked images"
            )
        return CachedPredictProba(estimator.predict_proba_masked)

    @cached_property
    def masks(self) -> np.ndarray:
        """Object masks on the model's grid, bool array of shape (n, h, w)."""
        masks = self._on_grid("masks")
        # One image without an object is left out of the mean; no object at all is a mistake.
        if not masks.any():
            raise InputError(
                f"masks has no object pixel in any of the {len(masks)} images; a mask is "
                "True (or not 0) where the object is"
            )
        return masks

    @cached_property
    def valid(self) -> np.ndarray | None:
        """Where the ground truth is known, on the model's grid; never on padding."""
        if self._given["valid"] is not None:
            return self._on_grid("valid")
        inside = self.explanation.regions >= 0
        return None if inside.all() else inside

    @cached_property
    def y(self) -> np.ndarray:
        """Labels, array of shape (n,) or (n, n_labels)."""
        return true_targets(self._given["y"], self.explanation.classes, self.explanation._kind)

    @cached_property
    def answers(self) -> BaseEstimator:
        """A classifier that knows the predictions already, for scikit-learn's own scorers."""
        return _KnownAnswers(self.explanation)

    def _on_grid(self, name: str) -> np.ndarray:
        return masks_on_grid(self._given[name], self.explanation, name=name)


def find_explainer(estimator: Any, X: Any, *, asked_by: str) -> tuple[Any, Any]:
    """The estimator that explains, inside a pipeline or search, and the images it is given."""
    # A search may hold a pipeline, and a pipeline may end in a search.
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            # With one step alone, there is nothing in front of it that could transform.
            if len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            break
    if not hasattr(estimator, "explain"):
        raise InputError(
            f"{asked_by} needs an estimator with explain(X), such as P2PClassifier, "
            "a Pipeline that ends in one, or a fitted search over one; "
            f"got {type(estimator).__name__}"
        )
    return estimator, X


def check_true_labels(explanation: ExplanationArrays, y: Any) -> np.ndarray:
    """One true label per image, in a form that can be compared with the classes."""
    truth = true_targets(y, explanation.classes, explanation._kind)
    if len(truth) != len(explanation):
        raise InputError(
            f"y must have one label per image: got {len(truth)} labels for "
            f"{len(explanation)} images"
        )
    return truth


class _KnownAnswers(ClassifierMixin, BaseEstimator):
    """Predicts what an explanation says, whatever the images."""

    def __init__(self, explanation: ExplanationArrays) -> None:
        self.explanation = explanation
        # Also what scikit-learn takes as the sign that an estimator is fitted.
        self.classes_ = explanation.classes

    def predict(self, X: Any) -> np.ndarray:
        return self.explanation.predicted

    def predict_proba(self, X: Any) -> np.ndarray:
        return self.explanation.proba
