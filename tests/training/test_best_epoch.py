"""What is measured on held-out images, and which epoch's weights predict."""

import numpy as np
import pytest
from skorch.callbacks import Callback, EarlyStopping, EpochScoring

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.exceptions import InputError
from p2pselect.methods import DiETClassifier, L2XClassifier, RealXClassifier

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=9),
    "max_epochs": 5,
    "objective__warmup_epochs": 2,
    "batch_size": 8,
    "validation": 0.25,
    "random_state": 0,
    "device": "cpu",
    "training__lr_schedule": "constant",
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(16, image_size=32, random_state=0)
    return made.images, made.target % 2


def fitted(scenes, method=P2PClassifier, **changes):
    known = presets.settings_for(method, {**SETTINGS, **changes})
    return method().set_params(**known).fit(*scenes)


class Measured(Callback):
    """Puts made-up losses of held-out images into the place of the measured ones."""

    def __init__(self, *losses):
        self.losses = losses

    def on_epoch_end(self, net, **kwargs):
        net.history.record("valid_loss", self.losses[len(net.history) - 1])


class Stop(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def assert_same_weights(first, second):
    for a, b in zip(
        first.module_.state_dict().values(), second.module_.state_dict().values(), strict=True
    ):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


# -- measures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, changes",
    [
        (P2PClassifier, {"certainty_threshold": 0.52, "lr": 1e-3}),
        (P2PClassifier, {"training__ema_decay": 0.8, "batch_size": 3}),
        (L2XClassifier, {"tau": 0.3}),
    ],
)
def test_measures_are_those_of_the_fitted_estimator(scenes, method, changes):
    X, y = scenes
    clf = fitted(scenes, method, **changes)
    rows, last = clf.validation_rows_, clf.history_[-1]
    clf.set_params(search__tau_step=0.2)  # four of the steps that prediction takes
    assert last["valid_acc"] == pytest.approx(clf.score(X[rows], y[rows]))
    assert last["valid_kept"] == pytest.approx(clf.explain(X[rows]).kept_fraction.mean())


def test_phases_that_prepare_have_no_prediction_to_measure(scenes):
    higher = {"lower_is_better": False}
    stop = EarlyStopping("valid_acc", patience=9, load_best=True, **higher)
    clf = fitted(scenes, training__callbacks=[stop, EpochScoring("accuracy", **higher)])
    measured = ["valid_acc" in row and "valid_kept" in row for row in clf.history_]
    assert measured == [False] * 2 + [True] * 3
    # As in skorch: accuracy has a flag of the best epoch, and is what EpochScoring finds.
    flags = [row.get("valid_acc_best") for row in clf.history_]
    assert flags[:3] == [None, None, True]
    assert clf.history_[-1, "accuracy"] == pytest.approx(clf.history_[-1, "valid_acc"])
    best = int(np.argmax([row.get("valid_acc", -1) for row in clf.history_]))
    assert stop.best_epoch_ == best + 1


@pytest.mark.parametrize("sparsity", ["hinge", "threshold"])
def test_methods_whose_cut_is_measured_at_the_end(scenes, sparsity):
    clf = fitted(scenes, RealXClassifier, max_epochs=2, sparsity=sparsity, tau=0.3)
    assert clf.history_[-1, "valid_kept"] <= 0.3
    again = clf.fit(*scenes)  # cuts of the fit before have no part in it
    assert again.history_[-1, "valid_kept"] <= 0.3


def test_predictions_that_take_longer_than_training_are_not_measured(scenes):
    clf = fitted(scenes, DiETClassifier, max_epochs=1, max_steps=1, n_stages=1)
    assert "valid_loss" in clf.history_[-1] and "valid_acc" not in clf.history_[-1]


def test_held_out_images_meet_the_same_random_numbers_in_every_epoch(scenes):
    clf = fitted(scenes, lr=1e-30, training__weight_decay=0.0, batch_size=16)
    losses = clf.history_[2:, "valid_cross_entropy"]
    # Batch statistics go on changing; masks and tau drawn again would change far more.
    assert np.ptp(losses) < 0.02


# -- the best epoch ----------------------------------------------------------------------------


def test_patience_counts_epochs_of_the_last_phase_and_keeps_the_best_weights(scenes):
    losses = Measured(0.0, 0.0, 3.0, 2.0, 2.5, 2.2, 1.0, 0.5)
    clf = fitted(scenes, max_epochs=8, training__patience=2, training__callbacks=[losses])
    assert [row["phase"] for row in clf.history_] == ["warmup"] * 2 + ["joint"] * 4
    assert clf.interrupted_ is False
    stopped = fitted(scenes, max_epochs=8, training__callbacks=[Stop(4)])
    assert_same_weights(clf, stopped)


def test_an_improvement_resets_the_count(scenes):
    losses = Measured(9.0, 9.0, 3.0, 4.0, 2.0, 4.0, 4.0, 1.0)
    clf = fitted(scenes, max_epochs=8, training__patience=2, training__callbacks=[losses])
    assert len(clf.history_) == 7


def test_without_patience_the_last_weights_predict(scenes):
    losses = Measured(9.0, 9.0, 1.0, 2.0, 3.0)
    assert_same_weights(fitted(scenes, training__callbacks=[losses]), fitted(scenes))


def test_the_average_of_the_best_epoch_predicts(scenes):
    losses = Measured(9.0, 9.0, 3.0, 2.0, 2.5, 2.2, 1.0, 0.5)
    options = {"training__ema_decay": 0.8, "training__callbacks": [losses]}
    clf = fitted(scenes, max_epochs=8, training__patience=2, **options)
    # Weights of their own that were measured in that epoch: those of no other one.
    same = fitted(scenes, **{**options, "max_epochs": 8, "training__callbacks": [Stop(4)]})
    assert_same_weights(clf, same)
    plain = fitted(scenes, max_epochs=8, training__callbacks=[Stop(4)])
    with pytest.raises(AssertionError):
        assert_same_weights(clf, plain)


class Killed(Callback):
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise RuntimeError("killed")


@pytest.mark.parametrize("ema_decay", [None, 0.8])
def test_a_training_that_goes_on_remembers_its_best_epoch(scenes, tmp_path, ema_decay):
    losses = Measured(9.0, 9.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    options = {"max_epochs": 7, "training__patience": 3, "training__ema_decay": ema_decay}
    whole = fitted(scenes, **options, training__callbacks=[losses])
    options["training__checkpoint_dir"] = tmp_path
    with pytest.raises(RuntimeError, match="killed"):
        fitted(scenes, **options, training__callbacks=[losses, Killed(6)])
    for _ in range(2):  # the second time, it is over
        resumed = fitted(scenes, **options, training__callbacks=[losses])
        assert len(whole.history_) == len(resumed.history_) == 6
        assert_same_weights(whole, resumed)


def test_patience_needs_held_out_images(scenes):
    for validation in (None, "auto"):
        with pytest.raises(InputError, match="training__patience=3 looks at held-out images"):
            fitted(scenes, validation=validation, training__patience=3)
