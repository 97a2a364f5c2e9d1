"""Methods that learn from masks: their loss, and a shortcut that they leave."""

import numpy as np
import pytest
import torch
from methods.training_step import N_IMAGES, Trainee, drawn_again
from oracles import objectives as oracle
from torch import nn

from p2pselect import P2PClassifier, SuperpixelTransformer, methods
from p2pselect.exceptions import InputError

WEIGHT = 3.0
LEARNERS = {
    "p2p": {"objective__mask_weight": WEIGHT, "tau": 0.3, "objective__random_share": 0.0},
    "invase": {"mask_weight": WEIGHT},
    "realx": {"mask_weight": WEIGHT},
}
#: The phase in which the selector learns.
PHASE = {"p2p": 1, "invase": 0, "realx": 1}


def masked(own):
    """A trainee's masks: of two images, of which one has wanted pixels, too."""
    _, height, width = own.batch[0]["regions"].shape
    masks = torch.ones(N_IMAGES, height, width, dtype=torch.uint8)
    masks[0, :3] = 0
    masks[2, :, :4], masks[2, 6:] = 0, 2
    return masks


def logits_of(own):
    inputs = own.batch[0]
    images = inputs["images"].permute(0, 3, 1, 2).float()
    return own.module.score(images, inputs["regions"]).maps[:, 0]


@pytest.mark.parametrize("name", LEARNERS)
def test_masks_add_their_term_and_nothing_else(name):
    own = Trainee(methods.METHODS[name].cls, **LEARNERS[name])
    before = own.step(PHASE[name], 0.7)
    masks = masked(own)
    own.batch[0]["masks"] = masks
    after = own.step(PHASE[name], 0.7)
    own.module.zero_grad()
    logits = logits_of(own)
    regions, weight = own.batch[0]["regions"], own.batch[0]["weight"]
    term = [
        WEIGHT * oracle.evidence(*one)
        for one in zip(logits.tolist(), regions.tolist(), masks.tolist(), strict=True)
    ]
    assert term[1] == term[3] == 0 < min(term[0], term[2])
    expected = (torch.tensor(term) * weight).mean().item()
    assert after.loss - before.loss == pytest.approx(expected, rel=1e-4)
    # By what the gradients of the selector differ is the gradient of that term.
    penalty = methods._base.evidence_penalty(logits, regions, masks)
    (WEIGHT * penalty * weight).mean().backward()
    for part, parameter in own.module.named_parameters():
        if part.startswith("selector"):
            difference = after.gradients[part] - before.gradients[part]
            torch.testing.assert_close(difference, parameter.grad, rtol=1e-3, atol=1e-5)
        elif part in before.gradients:
            torch.testing.assert_close(after.gradients[part], before.gradients[part])


def test_masks_do_not_change_what_a_tau_stands_for():
    own = Trainee(P2PClassifier, objective__mask_weight=WEIGHT, objective__random_share=0.0)
    before = own.step(1, 0.7)
    own.batch[0]["masks"] = masks = masked(own)
    after = own.step(1, 0.7)
    tau = 0.05 + 0.95 * drawn_again().rand_like(torch.empty(N_IMAGES))
    logits = logits_of(own) + own.module.selector.tau_offset(tau)[:, :1]
    regions, weight = own.batch[0]["regions"].tolist(), own.batch[0]["weight"]
    term = [
        oracle.evidence(*one)
        for one in zip(logits.tolist(), regions, masks.tolist(), strict=True)
    ]
    expected = WEIGHT * (torch.tensor(term) * weight).mean().item()
    assert after.loss - before.loss == pytest.approx(expected, rel=1e-4)
    slope = "selector.raw_slope"
    torch.testing.assert_close(after.gradients[slope], before.gradients[slope])


def test_who_cannot_learn_from_masks_says_so():
    images, y = np.zeros((4, 8, 8, 3), np.uint8), [0, 1, 0, 1]
    for method in methods.METHODS.values():
        learns = any("mask_weight" in name for name in method.cls().get_params())
        assert learns == (method.name in LEARNERS) == method.cls._learns_from_masks
        if not learns:
            with pytest.raises(InputError, match="cannot learn from masks") as error:
                method.cls().fit(images, y, masks=[None] * 4)
            assert "\n" not in str(error.value)


