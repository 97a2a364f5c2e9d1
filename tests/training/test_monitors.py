"""Callbacks compare epochs that can be compared; an interrupt is told from a stop."""

import signal
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    LRScheduler,
    PrintLog,
)

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.methods import RealXClassifier
from p2pselect.methods._p2p_objective import P2PObjective
from p2pselect.training._callbacks import check_callbacks, compares_epochs
from p2pselect.training._checkpoints import Checkpoints

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=9),
    "max_epochs": 6,
    "objective__warmup_epochs": 3,
    "batch_size": 8,
    "validation": 0.25,
    "random_state": 0,
}
#: Stops at the second epoch that it hears of: no improvement is large enough.
SOON = EarlyStopping(patience=1, threshold=10.0)


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(12, image_size=32, random_state=0)
    return made.images, made.target % 2


def fitted(scenes, *callbacks, **changes):
    settings = {**SETTINGS, "training__callbacks": list(callbacks), **changes}
    return P2PClassifier().set_params(**settings).fit(*scenes)


def phases_of(clf):
    return [row["phase"] for row in clf.history_]


@pytest.mark.parametrize(
    "entry, match",
    [
        (EarlyStopping(), "EarlyStopping monitors 'valid_loss'.*set validation"),
        (EarlyStopping, "EarlyStopping monitors 'valid_loss'"),
        (("mine", Checkpoint()), "Checkpoint monitors 'valid_loss_best'"),
        (LRScheduler("ReduceLROnPlateau", monitor="valid_loss"), "LRScheduler monitors"),
        (
            EpochScoring("accuracy"),
            "EpochScoring scores held-out images, but no images are held out",
        ),
        (BatchScoring("accuracy"), "BatchScoring scores held-out images"),
        ("EarlyStopping", "must be a list of skorch callbacks"),
        (print, "must be a list of skorch callbacks"),
    ],
)
def test_callbacks_that_can_only_fail_are_refused_before_training(scenes, entry, match):
    clf = P2PClassifier().set_params(
        **{**SETTINGS, "training__callbacks": [entry], "validation": None}
    )
    for fit in (clf.fit, clf.partial_fit):
        with pytest.raises(InputError, match=match):
            fit(*scenes)
    assert not hasattr(clf, "module_")


@pytest.mark.parametrize(
    "entry",
    [
        EarlyStopping(monitor="train_loss"),
        Checkpoint(monitor=None),
        LRScheduler("StepLR", step_size=1),
        LRScheduler("ReduceLROnPlateau"),
        ("named", PrintLog()),
        PrintLog,
        EpochScoring("accuracy", on_train=True),
    ],
)
def test_callbacks_without_held_out_images(entry):
    check_callbacks([entry], False)


def test_which_callbacks_compare_epochs():
    compare = [EarlyStopping(), Checkpoint(), LRScheduler("ReduceLROnPlateau")]
    compare.append(LRScheduler(torch.optim.lr_scheduler.ReduceLROnPlateau))
    others = [Checkpoint(monitor=None), LRScheduler("StepLR", step_size=1), PrintLog()]
    assert all(map(compares_epochs, compare))
    assert not any(map(compares_epochs, [*others, Freezer("selector")]))


def test_early_stopping_waits_for_the_last_phase(scenes):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "training was", P2PSelectWarning)
        clf = fitted(scenes, SOON)
    assert phases_of(clf) == ["warmup"] * 3 + ["joint"] * 2
    assert clf.interrupted_ is False
    own = {**SETTINGS, "training__callbacks": [SOON], "max_epochs": 3}
    real_x = presets.settings_for(RealXClassifier, own)
    stopped = RealXClassifier(**real_x).fit(*scenes)
    assert phases_of(stopped) == ["classifier"] * 3 + ["selector"] * 2


def test_early_stopping_where_all_epochs_are_warmup(scenes):
    best = EarlyStopping(patience=1, threshold=10.0, load_best=True)
    assert len(fitted(scenes, best, objective__warmup_epochs=6).history_) == 2


def test_the_best_epoch_is_one_of_the_last_phase(scenes, tmp_path):
    class Worse(Callback):
        """Makes held-out images look worse from epoch to epoch."""

        def on_epoch_end(self, net, **kwargs):
            net.history.record("valid_loss", float(len(net.history)))

    best = EarlyStopping(patience=9, load_best=True)
    clf = fitted(scenes, Worse(), best, Checkpoint(dirname=str(tmp_path), load_best=True))
    assert best.best_epoch_ == 4
    # Flags of the best epoch start again with the phase, and only its epochs are written.
    flags = clf.history_[:, ("train_loss_best", "valid_loss_best")]
    assert flags[0] == (True, False) and flags[3] == (True, True)
    assert [row.get("event_cp") for row in clf.history_][:4] == [None, None, None, True]
    continued = fitted(scenes, max_epochs=4, training__lr_schedule="constant")
    still = fitted(scenes, Worse(), best, training__lr_schedule="constant")
    for name, value in continued.module_.state_dict().items():
        torch.testing.assert_close(still.module_.state_dict()[name], value, rtol=0, atol=0)


