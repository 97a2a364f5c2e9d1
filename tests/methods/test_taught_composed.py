"""The whole loss of every method with a black box, by stages, against a literal version."""

from types import SimpleNamespace

import pytest
import torch
from methods.training_step import (
    N_IMAGES,
    N_REGIONS,
    PROGRESS,
    SIDE,
    Trainee,
    assert_same,
    drawn_again,
    modules,
    network,
    total,
    uniform,
)
from oracles import losses as oracle
from oracles import taught_losses as taught

from p2pselect import methods
from p2pselect.images._geometry import Grid
from p2pselect.methods._blackbox_guided import copy_blackbox

TAU = 0.3


def colors(randn_like):
    """One random color per image."""
    mean, std = taught.COLOR_MEAN.float(), taught.COLOR_STD.float()
    return (mean + std * randn_like(torch.empty(N_IMAGES, 3))).clamp(0, 1).double()


# -- COMET --------------------------------------------------------------------------------


def batch_of(own):
    return [(image, labels, label, weight) for _, image, labels, label, weight in own.images()]


@pytest.mark.parametrize("method", ["COMETClassifier", "COMET1Classifier"])
@pytest.mark.parametrize(("k", "g"), [(4.0, 2.0), (1.5, 0.5), (4.0, -50.0)])
def test_comet(method, k, g):
    own = Trainee(
        getattr(methods, method), tau=TAU, margin_weight=k, margin=g, area_weight=20.0
    )
    twin, select, classify, detect = modules(own)
    inverted = method == "COMET1Classifier"
    found = taught.comet(
        select, classify, detect, batch_of(own), TAU, k, g, 20.0, inverted=inverted
    )
    losses = dict(zip(("classifier", "selector"), found, strict=True))
    learned = assert_same(own.step(1), losses, twin)
    assert not any(name.startswith("blackbox") for name in learned)


def test_comet_1_inverted_after_training():
    own = Trainee(methods.COMET1Classifier, tau=TAU, inversion="after")
    twin, select, classify, detect = modules(own)
    found = taught.comet(
        select, classify, detect, batch_of(own), TAU, 4.0, 2.0, 100.0, inverted=False
    )
    assert_same(own.step(1), dict(zip(("classifier", "selector"), found, strict=True)), twin)
    loss = total(own, lambda i, *image: taught.comet_inverse(select, classify, *image))
    assert_same(own.step(2), {"classifier": loss}, twin)


@pytest.mark.parametrize(
    "method", ["COMETClassifier", "COMET1Classifier", "RBAEMClassifier", "DiETClassifier"]
)
def test_a_black_box_learns_first_and_alone(method):
    own = Trainee(getattr(methods, method))
    twin = own.twin()
    teach = network(twin.blackbox)
    loss = total(own, lambda i, image, labels, label: oracle.full_image(teach, image, label))
    assert_same(own.step(0), {"blackbox": loss}, twin)


# -- RB-AEM -------------------------------------------------------------------------------


def test_rbaem_classifier():
    own = Trainee(methods.RBAEMClassifier, sigma_range=(0.2, 0.6))
    twin = own.twin()
    classify, teach = network(twin.classifier), network(twin.blackbox)
    place, numbers = uniform(N_IMAGES, 3, seed=True), uniform(N_IMAGES, N_REGIONS)
    loss = total(
        own,
        lambda i, image, labels, label: taught.rbaem_prior(
            classify, teach, image, labels, place[i], numbers[i], (0.2, 0.6)
        ),
    )
    assert_same(own.step(1), {"classifier": loss}, twin)


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
@pytest.mark.parametrize("center", ["linear", "softargmax"])
def test_rbaem_selector(center, sparsity):
    own = Trainee(
        methods.RBAEMClassifier,
        tau=TAU,
        sparsity=sparsity,
        center=center,
        area_weight=1.5,
        smoothness_weight=0.02,
    )
    if center == "linear":
        with torch.no_grad():  # centers within the image
            own.module.selector.place.weight *= 0.002
            own.module.selector.place.bias *= 0.1
    twin = own.twin()
    classify, teach = network(twin.classifier), network(twin.blackbox)
    scorer = network(twin.selector.pixel_scorer)
    start = taught.rbf_start(TAU, SIDE)
    if center == "linear":
        linear = twin.selector.place
        place = lambda x: taught.rbf_linear(  # noqa: E731
            scorer(x), linear.weight, linear.bias, SIDE, start
        )
    else:
        place = lambda x: taught.rbf_softargmax(scorer(x), SIDE, start)  # noqa: E731
    numbers = uniform(N_IMAGES, N_REGIONS, seed=True)
    tau = TAU if sparsity == "hinge" else None
    loss = total(
        own,
        lambda i, image, labels, label: taught.rbaem(
            place, classify, teach, image, labels, numbers[i], (1.5, 0.02), 0.5, tau
        ),
    )
    learned = assert_same(own.step(2), {"selector": loss}, twin)
    assert all(name.startswith("selector") for name in learned)


# -- DiET ---------------------------------------------------------------------------------


