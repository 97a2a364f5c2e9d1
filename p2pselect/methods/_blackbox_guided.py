"""Methods with a black box as detector, teacher or starting point: given, or trained first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from torch import Tensor, nn

from p2pselect.estimators import setting
from p2pselect.exceptions import InputError, brief
from p2pselect.methods._base import BaselineClassifier
from p2pselect.methods._blackbox import BlackboxClassifier
from p2pselect.nn import SelectiveModel
from p2pselect.training import Phase, Step

#: Largest difference of probabilities that may be due to rounding.
_ROUNDING = 1e-6


def blackbox_objective(step: Step) -> dict[str, Tensor]:
    """Cross-entropy of the sub-module ``blackbox`` on whole images."""
    logits = step.model.blackbox(step.images)
    return {"cross_entropy": step.cross_entropy(logits)}


def copy_blackbox(model: Any, data: Any) -> None:
    """Start the classifier from the black box."""
    model.classifier.load_state_dict(model.blackbox.state_dict())


def teacher_logits(teacher: nn.Module, images: Tensor) -> Tensor:
    """Logits of a frozen network, without a gradient."""
    with torch.no_grad():
        return teacher(images)


def kl_to_teacher(target_logits: Tensor, logits: Tensor) -> Tensor:
    r"""Kullback-Leibler divergence :math:`KL(g \,\|\, f)` from a teacher's softmax, (n,)."""
    log_teacher = target_logits.log_softmax(dim=1)
    return (log_teacher.exp() * (log_teacher - logits.log_softmax(dim=1))).sum(dim=1)


def l1_distance(logits: Tensor, other_logits: Tensor) -> Tensor:
    """Sum over classes of the absolute differences of probabilities, in [0, 2], shape (n,).

    Differences within rounding count as 0: their gradient would be as large as that of any
    other difference, in a meaningless direction.
    """
    apart = (logits.softmax(dim=1) - other_logits.softmax(dim=1)).abs()
    return torch.where(apart > _ROUNDING, apart, 0.0).sum(dim=1)


class BlackboxGuidedModel(SelectiveModel):
    """Selector and classifier beside a black box that has no part in predictions."""

    def __init__(self, selector: nn.Module, classifier: nn.Module, blackbox: nn.Module):
        super().__init__(selector, classifier)
        self.blackbox = blackbox


class BlackboxGuidedClassifier(BaselineClassifier):
    """Base of the methods with a black box as detector, teacher or starting point.

    Parameters
    ----------
    {parameters}

    Examples
    --------
    >>> class GuidedClassifier(BlackboxGuidedClassifier):
    ...     "The black box is trained first, or given."
    >>> GuidedClassifier(blackbox=BlackboxClassifier()).get_params()["blackbox"]
    BlackboxClassifier()
    """

    blackbox: BlackboxClassifier | FrozenEstimator | None = setting(
        "Fitted, with the classes and the classifier network of this method.  Without "
        "one, or with one that is not fitted (as in clones), the black box is trained "
        "as the first part of ``fit``, for ``max_epochs`` epochs of its own.  Inside a "
        "``FrozenEstimator`` of scikit-learn it stays fitted when this estimator is "
        "cloned.",
        BlackboxClassifier,
        FrozenEstimator,
        default=None,
        role="networks",
        saved=False,  # its weights are saved with the networks
    )

    def _build_selector(self) -> nn.Module:
        """The selector, which comes first in the order of random numbers."""
        return self._build_scorer(1)

    def _build_model(self, n_classes: int) -> BlackboxGuidedModel:
        selector, classifier = self._build_selector(), self._build_classifier(n_classes)
        model = BlackboxGuidedModel(selector, classifier, self._build_classifier(n_classes))
        self._copy_given_blackbox(model)
        return model

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

    def _copy_given_blackbox(self, model: BlackboxGuidedModel) -> None:
        given = self._given_blackbox
        if given is None:
            return
        if not (given._kind == self._kind and np.array_equal(given.classes_, self.classes_)):
            raise InputError(
                f"blackbox was fitted on the classes {brief(given.classes_.tolist())}, "
                f"got y with {brief(self.classes_.tolist())}"
            )
        try:
            model.blackbox.load_state_dict(given.module_.classifier.state_dict())
        except RuntimeError as error:
            raise InputError(
                "blackbox must have the classifier network of this method "
                f"(classifier={brief(self.classifier)}, image_size={self.image_size}): {error}"
            ) from error
