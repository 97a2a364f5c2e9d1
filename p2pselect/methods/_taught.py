"""Methods that lean on a black box: shared between methods, or trained first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.frozen import FrozenEstimator
from torch import nn

from p2pselect.exceptions import InputError, brief
from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._blackbox import BlackboxClassifier
from p2pselect.methods._teaching import blackbox_objective
from p2pselect.nn._model import SelectiveModel
from p2pselect.training._phases import Phase


class TaughtModel(SelectiveModel):
    """Selector and classifier beside a black box that has no part in predictions."""

    def __init__(self, selector: nn.Module, classifier: nn.Module, blackbox: nn.Module):
        super().__init__(selector, classifier)
        self.blackbox = blackbox


class TaughtClassifier(BaselineClassifier):
    """Base of the methods with a black box as detector, teacher or starting point.

    Parameters
    ----------
    blackbox : BlackboxClassifier, optional
        Fitted, with the classes and the classifier network of this method.  Without one,
        or with one that is not fitted (as clones are), the black box is trained as part of
        ``fit``, for ``max_epochs`` epochs of its own.  Within a ``FrozenEstimator`` of
        scikit-learn it stays fitted when this estimator is cloned.
    **shared
        As for :class:`~p2pselect.methods._base.BaselineClassifier`.
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaselineClassifier._parameter_constraints,
        "blackbox": [BlackboxClassifier, FrozenEstimator, None],
    }

    def __init__(
        self, *, blackbox: BlackboxClassifier | FrozenEstimator | None = None, **shared: Any
    ):
        super().__init__(**shared)
        self.blackbox = blackbox

    def _build_model(self, n_classes: int) -> TaughtModel:
        scorer, classifier = self._build_scorer(1), self._build_classifier(n_classes)
        return TaughtModel(scorer, classifier, self._build_classifier(n_classes))

    @property
    def _given_blackbox(self) -> BlackboxClassifier | None:
        given = self.blackbox
        if isinstance(given, FrozenEstimator):
            given = given.estimator
        return given if hasattr(given, "module_") else None

    def _blackbox_phase(self) -> Sequence[Phase]:
        """The phase that trains the black box, unless one is given."""
        if self._given_blackbox is not None:
            return []
        return [Phase("blackbox", self.max_epochs, blackbox_objective, ("blackbox",))]

    def _prepare(self, n_images: int, again: bool) -> None:
        super()._prepare(n_images, again)
        given = self._given_blackbox
        if again or given is None:
            return
        if not np.array_equal(given.classes_, self.classes_):
            raise InputError(
                f"blackbox was fitted on the classes {brief(given.classes_.tolist())}, "
                f"got y with {brief(self.classes_.tolist())}"
            )
        try:
            state = given.module_.classifier.state_dict()
            self.module_.blackbox.load_state_dict(state)
        except RuntimeError as error:
            raise InputError(
                "blackbox must have the classifier network of this method "
                f"(classifier={brief(self.classifier)}, image_size={self.image_size}): {error}"
            ) from error
