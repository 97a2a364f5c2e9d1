"""The whole loss of P2P and its warm-up, with all schedules, against a literal version."""

import itertools

import pytest
import torch
from exact_features import pack_in_32_bits
from methods.training_step import (
    EPOCHS,
    PROGRESS,
    Trainee,
    assert_same,
    drawn_again,
    network,
    tiny_selector,
)
from oracles import losses as oracle
from torch import nn

from p2pselect import P2PClassifier
from p2pselect.nn import _kept_features
from p2pselect.nn._frozen_features import Layout
from p2pselect.nn._image_network import keeping_features

WARMUP, JOINT = 0, 1
SETTINGS = {
    "sparsity_weight": 10.0,
    "covariance_weight": 0.01,
    "temperature": 1.0,
    "final_temperature": 0.5,
    "straight_through": False,
}


class WithSlopes(nn.Module):
    """Maps to which tau is added with learned slopes, as by an LR-ASPP head."""

    def __init__(self, n_maps):
        super().__init__()
        self.maps = tiny_selector(n_maps)
        self.slopes = nn.Parameter(torch.ones(n_maps))

    def forward(self, images):
        return self.maps(images)

    def additive_slope(self):
        return self.slopes


def trainee(**settings):
    # One tau is told apart from many when the networks are built.
    known = P2PClassifier().get_params()
    named = {name.rpartition("__")[2]: name for name in known}
    settings = {named[name]: value for name, value in settings.items()}
    settings = {"objective__random_share": 0.0, **settings}
    own = Trainee(P2PClassifier, objective__warmup_epochs=EPOCHS, **settings)
    own.clf.set_params(max_epochs=2 * EPOCHS)
    with torch.no_grad():  # more is kept than tau allows in some images, less in others
        own.module.selector.pixel_scorer.get_parameter(BIAS[own.clf.selector])[0] += 1
    return own


BIAS = {tiny_selector: "network.bias", WithSlopes: "network.maps.bias"}


def draws(n, d, k, samples, drawn_tau, random_share=0.0):
    """The random numbers of a step, in the order in which they are drawn."""
    step = drawn_again()
    is_random = step.rand_like(torch.empty(n)) < random_share if random_share else [False] * n
    share = step.rand_like(torch.empty(n)).double() if drawn_tau else None
    noise, uniform, shapes = [], [], []
    for _ in range(samples):
        if k:
            noise.append(step.randn_like(torch.empty(n, k)).double())
        uniform.append(step.rand_like(torch.empty(n, d)).double())
        if random_share:
            shapes.append(shape_draws(step, n, d))
    noise = torch.stack(noise) if k else torch.zeros(samples, n, 0)
    return share, noise, torch.stack(uniform), is_random, shapes


def shape_draws(step, n, d):
    """The random numbers of masks of every shape: of the area, of the kind, of the regions."""
    return [step.rand_like(torch.empty(shape)).double() for shape in ((n,), (n,), (n, d))]


def expected(own, progress, **changed):
    """The loss of a step, and the twin that has it."""
    *parts, twin = expected_parts(own, progress, **changed)
    return sum(parts), twin


