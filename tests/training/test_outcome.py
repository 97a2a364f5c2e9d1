"""A training that learned nothing says so; one that learned does not."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import entropy

from p2pselect import P2PClassifier, presets
from p2pselect.exceptions import P2PSelectWarning
from p2pselect.methods import BcosClassifier
from p2pselect.training._callbacks import Outcome, guessing_labels_loss, guessing_losses
from p2pselect.training._loss_terms import monte_carlo_cross_entropy

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": "grid",
    "max_epochs": 4,
    "objective__warmup_epochs": 1,
    "batch_size": 8,
    "random_state": 0,
    "device": "cpu",
    "augment": None,
}


@pytest.fixture(scope="module")
def colors():
    """Images that are all red or all green, with a little noise."""
    rng = np.random.default_rng(0)
    y = np.arange(48) % 2
    X = rng.integers(0, 60, (48, 32, 32, 3), np.uint8)
    X[np.arange(48), :, :, y] += 180
    return X, np.array(["red", "green"])[y]


@pytest.mark.parametrize("cls", [P2PClassifier, BcosClassifier])
def test_a_hopeless_training_is_told_from_one_that_learned(cls, colors):
    X, y = colors
    settings = presets.settings_for(cls, SETTINGS) if cls is not P2PClassifier else SETTINGS
    same = X[np.zeros(24, int)]
    with pytest.warns(P2PSelectWarning, match="the model has learned nothing: after 4 epochs"):
        cls().set_params(**settings).fit(same, y[:24])
    with warnings.catch_warnings():
        warnings.simplefilter("error", P2PSelectWarning)
        clf = cls().set_params(**settings).fit(X, y)
    assert (clf.predict(X) == y).mean() > 0.9


def told(
    loss,
    by_class,
    n,
    *,
    interrupted=False,
    last=True,
    key="train_cross_entropy",
    steps=10,
    smoothing=0.0,
):
    """Whether a training that ends with this loss is said to have learned nothing."""
    net = SimpleNamespace(
        history=[{key: loss, "train_loss": 0.0}] * 2,
        interrupted=interrupted,
        is_in_last_phase=last,
        batch_size=8,
        label_smoothing=smoothing,
        label_weight=None,
    )
    data = type("Data", (), {"__len__": lambda self: n})()
    data.n_batches = lambda size: steps // 2
    data.class_weights = lambda: np.array(by_class, float)
    data.total_weight = lambda: float(sum(by_class))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Outcome().on_train_end(net, X=data)
    return bool(caught)


@pytest.mark.parametrize("by_class", [[5, 5], [9, 1], [3, 0, 7], [1] * 10])
def test_the_border_is_the_entropy_of_the_classes(by_class):
    n, border = sum(by_class), entropy(by_class)
    assert told(border, by_class, n) and told(2 * border, by_class, n)
    assert not told(0.95 * border, by_class, n)
    # Weights of 3 each make the loss three times as large.
    heavy = [3 * weight for weight in by_class]
    assert not told(border, heavy, n) and told(3 * border, heavy, n)


def test_only_the_last_phase_and_losses_of_labels_count():
    assert told(1.0, [5, 5], 10, key="train_classifier/cross_entropy")
    assert not told(1.0, [5, 5], 10, key="train_distillation")
    assert not told(1.0, [5, 5], 10, key="valid_cross_entropy")
    assert not told(1.0, [5, 5], 10, interrupted=True)
    assert not told(1.0, [5, 5], 10, last=False)
    assert not told(1.0, [5, 5], 10, steps=8)


def test_smoothed_labels_cost_a_perfect_answer_something():
    labels, smoothing = np.array([0.9, 0.1]), 0.2
    targets = 0.8 * np.eye(2) + 0.1
    perfect = -(labels[:, None] * targets * np.log(targets)).sum()
    assert told(perfect, [9, 1], 10) and not told(perfect, [9, 1], 10, smoothing=smoothing)
    guess = np.linspace(0.01, 0.99, 999)
    of_guessing = [-(labels @ targets @ np.log([p, 1 - p])) for p in guess]
    assert told(min(of_guessing), [9, 1], 10, smoothing=smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_guessing_labels_costs_the_least_of_constant_answers(smoothing):
    rng = np.random.default_rng(0)
    target, weight = (rng.random((50, 2)) < [0.1, 0.7]).astype(int), rng.random((2, 2)) + 0.5
    found = guessing_labels_loss(target.mean(axis=0), weight, smoothing)["cross_entropy"]
    least = 0.0
    for label in range(2):
        answers = np.log(np.linspace(0.001, 0.999, 999) / np.linspace(0.999, 0.001, 999))
        given = torch.tensor(answers)[None, :, None]
        of_kind = [
            monte_carlo_cross_entropy(
                given,
                torch.full((999, 1), bit),
                smoothing,
                torch.tensor(weight[label : label + 1]),
            ).numpy()
            for bit in (0, 1)
        ]
        share = target[:, label].mean()
        least += ((1 - share) * of_kind[0] + share * of_kind[1]).min()
    assert found == pytest.approx(least, rel=1e-4)


def test_guessing_losses_are_the_smallest_of_a_constant_answer():
    shares = np.array([0.5, 0.3, 0.2])
    answers = np.random.default_rng(0).dirichlet(np.ones(3), 500)
    losses = -(shares * np.log(answers)).sum(axis=1)
    of_guessing = guessing_losses(shares)
    assert losses.min() >= of_guessing["cross_entropy"] >= 0.95 * losses.min()
    # Targets of B-cos: 1 for the right class, 1 / 3 for the others.
    targets = np.full((3, 3), 1 / 3) + np.eye(3) * 2 / 3
    sure = np.random.default_rng(0).uniform(0.01, 0.99, (2000, 3))
    losses = np.array(
        [
            -(shares[:, None] * (targets * np.log(p) + (1 - targets) * np.log(1 - p))).sum()
            for p in sure
        ]
    )
    binary = of_guessing["binary_cross_entropy"]
    assert losses.min() >= binary >= 0.98 * losses.min()
