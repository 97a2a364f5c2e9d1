"""scikit-learn's callbacks: a fit is a task, an epoch its subtask."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from p2pselect import P2PClassifier, presets

callback = pytest.importorskip(
    "sklearn.callback", reason="scikit-learn before 1.9 has no callbacks"
)


class Log:
    """Writes down the tasks, and what the estimator predicts at their ends."""

    def __init__(self, stop_after=None):
        self.events, self.proba, self.stop_after = [], [], stop_after

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, fitted_estimator=None):
        self.events.append(f"end {context.task_name} {context.task_id}")
        self.proba.append(fitted_estimator.predict_proba(X))
        return context.task_name == "epoch" and context.task_id == self.stop_after


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (12, 32, 32, 3), dtype=np.uint8), np.arange(12) % 2


@pytest.fixture
def clf():
    own = {"image_size": 32, "max_epochs": 2, "objective__warmup_epochs": 1, "batch_size": 4}
    return P2PClassifier().set_params(**{**presets.SMALL, **own, "random_state": 0})


def test_callbacks_see_every_epoch_and_change_nothing(clf, data):
    X, y = data
    expected = clf.fit(X, y).predict_proba(X)
    log = Log()
    clf.set_callbacks(log).fit(X, y)
    assert log.events == [
        "setup",
        "begin fit 0",
        *(f"{what} epoch {i}" for i in (0, 1) for what in ("begin", "end")),
        "end fit 0",
        "teardown",
    ]
    np.testing.assert_array_equal(log.proba[-1], expected)
    np.testing.assert_array_equal(log.proba[-2], expected)
    assert np.abs(log.proba[0] - expected).max() > 0


def test_a_callback_stops_the_fit(clf, data):
    X, y = data
    with pytest.warns(UserWarning, match="after 1 full epochs"):
        clf.set_callbacks(Log(stop_after=0)).fit(X, y)
    assert len(clf.history_) == 1


def test_a_search_passes_its_callbacks_down_to_the_epochs(clf, data):
    class Propagated(Log):
        max_propagation_depth = None

        def on_fit_task_end(self, estimator, context):
            self.events.append(f"end {context.task_name} {context.task_id}")

    log = Propagated()
    search = GridSearchCV(clf, {"lr": [1e-3]}, cv=2).set_callbacks(log)
    search.fit(*data)
    # Two folds and the refit, of two epochs each.
    assert sum(event.startswith("end epoch") for event in log.events) == 6