def expected_parts(
    own,
    progress,
    tau=None,
    tau_min=0.05,
    tau_input="logit",
    samples=1,
    random_share=0.0,
    **changed,
):
    """Cross-entropy under random masks, that under selected ones with the penalties; twin."""
    twin = own.twin()
    scorer = twin.selector.pixel_scorer
    k = own.module.selector.embedding_dim
    if tau is not None:
        offset = lambda tau: torch.zeros(1 + k, dtype=torch.float64)  # noqa: E731
    elif tau_input == "logit":
        offset = oracle.logit_offset(twin.selector.raw_slope, 1 + k)
    else:
        offset = lambda tau: tau * scorer.network.slopes  # noqa: E731
    regions = own.batch[0]["regions"]
    share, noise, uniform, is_random, shapes = draws(
        len(regions), int(regions.max()) + 1, k, samples, tau is None, random_share
    )
    under_random = under_selected = 0.0
    for i, image, labels, label, weight in own.images():
        own_tau = tau if tau is not None else tau_min + (1 - tau_min) * share[i].item()
        cross_entropy, penalty = oracle.p2p(
            network(scorer),
            network(twin.classifier),
            offset,
            image,
            labels,
            label,
            own_tau,
            noise[:, i],
            uniform[:, i],
            progress,
            random_masks=is_random[i]
            and [
                oracle.mask_of_any_shape(labels, tau_min, *(values[i] for values in shape))
                for shape in shapes
            ],
            **{**SETTINGS, **changed},
        )
        if is_random[i]:  # no concern of the selector
            under_random = under_random + weight * cross_entropy
        else:
            penalty = penalty / (1 - random_share)
            under_selected = under_selected + weight * (cross_entropy + penalty)
    return under_random, under_selected, twin


@pytest.fixture(scope="module")
def usual():
    return trainee()


@pytest.mark.parametrize("progress", PROGRESS)
def test_at_every_point_of_training(usual, progress):
    loss, twin = expected(usual, progress)
    learned = assert_same(usual.step(JOINT, progress), {"": loss}, twin)
    assert learned == {name for name, _ in usual.module.named_parameters()}


def test_every_term_and_schedule_matters_here(usual):
    full = expected(usual, 0.9)[0].item()
    for changed in ({"sparsity_weight": 0.0}, {"covariance_weight": 0.0}):
        assert abs(expected(usual, 0.9, **changed)[0].item() - full) > 0.01
    at = [expected(usual, progress)[0].item() for progress in PROGRESS]
    assert all(abs(one - other) > 1e-3 for one, other in itertools.pairwise(at[:4]))
    assert at[3] == at[4] == at[5]  # nothing changes in the second half


@pytest.mark.parametrize(
    "changed",
    [
        {"sparsity_weight": 3.0},
        {"sparsity_weight": 0.0, "covariance_weight": 2.0},
        {"temperature": 2.0, "final_temperature": 0.1},
        {"straight_through": True},
        {"tau_min": 0.6},
        {"tau_min": 0.99},  # logits of tau end at .995
        {"n_samples_mc": 3},
    ],
    ids=str,
)
@pytest.mark.parametrize("progress", [0.3, 0.9])
def test_every_setting_is_heard(changed, progress):
    own = trainee(**changed)
    samples = changed.pop("n_samples_mc", 1)
    loss, twin = expected(own, progress, samples=samples, **changed)
    assert_same(own.step(JOINT, progress), {"": loss}, twin)


@pytest.mark.parametrize("tau", [0.2, 0.7])
@pytest.mark.parametrize("progress", [0.05, 0.9])
def test_one_tau_is_constant_and_not_told_to_the_selector(tau, progress):
    own = trainee(tau=tau)
    loss, twin = expected(own, progress, tau=tau)
    assert_same(own.step(JOINT, progress), {"": loss}, twin)


def test_one_tau_at_prediction_can_be_trained_for_all():
    own = trainee(tau=0.2, tau_training="uniform")
    loss, twin = expected(own, 0.9)
    assert_same(own.step(JOINT, 0.9), {"": loss}, twin)


def test_tau_added_as_released():
    own = trainee(tau_input="additive", selector=WithSlopes)
    loss, twin = expected(own, 0.9, tau_input="additive")
    learned = assert_same(own.step(JOINT, 0.9), {"": loss}, twin)
    assert any(name.endswith("slopes") for name in learned)


def test_regions_without_embeddings_are_independent():
    own = trainee(embedding_dim=0)
    loss, twin = expected(own, 0.9)
    assert_same(own.step(JOINT, 0.9), {"": loss}, twin)