def test_other_callbacks_hear_of_every_epoch(scenes):
    heard = []

    class Listener(Callback):
        def on_epoch_end(self, net, **kwargs):
            heard.append(net.history[-1]["phase"])

    fitted(scenes, SOON, Listener())
    assert heard == ["warmup"] * 3 + ["joint"] * 2


def test_held_out_images_are_measured_by_one_loss(scenes, monkeypatch):
    seen, original = [], P2PObjective.__call__

    def recorded(self, step):
        seen.append((torch.is_grad_enabled(), step.progress))
        return original(self, step)

    monkeypatch.setattr(P2PObjective, "__call__", recorded)
    clf = fitted(scenes)
    held_out = [progress for training, progress in seen if not training]
    trained = [progress for training, progress in seen if training]
    assert held_out == [1.0] * 3
    assert trained[0] == 0 and max(trained) < 1
    loss = clf.history_[:, "valid_loss"]
    # In any comparison, the epochs of the warm-up lose.
    assert loss[:3] == [np.inf] * 3 and np.isfinite(loss[3:]).all()
    assert all(np.isfinite(clf.history_[:, "valid_cross_entropy"]))
    rows = clf.history_.to_list()[3:]
    terms = ("valid_cross_entropy", "valid_sparsity", "valid_covariance")
    assert [sum(row[name] for name in terms) for row in rows] == pytest.approx(loss[3:], 1e-4)


def test_scores_of_an_epoch_are_those_of_predictions(scenes):
    X, y = scenes
    higher = {"lower_is_better": False}
    scores = [
        EpochScoring("accuracy", **higher, use_caching=False),
        EpochScoring("accuracy", **higher, on_train=True, name="train_accuracy"),
        EpochScoring("neg_log_loss", **higher),
        BatchScoring("accuracy", **higher, name="of_batches"),
    ]
    stop = EarlyStopping("accuracy", patience=1, threshold=10.0, **higher)
    labels = np.array(["even", "odd"])[y]
    silent = {"batch_size": 3, "augment": None, "training__ema_decay": None}
    clf = fitted((X, labels), *scores, stop, **silent)
    assert phases_of(clf) == ["warmup"] * 3 + ["joint"] * 2
    rows = clf.validation_rows_
    row, proba = clf.history_[-1], clf.predict_proba(X[rows]).astype(float)
    assert row["accuracy"] == np.mean(clf.predict(X[rows]) == labels[rows])
    assert row["of_batches"] == pytest.approx(row["accuracy"])
    assert row["neg_log_loss"] == pytest.approx(-log_loss(y[rows], proba), rel=1e-4)
    assert 0 <= row["train_accuracy"] <= 1
    # Predicting in between changes nothing of what is learned.
    without = fitted((X, labels), SOON, **silent)
    np.testing.assert_array_equal(without.predict_proba(X), clf.predict_proba(X))


def test_a_training_that_was_stopped_early_is_over(scenes, tmp_path):
    best = EarlyStopping(patience=1, threshold=10.0, load_best=True)
    first = fitted(scenes, best, training__checkpoint_dir=tmp_path)
    assert best.best_epoch_ == 4 and len(first.history_) == 5
    again = fitted(scenes, best, training__checkpoint_dir=tmp_path)
    assert len(again.history_) == 5
    np.testing.assert_array_equal(
        again.predict_proba(scenes[0]), first.predict_proba(scenes[0])
    )


class CtrlC(Callback):
    """Interrupts once."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            self.epoch = None
            signal.raise_signal(signal.SIGINT)


@pytest.fixture
def interruptible():
    """Ctrl-C as a terminal has it: programs in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    "epoch, words",
    [
        (1, r"after 0 full epochs of phase 'warmup' \(joint did not begin\)"),
        (4, "after 3 full epochs; what was learned so far is kept"),
    ],
)
def test_an_interrupt_is_said_and_can_be_asked_for(scenes, epoch, words):
    with pytest.warns(P2PSelectWarning, match="training was interrupted " + words):
        clf = fitted(scenes, CtrlC(epoch))
    assert clf.interrupted_ is True and len(clf.history_) == epoch - 1
    assert np.isfinite(clf.predict_proba(scenes[0])).all()
    assert clf.partial_fit(*scenes).interrupted_ is False


def test_an_interrupt_between_two_epochs_is_no_stop(scenes, tmp_path, monkeypatch):
    def interrupted(self, net, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoints, "on_epoch_end", interrupted)
    with pytest.warns(P2PSelectWarning, match="interrupted after 1 full epochs"):
        clf = fitted(scenes, training__checkpoint_dir=tmp_path)
    assert clf.interrupted_ is True


def test_a_callback_that_stops_a_phase_before_the_last_one_is_named(scenes):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    with pytest.warns(P2PSelectWarning, match="stopped by a callback after 1 full epochs of"):
        clf = fitted(scenes, Stop())
    assert clf.interrupted_ is False
