"""COMET: two losses from one forward pass, and a detector that never changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oracles.baselines import comet_losses, toy_classifier
from sklearn.frozen import FrozenEstimator
from torch import nn

from p2pselect.distributed import Group
from p2pselect.exceptions import InputError
from p2pselect.methods import COMET1Classifier, COMETClassifier
from p2pselect.methods._blackbox_guided import BlackboxGuidedModel
from p2pselect.methods._comet import COMETObjective, inverse_objective
from p2pselect.nn._masking import apply_mask, to_pixels
from p2pselect.training._net import SelectiveNet
from p2pselect.training._phases import Phase
from p2pselect.training._shares import Part


def toy_model():
    torch.manual_seed(3)
    return BlackboxGuidedModel(nn.Conv2d(3, 1, 1), toy_classifier(), toy_classifier())


def gradients(objective, step):
    """What the net would give every parameter of the step's model."""
    model = step.model
    model.blackbox.requires_grad_(False)
    net = SelectiveNet(model, phases=[Phase("joint", 1, objective, ())], device="cpu")
    net.initialize()
    net.step_of = lambda *batch: step
    net.history.new_epoch()
    net._batches_done, net._n_batches = 0, 1
    model.zero_grad()
    inputs = {
        "images": torch.zeros(5, 4, 4, 3),
        "weight": torch.ones(5),
        "batch_size": torch.full((5,), 5),
    }
    net.train_step_single((inputs, step.target))
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_losses_and_gradients_are_those_of_the_formula(toy_step):
    step = toy_step(toy_model())
    objective = COMETObjective(tau=0.3, margin_weight=4.0, margin=2.0, area_weight=10.0)
    found = gradients(objective, step)
    model = step.model
    masks = to_pixels(model.score(step.images, step.regions).maps[:, 0].sigmoid(), step.regions)
    loss_p, loss_s = comet_losses(
        model.classifier, model.blackbox, step.images, masks, step.target, 0.3, 4.0, 2.0, 10.0
    )
    for module, loss in ((model.classifier, loss_p), (model.selector, loss_s)):
        names = [
            n for n, p in model.named_parameters() if any(p is q for q in module.parameters())
        ]
        wanted = torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)
        for name, gradient in zip(names, wanted, strict=True):
            torch.testing.assert_close(found[name], gradient)
    assert not any(name.startswith("blackbox") for name in found)


def test_the_classifier_ignores_what_only_the_selector_learns(toy_step):
    step = toy_step(toy_model())
    plain = gradients(COMETObjective(0.2, 0.0, 0.0, 0.0), step)
    heavy = gradients(COMETObjective(0.2, 40.0, 9.0, 500.0), step)
    for name in plain:
        same = torch.allclose(plain[name], heavy[name])
        assert same == name.startswith("classifier")


def test_no_margin_once_the_detector_is_lost(toy_step):
    step = toy_step(toy_model())
    with_margin = gradients(COMETObjective(0.2, 5.0, -100.0, 0.0), step)
    without = gradients(COMETObjective(0.2, 0.0, 0.0, 0.0), step)
    for name, gradient in with_margin.items():
        torch.testing.assert_close(gradient, without[name])


@pytest.mark.parametrize("inversion", ["after", "joint"])
def test_images_of_weight_zero_have_no_part_in_the_margin(make, X, y, blackbox, inversion):
    # One batch an epoch; other labels for images without weight must change nothing.
    weight = np.where(np.arange(len(y)) < 8, 0, 1)
    other = np.where(weight == 0, 1 - y, y)
    models = [
        make(COMET1Classifier, blackbox=blackbox, inversion=inversion, augment=None)
        .fit(X, target, sample_weight=weight)
        .explain(X)
        for target in (y, other)
    ]
    np.testing.assert_array_equal(models[0].proba, models[1].proba)
    np.testing.assert_array_equal(models[0].selection_logits, models[1].selection_logits)


@given(
    st.lists(st.tuples(st.floats(-9, 9), st.integers(0, 5)), min_size=1, max_size=9).filter(
        lambda rows: sum(weight for _, weight in rows) > 0
    )
)
def test_means_of_a_batch_count_an_image_as_often_as_its_weight(rows):
    values, weights = (torch.tensor(column) for column in zip(*rows, strict=True))
    batch = {"weight": weights.float()}, torch.zeros(len(rows))
    found = Part(batch, 1.0, Group()).mean(values.float())
    repeated = values.float().repeat_interleave(weights.long()).mean()
    torch.testing.assert_close(found, repeated, atol=1e-5, rtol=1e-5)


def test_inverted_from_the_start_is_one_phase(make, X, y, blackbox):
    clf = make(COMET1Classifier, blackbox=blackbox).fit(X, y)
    assert clf.inversion == "joint"
    assert [row["phase"] for row in clf.history_] == ["joint"]