@pytest.mark.parametrize("share", [0.3, 0.72])
@pytest.mark.parametrize(
    "changed", [{}, {"tau_min": 0.5}, {"n_samples_mc": 2}, {"straight_through": True}], ids=str
)
def test_some_images_are_classified_under_random_masks(changed, share):
    own = trainee(random_share=share, **changed)
    samples = changed.pop("n_samples_mc", 1)
    loss, twin = expected(own, 0.9, random_share=share, samples=samples, **changed)
    learned = assert_same(own.step(JOINT, 0.9), {"": loss}, twin)
    assert learned == {name for name, _ in own.module.named_parameters()}


def test_the_selector_looks_at_no_image_under_a_random_mask(monkeypatch):
    own = trainee(random_share=0.72)
    seen, score = [], own.module.score
    monkeypatch.setattr(own.module, "score", lambda *a: seen.append(len(a[0])) or score(*a))
    own.step(JOINT, 0.9)
    assert seen == [4 - int(sum(draws(4, 12, 3, 1, True, 0.72)[3]))] and 0 < seen[0] < 4


def test_a_frozen_selector_sees_the_very_images_that_it_is_known_for(monkeypatch):
    own = trainee(random_share=0.72, frozen_share={"selector": 1.0})
    loss, twin = expected(own, 0.9, random_share=0.72)
    seen = []
    for name in ("score", "classify"):
        asked = getattr(own.module, name)
        monkeypatch.setattr(
            own.module, name, lambda *a, asked=asked: seen.append(a[0]) or asked(*a)
        )
    # Its last layer learns what it would from the selected images alone.
    assert_same(own.step(JOINT, 0.9), {"": loss}, twin)
    scored, classified = seen
    assert scored is classified  # what is kept is found by the tensor itself


def test_a_batch_under_random_masks_teaches_the_selector_nothing():
    share = 0.999
    assert all(draws(4, 12, 3, 1, True, share)[3])
    own = trainee(random_share=share)
    under_random, under_selected, twin = expected_parts(own, 0.9, random_share=share)
    assert under_selected == 0.0
    step = own.step(JOINT, 0.9)
    # It takes part, as processes that train together wait for each other in its layers.
    assert step.gradients["selector.pixel_scorer.network.weight"].abs().max() == 0
    assert_same(step, {"classifier": under_random}, twin)


def test_the_selector_never_looks_at_a_single_image_of_many(monkeypatch):
    # Batch norm would have no statistics of it.
    *_, third, fourth = drawn_again().rand_like(torch.empty(4)).sort().values.tolist()
    share = (third + fourth) / 2
    own = trainee(random_share=share)
    loss, twin = expected(own, 0.9, random_share=share)
    seen, score = [], own.module.score
    monkeypatch.setattr(own.module, "score", lambda *a: seen.append(len(a[0])) or score(*a))
    assert_same(own.step(JOINT, 0.9), {"": loss}, twin)
    assert seen == [2]


def test_the_classifier_can_learn_from_random_masks_alone():
    own = trainee(random_share=0.72, classifier_learns_from="random")
    under_random, under_selected, twin = expected_parts(own, 0.9, random_share=0.72)
    losses = {"classifier": under_random, "selector": under_selected}
    learned = assert_same(own.step(JOINT, 0.9), losses, twin)
    assert learned == {name for name, _ in own.module.named_parameters()}


def test_frozen_layers_do_not_change_what_the_others_learn():
    own = trainee(random_share=0.72, frozen_share={"classifier": 0.5})
    loss, twin = expected(own, 0.9, random_share=0.72)
    own.step(JOINT, 0.9)  # where selected and random masks meet is found out once
    rows = {True: 0, False: 0}
    own.module.classifier.network[1].register_forward_hook(
        lambda _, args, out: rows.update({out.requires_grad: len(out)})
    )
    step = own.step(JOINT, 0.9)
    learned = assert_same(step, {"selector": loss, "classifier.network.3": loss}, twin)
    assert "classifier.network.1.weight" not in step.gradients
    assert {name.split(".")[0] for name in learned} == {"selector", "classifier"}
    is_random = draws(4, 12, own.module.selector.embedding_dim, 1, True, 0.72)[3]
    assert 0 < sum(is_random) < 4
    assert rows == {False: int(sum(is_random)), True: 4 - int(sum(is_random))}


