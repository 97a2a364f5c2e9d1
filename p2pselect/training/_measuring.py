"""What a training measures on held-out images, and predictions that callbacks score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from skorch import NeuralNet
from skorch.callbacks import PassthroughScoring
from torch import Tensor

from p2pselect._answer_kinds import ONE_CLASS, AnswerKind
from p2pselect.training._callbacks import scores_predictions
from p2pselect.training._phases import phase_at, set_training
from p2pselect.training._shares import Batch, split

#: The search over held-out images tries one in this many values of tau: with every value, a
#: search that ends at tau = 1 for most images takes a quarter of the time of training.
SEARCH_STRIDE = 4


class MeasuredNet(ClassifierMixin, NeuralNet):
    """The part of :class:`SelectiveNet` that looks at predictions."""

    #: Maps images (b, h, w, c), their regions and the stride of the search to class
    #: probabilities (b, n_classes), and the fraction of each image that is kept (b,).
    predictor: Callable[[np.ndarray, np.ndarray, int], Any] | None = None
    #: What predictions are.
    kind: AnswerKind = ONE_CLASS
    #: Whether predictions for held-out images are made, to be measured.
    measures_predictions = True

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        accuracy = PassthroughScoring("valid_acc", lower_is_better=False)
        return [*super()._default_callbacks, ("valid_acc", accuracy)]

    def validation_step(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Terms of the loss on held-out images, without gradients, in eval mode.

        Schedules are at their end and random numbers are the same every time, so that one epoch
        can be compared with another.  While there are phases to come, the loss is infinite, as
        none of these epochs is the best one, and there is no prediction to measure.
        """
        self.module_.eval()
        (part,) = split(batch, self.group)
        with self.randomness.in_place(), torch.no_grad():
            losses, terms = self._losses(part, progress=1.0)
        is_measured = self.measures_predictions and self.is_in_last_phase
        is_scored, proba = self._is_scored(training=False), None
        if self.predictor is not None and (is_measured or is_scored):
            proba, kept = self._predict(batch, 1 if is_scored else SEARCH_STRIDE)
            if is_measured:
                answers = self.kind.answers(proba.numpy())
                right = torch.tensor(self.kind.right(answers, batch[1].numpy())).float().mean()
                terms |= {"acc": right.to(self.device), "kept": kept.mean().to(self.device)}
        loss, terms = part.add_up(losses, terms)
        set_training(self.module_, phase_at(self.phases, self.epoch)[0])
        if not self.is_in_last_phase:
            loss = torch.full_like(loss, torch.inf)
        step = {"loss": loss, "y_pred": loss, "terms": terms}
        if is_scored and proba is not None:
            self._add_predictions(step, batch, proba)
        return step

    def _is_scored(self, training: bool) -> bool:
        """Whether a callback scores the predictions of training or held-out images."""
        return any(scores_predictions(callback, training) for _, callback in self.callbacks_)

    def _predict(self, batch: Batch, stride: int) -> tuple[Tensor, Tensor]:
        """Class probabilities and kept fractions, as a user would get them now."""
        assert self.predictor is not None
        images, regions = (batch[0][name].numpy() for name in ("images", "regions"))
        self.module_.eval()
        proba, kept = self.predictor(images, regions, stride)
        set_training(self.module_, phase_at(self.phases, self.epoch)[0])
        return torch.from_numpy(proba), torch.from_numpy(kept)

    def _add_predictions(self, step: dict[str, Any], batch: Batch, proba: Tensor) -> None:
        """Give callbacks that score predictions those of a whole batch."""
        target = batch[1]
        if len(target) < batch[0]["batch_size"][0]:
            # All processes have to find the same score.
            probas, targets = zip(*self.group.gather((proba, target)), strict=True)
            proba, target = torch.cat(probas), torch.cat(targets)
        step["y_pred"], step["scored_target"] = proba, target

    def predict(self, X: Any) -> np.ndarray:
        """Class numbers, for scorers; skorch has cached the predictions of the epoch."""
        return self.kind.answers(self.predict_proba(X))