def test_inverted_shows_what_the_mask_removes(toy_step):
    step, seen = toy_step(toy_model()), []
    step.model.classifier.register_forward_pre_hook(lambda m, inputs: seen.append(inputs[0]))
    COMETObjective(0.2, 4.0, 2.0, 100.0, inverted=True)(step)
    mask = step.model.score(step.images, step.regions).maps[:, 0].sigmoid()
    torch.testing.assert_close(
        seen[0], apply_mask(step.images, to_pixels(1 - mask, step.regions))
    )


def test_after_training_another_classifier_learns_from_the_inverse(make, X, y, blackbox):
    after = {"max_epochs": 2, "inversion": "after"}
    clf = make(COMET1Classifier, blackbox=blackbox, **after).fit(X, y)
    assert [row["phase"] for row in clf.history_] == 2 * ["joint"] + 2 * ["inverse"]
    upright = make(COMETClassifier, blackbox=blackbox, max_epochs=2).fit(X, y)
    own, same = (c.module_.selector.state_dict() for c in (clf, upright))
    assert all(torch.equal(own[name], same[name]) for name in same)
    moved = clf.module_.classifier.state_dict(), upright.module_.classifier.state_dict()
    assert not torch.equal(*(next(iter(state.values())) for state in moved))
    exp, up = clf.explain(X), upright.explain(X)
    torch.testing.assert_close(
        torch.tensor(exp.soft_region_masks), 1 - torch.tensor(up.soft_region_masks)
    )


def test_inverse_objective_is_the_cross_entropy_of_what_the_mask_removes(toy_step):
    step = toy_step(toy_model())
    terms = inverse_objective(step)["cross_entropy"]
    mask = step.model.score(step.images, step.regions).maps[:, 0].sigmoid()
    shown = step.images * (1 - to_pixels(mask, step.regions))[:, None]
    logits = step.model.classifier(shown)
    wanted = nn.functional.cross_entropy(logits, step.target, reduction="none")
    torch.testing.assert_close(terms, wanted)
    assert torch.autograd.grad(
        terms.sum(), list(step.model.selector.parameters()), allow_unused=True
    ) == (None,) * len(list(step.model.selector.parameters()))


def test_detector_stays_as_it_was_to_the_last_buffer(make, X, y, blackbox):
    clf = make(COMETClassifier, blackbox=blackbox, max_epochs=2).fit(X, y)
    before = blackbox.module_.classifier.state_dict()
    after = clf.module_.blackbox.state_dict()
    assert any("running_mean" in name for name in before)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [row["phase"] for row in clf.history_] == ["joint", "joint"]


def test_black_box_of_its_own_where_none_is_given(make, X, y):
    clf = make(COMETClassifier).fit(X, y)
    assert [row["phase"] for row in clf.history_] == ["blackbox", "joint"]


def test_shared_black_box_must_fit(make, X, y, blackbox):
    with pytest.raises(InputError, match="classes"):
        make(COMETClassifier, blackbox=blackbox).fit(X, y + 5)
    with pytest.raises(InputError, match="classifier network"):
        make(
            COMETClassifier,
            blackbox=blackbox,
            classifier="test_byobnet",
        ).fit(X, y)


def test_frozen_black_box_survives_a_clone(make, X, y, blackbox):
    from sklearn.base import clone

    shared = clone(make(COMETClassifier, blackbox=FrozenEstimator(blackbox))).fit(X, y)
    assert len(shared.history_) == 1
    lost = clone(make(COMETClassifier, blackbox=blackbox)).fit(X, y)
    assert len(lost.history_) == 2


def test_soft_is_what_was_seen_and_hard_is_what_counts(make, X, y, blackbox):
    clf = make(COMETClassifier, blackbox=blackbox, regions="pixel", tau=0.25).fit(X, y)
    soft = clf.explain(X)
    assert soft.soft_region_masks.min() > 0  # nothing is hidden for good
    assert (soft.kept_fraction == 1).all()
    assert (soft.pixel_masks.mean(axis=(1, 2)) == 0.25).all()
    hard = clf.set_params(mask="hard").explain(X)
    assert hard.soft_region_masks is None
    assert (hard.pixel_masks == soft.pixel_masks).all()
    assert abs(hard.proba - soft.proba).max() > 1e-4


def test_comet_1_ranks_the_other_way_round(make, X, y, blackbox):
    own = {"blackbox": blackbox, "regions": "pixel"}
    upright = make(COMETClassifier, **own).fit(X, y)
    inverse = make(COMET1Classifier, **own, max_epochs=0).fit(X, y)
    inverse.module_.load_state_dict(upright.module_.state_dict())
    scores, wanted = (c.explain(X).selection_logits for c in (inverse, upright))
    torch.testing.assert_close(torch.tensor(scores), torch.tensor(-wanted))