# -- A shortcut -----------------------------------------------------------------------------

CELL, SIDE = 4, 16
SHORTCUT = np.array([[230, 20, 20], [20, 20, 230]])
OBJECT = np.array([[40, 200, 40], [220, 200, 30]])


def scenes(n, seed):
    """The label is the color of a stamp, and nine times out of ten also that of an object."""
    rng = np.random.default_rng(seed)
    x = rng.integers(90, 160, (n, 4, 4, 1)) + rng.integers(-15, 15, (n, 4, 4, 3))
    y = rng.integers(0, 2, n)
    places = np.array([rng.permutation(16)[:2] for _ in range(n)])
    shown = np.where(rng.random(n) < 0.9, y, 1 - y)
    rows = np.arange(n)
    x[rows, places[:, 0] // 4, places[:, 0] % 4] = SHORTCUT[y]
    x[rows, places[:, 1] // 4, places[:, 1] % 4] = OBJECT[shown]
    grown = np.repeat(np.repeat(x, CELL, axis=1), CELL, axis=2).astype(np.uint8)
    stamps = np.zeros((n, 16), bool)
    stamps[rows, places[:, 0]] = True
    stamps = stamps.reshape(n, 4, 4).repeat(CELL, axis=1).repeat(CELL, axis=2)
    return grown, y, stamps


def selector(n_maps):
    return nn.Sequential(
        nn.AvgPool2d(CELL), nn.Conv2d(3, 24, 1), nn.ReLU(), nn.Conv2d(24, n_maps, 1)
    )


def classifier(n_classes):
    return nn.Sequential(
        nn.AvgPool2d(CELL),
        nn.Conv2d(3, 24, 1),
        nn.ReLU(),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        nn.Linear(24, n_classes),
    )


@pytest.fixture(scope="module")
def learned():
    x, y, stamps = scenes(300, seed=0)
    settings = {
        "selector": selector,
        "classifier": classifier,
        "pretrained": False,
        "regions": SuperpixelTransformer(n_segments=16, engine="grid"),
        "image_size": SIDE,
        "batch_size": 50,
        "lr": 0.02,
        "max_epochs": 25,
        "augment": None,
        "validation": None,
        "random_state": 0,
        # One region; and nothing but what is in it says what the label is.
        "tau": 0.1,
        "selection": "budget",
        "objective__random_share": 0.5,
    }

    def fit(mask_of=None):
        masks = None
        if mask_of is not None:
            masks = [mask_of(*one) if i % 5 == 0 else None for i, one in enumerate(known)]
        return P2PClassifier().set_params(**settings).fit(x, y, masks=masks)

    known = list(zip(stamps, objects_in(x, stamps), strict=True))
    return fit


def objects_in(x, stamps):
    return (np.ptp(x.astype(int), axis=3) > 100) & ~stamps


def shares_shown(clf):
    """Of new images, those in which the stamp and the object are shown, and the accuracy."""
    x, y, stamps = scenes(200, seed=1)
    kept = clf.transform(x)
    shown = [(kept & part).any(axis=(1, 2)).mean() for part in (stamps, objects_in(x, stamps))]
    return *shown, clf.score(x, y)


def test_masks_of_a_fifth_of_the_images_move_the_selection_off_a_shortcut(learned):
    stamp, _, accuracy = shares_shown(learned())
    assert stamp > 0.9 and accuracy > 0.95
    stamp, object_, accuracy = shares_shown(learned(lambda stamp, _: ~stamp))
    assert stamp < 0.1 and object_ > 0.8 and 0.8 < accuracy < 0.95


def test_what_is_missing_comes_to_be_shown(learned):
    stamp, object_, _ = shares_shown(learned(lambda _, object_: np.where(object_, 2, 1)))
    assert stamp < 0.2 and object_ > 0.8