def test_random_masks_that_come_again_teach_the_head_what_they_did(monkeypatch):
    monkeypatch.setattr(_kept_features, "KEPT", _kept_features.FeatureMemory(2**20))
    monkeypatch.setattr(Layout, "pack", pack_in_32_bits)
    own = trainee(random_share=0.72, frozen_share={"classifier": 1.0})
    loss, twin = expected(own, 0.9, random_share=0.72)
    n_random = sum(draws(4, 12, own.module.selector.embedding_dim, 1, True, 0.72)[3])
    rows = []
    for known in (False, True):
        with keeping_features(own.module, own.net.kept):
            own.step(JOINT, 0.9)  # where the two meet is found out once
            if not known:
                _kept_features.KEPT.__init__(2**20)
            hook = own.module.classifier.network[1].register_forward_hook(
                lambda _, args, out: rows.append((known, len(out), out.requires_grad))  # noqa: B023
            )
            step = own.step(JOINT, 0.9)
        hook.remove()
        learned = assert_same(step, {"selector": loss, "classifier.network.3": loss}, twin)
        assert {name.split(".")[0] for name in learned} == {"selector", "classifier"}
    assert [row for row in rows if row[0]] == [(True, 4 - n_random, True)]
    # Always as many at once, so that the last bits are the same.
    assert [row[1:] for row in rows if not row[0]] == [(8, False), (4 - n_random, True)]


def test_every_image_is_classified_once(monkeypatch):
    own = trainee(random_share=0.72)
    seen = []
    classify = own.module.classify
    monkeypatch.setattr(
        own.module, "classify", lambda *a: seen.append(len(a[0])) or classify(*a)
    )
    own.step(JOINT, 0.9)
    assert seen == [len(own.batch[1])]


@pytest.mark.parametrize("progress", [0.0, 0.9])
@pytest.mark.parametrize("tau_min", [0.05, 0.5])
def test_warmup_is_the_classifier_on_random_masks(progress, tau_min):
    own = trainee(tau_min=tau_min)
    twin, step = own.twin(), drawn_again()
    n, d = len(own.batch[1]), int(own.batch[0]["regions"].max()) + 1
    share, uniform = (step.rand_like(torch.empty(shape)).double() for shape in ((n,), (n, d)))
    loss = 0.0
    for i, image, labels, label, weight in own.images():
        rate = tau_min + (1 - tau_min) * share[i].item()
        loss = loss + weight * oracle.random_masks(
            network(twin.classifier), image, labels, label, rate, uniform[i]
        )
    learned = assert_same(own.step(WARMUP, progress), {"classifier": loss}, twin)
    assert all(name.startswith("classifier") for name in learned)


@pytest.mark.parametrize("tau_min", [0.05, 0.5])
def test_warmup_is_on_masks_of_every_shape_where_the_rest_is(tau_min):
    progress, own = 0.3, trainee(tau_min=tau_min, random_share=0.72)
    twin, regions = own.twin(), own.batch[0]["regions"]
    shape = shape_draws(drawn_again(), len(regions), int(regions.max()) + 1)
    loss = 0.0
    for i, image, labels, label, weight in own.images():
        mask = oracle.mask_of_any_shape(labels, tau_min, *(values[i] for values in shape))
        loss = loss + weight * oracle.given_mask(
            network(twin.classifier), image, labels, label, mask
        )
    learned = assert_same(own.step(WARMUP, progress), {"classifier": loss}, twin)
    assert all(name.startswith("classifier") for name in learned)