@pytest.fixture
def diet():
    return Trainee(
        methods.DiETClassifier,
        tau=TAU,
        n_stages=2,
        cell_size=1,
        max_steps=3,
        mask_step=0.4,
        area_weight=0.75,
    )


class TrainingImages:
    """As much of a training set as finding masks needs."""

    views = SimpleNamespace(grid=Grid((SIDE, SIDE), "pad"))

    def __init__(self, own):
        self.inputs, self.target = own.batch

    def __len__(self):
        return len(self.target)

    def batch(self, rows):
        return {name: value[rows] for name, value in self.inputs.items()}, self.target[rows]


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
def test_diet(diet, sparsity):
    diet.clf.set_params(sparsity=sparsity)
    tau = TAU if sparsity == "hinge" else None
    phases = diet.clf._phases()
    cells = torch.ones(N_IMAGES, SIDE, SIDE, dtype=torch.float64)
    for stage in (0, 1):
        phase = phases[1 + stage]
        torch.manual_seed(7)
        phase.begin(diet.module, TrainingImages(diet))
        twin = diet.twin()
        classify, teach = network(twin.classifier), network(twin.blackbox)
        # A new color for every step, all images of it at once.
        torch.manual_seed(7)
        drawn = torch.stack([colors(torch.randn_like) for _ in range(3)])
        weight, threshold = 0.75 * (1 - 0.9 * stage / 2), 0.1 + 0.4 * stage / 2
        for i, image, labels, _, _ in diet.images():
            found = taught.diet_masks(
                classify, image, labels, cells[i], drawn[:, i], weight, tau, 0.4
            )
            assert (found - threshold).abs().min() > 1e-3  # rounding decides nothing
            cells[i] = (found > threshold).double()
        assert 0 < cells.mean() < 1
        torch.testing.assert_close(phase.objective.memory.cells.double(), cells)

        shown = colors(drawn_again().randn_like)
        loss = total(
            diet,
            lambda i, image, labels, label, f=classify, g=teach, c=cells, s=shown: (
                taught.diet_classifier(f, g, image, labels, c[i], s[i])
            ),
        )
        assert_same(diet.step(1 + stage, phases=phases), {"classifier": loss}, twin)
        # What comes next starts from a classifier that is no copy of its teacher.
        with torch.no_grad():
            diet.module.classifier.network[1].weight.add_(0.05)


@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
@pytest.mark.parametrize("stage", [0, 1])
def test_diet_finds_masks(diet, stage, sparsity):
    """Before they are rounded; with the hinge, the area's penalty ends on the way."""
    diet.clf.set_params(sparsity=sparsity, max_steps=5, mask_step=0.3, tau=0.7)
    tau = 0.7 if sparsity == "hinge" else None
    optimizer = diet.clf._phases()[1 + stage].objective.optimizer
    inputs, _ = diet.batch
    images = inputs["images"].permute(0, 3, 1, 2).contiguous()
    torch.manual_seed(7)
    ones = torch.ones(N_IMAGES, SIDE, SIDE)
    found = optimizer.optimize(diet.module.classifier, images, inputs["regions"], ones)
    torch.manual_seed(7)
    drawn = torch.stack([colors(torch.randn_like) for _ in range(5)])
    classify, weight = network(diet.twin().classifier), 0.75 * (1 - 0.9 * stage / 2)
    for i, image, labels, _, _ in diet.images():
        wanted = taught.diet_masks(
            classify, image, labels, ones[i].double(), drawn[:, i], weight, tau, 0.3
        )
        assert wanted.unique().numel() > 1 or labels.max() == 0
        torch.testing.assert_close(found[i].double(), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("progress", PROGRESS)
@pytest.mark.parametrize("sparsity", ["hinge", "penalty"])
def test_amortized_diet(progress, sparsity):
    own = Trainee(methods.AmortizedDiETClassifier, tau=TAU, sparsity=sparsity, area_weight=1.5)
    twin = own.twin()
    select, classify, teach = (
        network(part) for part in (twin.selector, twin.classifier, twin.blackbox)
    )
    drawn, tau = colors(drawn_again().randn_like), TAU if sparsity == "hinge" else None
    losses = {"selector": 0.0, "classifier": 0.0}
    for i, image, labels, _, weight in own.images():
        both = taught.diet_amortized(
            select, classify, teach, image, labels, drawn[i], 1.5, tau, progress
        )
        for name, loss in zip(losses, both, strict=True):
            losses[name] = losses[name] + weight * loss
    assert_same(own.step(1, progress), losses, twin)


# -- where a classifier starts ------------------------------------------------------------


def test_a_classifier_that_starts_as_the_black_box():
    model = SimpleNamespace(blackbox=torch.nn.Linear(2, 3), classifier=torch.nn.Linear(2, 3))
    before = model.blackbox.weight.detach().clone()
    copy_blackbox(model, None)
    assert torch.equal(model.blackbox.weight, before)
    for own, its in zip(
        model.classifier.parameters(), model.blackbox.parameters(), strict=True
    ):
        assert torch.equal(own, its)
