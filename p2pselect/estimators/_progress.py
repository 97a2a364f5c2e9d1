"""A fit as scikit-learn's callbacks see it: a task, with an epoch as its subtask."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback

from p2pselect.training._callbacks import StopTraining

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks, and nobody can set any

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing to support."""

    def with_callbacks(method: Any) -> Any:
        """The method itself."""
        return method


__all__ = ["CallbackSupportMixin", "FitTask", "with_callbacks"]


class FitTask(Callback):
    """Tells the callbacks of an estimator about its fit, and about each of its epochs."""

    def __init__(self, estimator: Any, X: Any, y: Any, epochs: int):
        self.estimator = estimator
        self.given = {"estimator": estimator, "X": X, "y": y}
        self.context = None
        if hasattr(estimator, "_init_callback_context"):
            self.context = estimator._init_callback_context(max_subtasks=epochs)
            self.context.call_on_fit_task_begin(**self.given)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if self.context is not None:
            self.epoch_ = self.context.subcontext(task_name="epoch")
            self.epoch_.call_on_fit_task_begin(**self.given)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.context is not None and self._end(self.epoch_):
            raise StopTraining

    def end(self) -> None:
        """The fit is over."""
        if self.context is not None:
            self._end(self.context)

    def _end(self, context: Any) -> bool:
        # Callbacks may predict; the next epoch puts the networks back into training mode.
        fitted = {"module_": self.estimator.module_.eval()}
        return context.call_on_fit_task_end(**self.given, reconstruction_attributes=fitted)
