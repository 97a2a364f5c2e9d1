"""A mask for every label: what is learned, what is shown, and where it is refused."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from two_labels import SETTINGS, two_labels

from p2pselect import P2PClassifier, SuperpixelTransformer, load
from p2pselect.exceptions import InputError
from p2pselect.methods._p2p_objective import P2PObjective, P2PObjectiveOptions
from p2pselect.nn import RegionScores, SelectiveModel
from p2pselect.nn._selectors import Selector
from p2pselect.training import Step

GRID = SuperpixelTransformer(n_segments=16, engine="grid")
#: Rows and columns of the patches that have the colors of the labels.
PATCHES = ((1, 0), (2, 3))


def unfitted(**changes):
    settings = {**SETTINGS, "regions": GRID, "networks__label_masks": True, **changes}
    return P2PClassifier().set_params(**settings)


@pytest.fixture(scope="module")
def learned():
    X, y = two_labels(256, seed=0)
    # Which regions are not needed takes more epochs with more random masks.
    clf = unfitted(max_epochs=40, certainty_threshold=0.9, objective__random_share=0.5)
    return clf.fit(X, y)


@pytest.fixture(scope="module")
def new():
    return two_labels(200, seed=1)


def shown(exp, label):
    """Whether the patch of a label is shown, (n,)."""
    row, column = PATCHES[label]
    return exp.pixel_masks[:, 8 * row, 8 * column]


def test_each_mask_shows_the_patch_of_its_own_label(learned, new):
    X, y = new
    both = X[y.all(axis=1)]
    for label in (0, 1):
        exp = learned.explain(both, target=label)
        assert shown(exp, label).mean() >= 0.9
        assert shown(exp, 1 - label).mean() <= 0.4
        accuracy = (learned.explain(X, target=label).predicted[:, label] == y[:, label]).mean()
        assert accuracy >= 0.9
    assert learned.score(X, y) >= 0.9


def test_what_is_shown_for_all_labels_is_the_union(learned, new):
    X = new[0][:50]
    own, differ = learned.set_params(search__allow_empty=True), []
    for tau in (0.1, 0.3, 0.6):
        of_each = [own.explain(X, target=label, tau=tau).region_masks for label in (0, 1)]
        union = own.explain(X, tau=tau).region_masks
        np.testing.assert_array_equal(union, of_each[0] | of_each[1])
        differ.append(not np.array_equal(*of_each))
    assert any(differ)
    own.set_params(search__allow_empty=False)


def test_the_classifier_says_the_same_of_what_it_saw(learned, new):
    for exp in (learned.explain(new[0][:20]), learned.explain(new[0][:20], target=1)):
        seen = learned.predict_proba_masked(exp.masked_images)
        np.testing.assert_allclose(seen, exp.proba, atol=1e-6)


def test_a_saved_model_has_the_same_masks(learned, new, tmp_path):
    clf = unfitted(
        selector="test_resnet",
        networks__selector_options={"strides": (4, 16), "head_channels": 8},
        classifier="test_resnet",
        max_epochs=0,
    ).fit(new[0][:20], new[1][:20])
    clf.save(tmp_path / "own.model")
    again = load(tmp_path / "own.model")
    for target in (None, 0, 1):
        want, got = (m.explain(new[0][:9], target=target, tau=0.3) for m in (clf, again))
        np.testing.assert_array_equal(got.region_masks, want.region_masks)
        np.testing.assert_array_equal(got.selection_logits, want.selection_logits)


def test_one_class_of_several_has_no_mask_of_its_own(new):
    with pytest.raises(InputError, match=r"label_masks=True is for images with several labels"):
        unfitted(max_epochs=0).fit(new[0], new[1][:, 0])
    with pytest.raises(InputError, match="needs networks__tau_input='logit'"):
        unfitted(max_epochs=0, networks__tau_input="additive").fit(*new)


# -- one step of training ----------------------------------------------------------------------


def step_of(model, n=6, n_labels=3):
    rows, columns = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    regions = (rows // 2 * 4 + columns // 2).expand(n, 8, 8).contiguous()
    target = torch.arange(n * n_labels).view(n, n_labels) % 2
    return Step(model, torch.rand(n, 3, 8, 8), regions, target, torch.arange(n), 0.5)


def model_of(n_labels=3, k=2):
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, n_labels))
    selector = Selector(nn.Conv2d(3, n_labels + k, 3), k, n_masks=n_labels)
    return SelectiveModel(selector, classifier)


def test_scores_of_a_label():
    torch.manual_seed(0)
    model = model_of()
    step = step_of(model)
    scores = model.score(step.images, step.regions)
    assert scores.maps.shape == (6, 1 + 2, 16) and scores.by_label.shape == (6, 3, 16)
    torch.testing.assert_close(scores.maps[:, 0], scores.by_label.max(dim=1).values)
    asked = torch.tensor([0, 2, -1, 1, -1, 0])
    own = scores.of(asked)
    for image, label in enumerate(asked.tolist()):
        want = scores.maps[image, 0] if label < 0 else scores.by_label[image, label]
        torch.testing.assert_close(own.maps[image, 0], want)
    torch.testing.assert_close(own.maps[:, 1:], scores.maps[:, 1:])
    shared = SelectiveModel(nn.Conv2d(3, 3, 3), model.classifier)
    assert shared.score(step.images, step.regions).by_label is None


@pytest.mark.parametrize("weighted", [False, True])
def test_the_label_that_is_asked_about_counts_as_much_as_all(weighted):
    torch.manual_seed(0)
    step = step_of(None)
    weight = torch.rand(3, 2) if weighted else None
    object.__setattr__(step, "label_weight", weight)
    logits = torch.randn(6, 3, requires_grad=True)
    asked = torch.tensor([0, 2, -1, 1, -1, 0])
    found = step.cross_entropy(logits, asked=asked)
    each = F.binary_cross_entropy_with_logits(logits, step.target.float(), reduction="none")
    if weighted:
        each = each * torch.where(step.target > 0, weight[:, 1], weight[:, 0])
    for image, label in enumerate(asked.tolist()):
        want = each[image].sum() if label < 0 else 3 * each[image, label]
        torch.testing.assert_close(found[image], want)


def test_half_of_the_images_are_asked_about_a_label_each():
    objective = P2PObjective(P2PObjectiveOptions(random_share=0.5), 0.05)
    step = step_of(None, n=4000)
    scores = RegionScores(torch.zeros(4000, 1, 2), torch.ones(4000, 2))
    assert objective._asked(step, scores, None) is None
    scores = RegionScores(scores.maps, scores.areas, by_label=torch.zeros(4000, 3, 2))
    asked = objective._asked(step, scores, None)
    shares = torch.bincount(asked + 1, minlength=4) / 4000
    np.testing.assert_allclose(shares, [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.05)
    is_random = torch.arange(4000) % 2 == 0
    asked = objective._asked(step_of(None, n=4000), scores, is_random)
    assert (asked[is_random] == -1).all() and (asked[~is_random] >= 0).any()


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_every_map_learns(share):
    torch.manual_seed(0)
    model = model_of()
    terms = P2PObjective(P2PObjectiveOptions(random_share=share), 0.05)(step_of(model, n=40))
    assert all(value.shape == (40,) for value in terms.values())
    sum(value.sum() for value in terms.values()).backward()
    gradient = model.selector.pixel_scorer.weight.grad
    assert (gradient.abs().sum(dim=(1, 2, 3)) > 0).all()
