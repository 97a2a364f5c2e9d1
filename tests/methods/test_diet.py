"""DiET: masks that stay in range and belong to their row, loops that end."""

import warnings
from typing import ClassVar

import numpy as np
import pytest
import torch
from oracles.baselines import toy_classifier
from torch import nn

from p2pselect.exceptions import P2PSelectWarning
from p2pselect.images._geometry import Grid
from p2pselect.methods import DiETClassifier
from p2pselect.methods._amortized_diet import AmortizedDiETObjective
from p2pselect.methods._blackbox_guided import BlackboxGuidedModel, l1_distance
from p2pselect.methods._diet import (
    DiETStage,
    MaskOptimizer,
    MaskTable,
    full_cells,
    random_colors,
)
from p2pselect.training._data import Views


def search(**settings):
    defaults = {
        "area_weight": 1.0,
        "tau": None,
        "step": 0.05,
        "max_steps": 30,
        "convergence": "mask",
        "random": False,
    }
    return MaskOptimizer(**{**defaults, **settings})


class CountingClassifier(nn.Module):
    """A classifier that counts its calls, and is certain of whatever it sees."""

    def __init__(self, network=None):
        super().__init__()
        self.network = network
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        if self.network is not None:
            return self.network(images)
        return images.sum(dim=(1, 2, 3))[:, None] * torch.tensor([[0.0, 0.0]])


def test_area_alone_moves_every_cell_by_the_step(toy_step):
    step = toy_step()
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    assert cells.shape == (5, 4, 4) and (cells == 1).all()
    moved = search(max_steps=3).optimize(CountingClassifier(), step.images, step.regions, cells)
    torch.testing.assert_close(moved, torch.full_like(moved, 1 - 3 * 0.05))


def test_masks_stay_in_range_and_stand_still_in_the_end(toy_step):
    step, blind = toy_step(), CountingClassifier()
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    found = search(max_steps=500).optimize(blind, step.images, step.regions, cells)
    assert (found == 0).all()
    assert 20 <= blind.calls <= 25  # gone after 20 steps, and noticed
    torch.manual_seed(0)
    network = toy_classifier()
    found = search(step=0.4).optimize(network, step.images, step.regions, cells)
    assert found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("convergence", ["mask", "loss"])
def test_loops_end_at_the_cap(toy_step, convergence):
    step = toy_step()
    counting = CountingClassifier(toy_classifier())
    settings = {"convergence": convergence, "max_steps": 7, "random": True}
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    search(**settings).optimize(counting, step.images, step.regions, cells)
    assert counting.calls <= 8  # one on the full images


def test_small_steps_and_the_released_rule_stop_where_they_began(toy_step):
    step, blind = toy_step(), CountingClassifier()
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    released = search(convergence="loss", step=0.002, max_steps=500)
    found = released.optimize(blind, step.images, step.regions, cells)
    assert found.mean() > 0.9 and blind.calls < 10


def test_an_image_s_mask_is_its_own(toy_step):
    step = toy_step()
    network = toy_classifier()
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    together = search().optimize(network, step.images, step.regions, cells)
    alone = search().optimize(network, step.images[2:3], step.regions[2:3], cells[2:3])
    torch.testing.assert_close(alone, together[2:3], atol=1e-5, rtol=0)


def test_an_image_that_is_done_waits_for_the_others(toy_step):
    # Of one loss two steps change less than half a percent, of the other more than one.
    step = toy_step()
    start = torch.tensor([1.0, 0.3])[:, None, None].expand(2, 4, 4)
    found = search(convergence="loss", step=0.002, max_steps=40).optimize(
        CountingClassifier(), step.images[:2], step.regions[:2], start
    )
    torch.testing.assert_close(found[0], torch.full((4, 4), 1 - 3 * 0.002))
    torch.testing.assert_close(found[1], torch.full((4, 4), 0.3 - 40 * 0.002))


def test_stopping_at_tau(toy_step):
    step = toy_step()
    cells = full_cells(5, (8, 8), 2, torch.device("cpu"))
    found = search(tau=0.4, max_steps=100).optimize(
        CountingClassifier(), step.images, step.regions, cells
    )
    torch.testing.assert_close(
        found.mean(dim=(1, 2)), torch.full((5,), 0.4), atol=0.051, rtol=0
    )


class FakeData:
    """Training images of a step as the data set that a stage begins with."""

    def __init__(self, step):
        self.step = step
        self.views = Views(None, Grid((8, 8), "pad"), None)

    def __len__(self):
        return len(self.step.images)

    def batch(self, rows):
        images = self.step.images[rows].permute(0, 2, 3, 1)
        return {"images": images, "regions": self.step.regions[rows]}, self.step.target[rows]


def taught_step(toy_step):
    torch.manual_seed(1)
    return toy_step(BlackboxGuidedModel(nn.Conv2d(3, 1, 1), toy_classifier(), toy_classifier()))


