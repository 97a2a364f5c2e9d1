"""The learning-rate finder: a range test that leaves no trace."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.exceptions import InputError
from p2pselect.methods import RealXClassifier
from p2pselect.model_selection import LearningRateDisplay, find_learning_rate

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": "grid",
    "objective__warmup_epochs": 2,
    "batch_size": 8,
    "device": "cpu",
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    return made.images, made.target % 2


def test_rates_rise_to_where_training_comes_apart(scenes):
    found = find_learning_rate(
        P2PClassifier().set_params(**SETTINGS), *scenes, low=1e-5, high=1e3, n_steps=25
    )
    steps = np.diff(np.log(found.rates))
    assert found.rates[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(steps, np.log(1e8) / 24)
    assert len(found.rates) == len(found.losses) < 25  # it stopped
    assert found.rates[-1] > 10 * found.suggested and np.isfinite(found.losses).all()
    assert found.suggested == pytest.approx(found.rates[found.losses.argmin()] / 10)
    display = found.plot()
    assert display.ax_.get_xscale() == "log"
    assert f"{found.suggested:.1e}" in display.ax_.get_title()


def test_all_rates_where_nothing_comes_apart(scenes):
    real_x = RealXClassifier().set_params(**presets.settings_for(RealXClassifier, SETTINGS))
    found = find_learning_rate(real_x, *scenes, low=1e-6, high=1e-4, n_steps=7)
    assert len(found.losses) == 7 and found.rates[-1] == pytest.approx(1e-4)


@pytest.mark.parametrize("random_state", [None, 3, np.random.RandomState(0)])
def test_no_trace_is_left(scenes, random_state):
    clf = P2PClassifier().set_params(**SETTINGS, random_state=random_state, verbose=1)
    before = repr(clf.get_params()), set(vars(clf))
    drawn = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    own = random_state.get_state()[1].copy() if hasattr(random_state, "get_state") else None
    one, two = (find_learning_rate(clf, *scenes, n_steps=3) for _ in range(2))
    np.testing.assert_array_equal(one.losses, two.losses)
    assert (repr(clf.get_params()), set(vars(clf))) == before
    np.testing.assert_array_equal(np.random.get_state()[1], drawn[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), drawn[1])
    if own is not None:
        np.testing.assert_array_equal(random_state.get_state()[1], own)


def test_the_loss_is_smoothed_and_not_pulled_to_zero():
    from p2pselect.training._rising_rates import RangeTest

    test = RangeTest(1e-3, 1.0, 3)

    class Net:
        phases = ()
        optimizer_ = torch.optim.SGD([torch.zeros(1)], lr=1.0)

        def __init__(self, losses):
            self.losses = iter(losses)

        @property
        def history(self):
            return {(-1, "batches", -1, "train_loss"): next(self.losses)}

    net = Net([4.0, 2.0])
    test.mean_ = 0.0
    for _ in range(2):
        test.on_batch_begin(net)
        test.on_batch_end(net)
    assert test.losses == pytest.approx([4.0, (0.9 * 4 + 2) / 1.9])
    assert net.optimizer_.param_groups[0]["lr"] == pytest.approx(10**-1.5)


def test_what_cannot_be_asked(scenes):
    clf = P2PClassifier()
    for wrong in ({"low": 0.0}, {"low": 1.0, "high": 1.0}, {"n_steps": 1}):
        with pytest.raises(InputError, match="needs 0 < low < high"):
            find_learning_rate(clf, *scenes, **wrong)
    with pytest.raises(InputError, match="needs a classifier of p2pselect, got Logistic"):
        find_learning_rate(LogisticRegression(), *scenes)


def test_the_figure_leaves_out_what_comes_after_the_rise():
    rates, losses = np.logspace(-4, 0, 5), np.array([2.0, 1.8, 1.0, 3.0, 90.0])
    display = LearningRateDisplay(rates, losses).plot()
    assert display.suggested == pytest.approx(1e-3)
    assert display.ax_.get_ylim()[1] < 3