def test_a_stage_copies_the_black_box_finds_masks_and_rounds_them(toy_step):
    step = taught_step(toy_step)
    table = MaskTable(2)
    stage = DiETStage(table, search(), 0.1, first=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stage.begin(step.model, FakeData(step))
    for own, given in zip(
        step.model.classifier.parameters(), step.model.blackbox.parameters(), strict=True
    ):
        assert torch.equal(own, given)
    assert table.cells.shape == (5, 4, 4)
    assert set(table.cells.unique().tolist()) <= {0.0, 1.0}
    step.model.classifier.train()
    stage(step)["distillation"].sum().backward()
    assert all(p.grad is None for p in step.model.blackbox.parameters())
    assert all(p.grad is not None for p in step.model.classifier.parameters())


def test_later_stages_weigh_the_area_less_and_round_at_a_higher_value(make):
    clf = make(DiETClassifier, n_stages=4, area_weight=2.0, tau=0.3)
    for sparsity, tau in (("hinge", 0.3), ("penalty", None)):
        phases = clf.set_params(sparsity=sparsity)._phases()
        stages = [phase.objective for phase in phases if phase.name != "blackbox"]
        weights = [stage.optimizer.area_weight for stage in stages]
        assert weights == pytest.approx([2 * (1 - 0.9 * k / 4) for k in range(4)])
        thresholds = [stage.threshold for stage in stages]
        assert thresholds == pytest.approx([0.1 + 0.4 * k / 4 for k in range(4)])
        assert {stage.optimizer.tau for stage in stages} == {tau}
    assert clf._optimizer(1.0, False).area_weight == 2.0


def test_masks_that_hardly_moved_are_told(toy_step):
    step = taught_step(toy_step)
    lazy = search(step=1e-4, max_steps=2)
    with pytest.warns(P2PSelectWarning, match="hardly moved"):
        MaskTable(2).improve(step.model, FakeData(step), lazy, 0.1)


def test_colors_are_constant_per_image_and_in_range():
    torch.manual_seed(0)
    colors = random_colors(torch.randn(2000, 3))
    assert colors.shape == (2000, 3, 1, 1)
    assert colors.min() >= 0 and colors.max() <= 1
    wanted = torch.tensor([0.527, 0.447, 0.403])
    torch.testing.assert_close(colors.mean(dim=(0, 2, 3)), wanted, atol=0.02, rtol=0)


def test_amortized_teaches_each_network_its_own_loss(toy_step):
    step = taught_step(toy_step)
    terms = AmortizedDiETObjective(1.0)(step)
    assert {name.split("/")[0] for name in terms} == {"selector", "classifier"}
    terms["selector/area"].sum().backward()
    assert all(p.grad is None for p in step.model.classifier.parameters())


def test_prediction_optimizes_masks_and_keeps_exactly_tau(make, X, y, blackbox):
    settings = {"n_stages": 2, "max_steps": 5, "cell_size": 4, "tau": 0.25}
    clf = make(DiETClassifier, blackbox=blackbox, regions="pixel", **settings).fit(X, y)
    assert [row["phase"] for row in clf.history_] == ["stage 1", "stage 2"]
    assert (clf.transform(X).mean(axis=(1, 2)) == 0.25).all()
    # All cells at 1: the area is kept nevertheless.
    still = clf.set_params(mask_step=1e-9).explain(X)
    assert np.ptp(still.selection_probs) < 1e-4
    assert (still.kept_fraction == 0.25).all()


class ListeningClassifier(DiETClassifier):
    """Notes every search for masks: whose masks, and what they started from."""

    searches: ClassVar[list] = []

    def _optimizer(self, weight, random):
        found = super()._optimizer(weight, random)

        class Noting(MaskOptimizer):
            def optimize(self, classifier, images, regions, cells):
                ListeningClassifier.searches.append((images.sum().item(), cells.mean().item()))
                return super().optimize(classifier, images, regions, cells)

        return Noting(**vars(found))


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
def test_masks_are_those_of_the_images_that_are_learned_from(make, X, y, blackbox, how):
    settings = {"n_stages": 2, "max_steps": 8, "mask_step": 0.3, "max_epochs": 2}
    settings |= {"warm_start": True, "blackbox": blackbox, "cell_size": 4}
    clf = make(ListeningClassifier, **settings).fit(X, y)
    tables = [phase.objective.memory for phase in clf.net_.phases]
    assert all(table.is_empty for table in tables)
    ListeningClassifier.searches.clear()
    other = 255 - X  # as many, and of the same labels
    if how == "partial_fit":
        clf.partial_fit(other, y)
    else:
        clf.set_params(max_epochs=2).fit(other, y)
    # Once per call, from masks that keep everything, for the images of the call.
    ((seen, start),) = ListeningClassifier.searches
    assert start == 1
    assert seen == pytest.approx(other.sum() / 255, rel=1e-4)


def test_a_stage_that_goes_on_with_the_same_images_keeps_their_masks(make, X, y, blackbox):
    settings = {"n_stages": 1, "max_steps": 8, "mask_step": 0.3, "max_epochs": 3}
    ListeningClassifier.searches.clear()
    make(ListeningClassifier, blackbox=blackbox, **settings).fit(X, y)
    assert len(ListeningClassifier.searches) == 1


def test_epochs_are_divided_among_the_stages(make):
    for epochs, wanted in ((0, [0] * 5), (1, [1] * 5), (7, [2, 2, 1, 1, 1]), (10, [2] * 5)):
        phases = make(DiETClassifier, max_epochs=epochs)._phases()
        assert [phase.epochs for phase in phases][1:] == wanted


def test_what_differs_by_rounding_alone_pulls_nowhere():
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    near = (logits + torch.tensor([[0.0, 1e-7, -3e-7]])).requires_grad_()
    distance = l1_distance(logits, near)
    (gradient,) = torch.autograd.grad(distance.sum(), near)
    assert distance.item() == 0 and not gradient.any()
    far = (logits + torch.tensor([[0.0, 1e-3, -3e-3]])).requires_grad_()
    distance = l1_distance(logits, far)
    wanted = (logits.softmax(dim=1) - far.softmax(dim=1)).abs().sum()
    torch.testing.assert_close(distance.sum(), wanted)
    assert torch.autograd.grad(distance.sum(), far)[0].abs().max() > 0.01
