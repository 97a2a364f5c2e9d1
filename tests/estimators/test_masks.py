"""What ``fit`` makes of masks: forms, sizes, rows, and none at all."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.model_selection import PredefinedSplit, cross_validate
from two_patches import SETTINGS, two_patches

from p2pselect import Explanation, P2PClassifier, load, presets
from p2pselect.datasets import MaskSequence
from p2pselect.estimators._evidence_masks import read_evidence
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.images import as_images
from p2pselect.images._geometry import Grid
from p2pselect.persistence import describe

X, Y = two_patches(40, seed=0)
GRID = Grid((8, 8), "pad")
PHOTOS = as_images([np.zeros((16, 8, 3), np.uint8)] * 3)
LEFT = np.zeros((16, 8), bool)
LEFT[:, :4] = True


def make(**changes):
    return P2PClassifier(**{**SETTINGS, "max_epochs": 1, **changes})


def portable(**changes):
    """One that can be saved."""
    settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1, **changes}
    settings["objective__warmup_epochs"] = 0
    return P2PClassifier(random_state=0).set_params(**settings)


def weights(clf):
    return torch.cat([p.flatten() for p in clf.module_.parameters()])


def left(n=40):
    mask = np.zeros((32, 32), bool)
    mask[:, :16] = True
    return [mask if i % 4 == 1 else None for i in range(n)]


@pytest.mark.parametrize(
    "mask",
    [LEFT, LEFT.astype(int), LEFT.astype(np.uint8) * 255, LEFT.tolist(), LEFT[:8, ::2]],
    ids=["bool", "int", "255", "list", "small copy"],
)
def test_forms_of_object_masks(mask):
    known = read_evidence([None, mask, float("nan")], PHOTOS, GRID)
    assert known.places.tolist() == [-1, 0, -1]
    (own,) = known.maps
    # The photograph, twice as high as wide, has a border to either side.
    np.testing.assert_array_equal(own[:, 2:6], np.tile([1, 1, 0, 0], (8, 1)))
    assert (own[:, :2] == 1).all() and (own[:, 6:] == 1).all()


def test_masks_of_the_grid_and_wanted_pixels():
    mask = np.ones((8, 8), int)
    mask[0], mask[7] = 0, 2
    known = read_evidence([mask, None, mask], PHOTOS, GRID)
    assert known.rows.tolist() == [0, 2]
    np.testing.assert_array_equal(known.maps[0][:, 2:6], mask[:, 2:6])
    # Beside the photograph nothing is forbidden or wanted.
    assert (known.maps[0][:, :2] == 1).all()


@pytest.mark.parametrize(
    "given",
    [
        np.stack([LEFT, LEFT, LEFT]),
        np.stack([LEFT, LEFT, LEFT])[..., None],
        pd.Series([LEFT, None, LEFT], index=[7, 8, 9]),
        MaskSequence([0, 1, 2], lambda item: LEFT),
        torch.from_numpy(np.stack([LEFT, LEFT, LEFT])),
    ],
    ids=["array", "channel", "series", "sequence", "tensor"],
)
def test_forms_of_several_masks(given):
    known = read_evidence(given, PHOTOS, GRID)
    assert {0, 2} <= set(known.rows.tolist()) and known.maps.shape[1:] == (8, 8)


def test_masks_that_say_nothing_count_as_missing():
    anything = np.ones((16, 8), bool)
    assert read_evidence([None, anything, np.nan], PHOTOS, GRID) is None
    # The grid has a border, of which nobody says that it is forbidden.
    with pytest.warns(P2PSelectWarning, match="1 of the masks allow no pixel"):
        assert read_evidence([LEFT & False, None, anything], PHOTOS, GRID) is None


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        ([LEFT], "masks must have one entry per image.* got 1 masks for 3 images"),
        ("left", "masks must be an array"),
        ([None, LEFT.T, None], r"masks\[1\] has height and width exchanged"),
        (
            [None, None, np.zeros((9, 9), bool)],
            r"masks\[2\] must have the image's shape \(16, 8\)",
        ),
        ([LEFT * 0.5, None, None], r"masks\[0\] must be bool, or numbers that are 0 and 1"),
        ([LEFT * 3, None, None], r"masks\[0\] must be bool"),
        ([LEFT * 3 - 1, None, None], r"masks\[0\] must be 0, 1 and 2, got -1"),
        ([{"counts": []}, None, None], r"masks\[0\] must be an array"),
    ],
)
def test_masks_that_cannot_be_used(masks, message):
    with pytest.raises(InputError, match=message):
        read_evidence(masks, PHOTOS, GRID)


def test_a_fit_with_masks_that_cannot_be_used_changes_nothing():
    clf = make().fit(X, Y)
    before = weights(clf).clone()
    with pytest.raises(InputError, match="masks"):
        clf.fit(X, Y, masks=[None, LEFT])
    torch.testing.assert_close(weights(clf), before)


def test_without_masks_everything_is_as_it_was():
    plain = make().fit(X, Y)
    none = make().fit(X, Y, masks=[None] * 40)
    assert torch.equal(weights(plain), weights(none))
    assert "train_masks" not in none.history_[-1]
    assert plain.n_masks_seen_ == none.n_masks_seen_ == 0
    taught = make().fit(X, Y, masks=left())
    assert not torch.equal(weights(plain), weights(taught))
    assert taught.history_[-1, "train_masks"] > 0


def test_masks_follow_the_rows():
    fold = np.where(np.arange(40) % 8 == 1, 0, -1)
    clf = make(validation=PredefinedSplit(fold)).fit(X, Y, masks=left())
    assert clf.validation_rows_.tolist() == [1, 9, 17, 25, 33]
    assert clf.supervised_rows_.tolist() == [5, 13, 21, 29, 37]
    assert clf.n_masks_seen_ == 5
    # All of the held-out images have a mask, which their loss counts.
    assert clf.history_[-1, "valid_masks"] > 0
    shuffled = np.random.default_rng(0).permutation(40)
    masks = [left()[i] for i in shuffled]
    clf = make().fit(X[shuffled], Y[shuffled], masks=masks)
    assert (shuffled[clf.supervised_rows_] % 4 == 1).all() and clf.n_masks_seen_ == 10


def test_a_model_that_goes_on_says_that_masks_have_taught_it(tmp_path):
    clf = portable(warm_start=True).fit(X, Y, masks=left())
    clf.fit(X, Y)
    assert clf.supervised_rows_.size == 0 and clf.n_masks_seen_ == 10
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.n_masks_seen_ == 10
    exp = again.explain(X[:2])
    assert exp.n_masks_seen == exp[0].n_masks_seen == 10
    exp.save(tmp_path / "exp.npz")
    assert Explanation.load(tmp_path / "exp.npz").n_masks_seen == 10
    assert describe(tmp_path / "model")["masks"] == 10
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Masks of 10 images have taught it where the evidence is" in card
    objects = np.ones((2, 32, 32), bool)
    for taught in (exp, make().fit(X, Y).explain(X[:2])):
        taught.to_html(tmp_path / "page.html", object_masks=objects)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        is_said = taught.n_masks_seen > 0
        assert ("masks that it was taught by</dt><dd>10" in page) == is_said
        assert ("The masks of 10 images have taught the model" in page) == is_said
    again.set_params(warm_start=False).fit(X, Y)
    assert again.n_masks_seen_ == 0


def test_a_saved_model_learns_from_masks(tmp_path):
    portable().fit(X, Y).save(tmp_path / "model")
    clf = load(tmp_path / "model").set_params(warm_start=True)
    before = weights(clf).clone()
    clf.fit(X, Y, masks=left())
    assert len(clf.history_) == 2 and "train_masks" in clf.history_[-1]
    assert not torch.equal(weights(clf), before)


def test_masks_of_a_training_that_was_stopped(tmp_path):
    whole = make(max_epochs=2).fit(X, Y, masks=left())
    folder = {"training__checkpoint_dir": tmp_path}
    stopped = make(max_epochs=2, augment=_Stop(45)).set_params(**folder)
    with pytest.warns(P2PSelectWarning, match="interrupted after 1 full epochs"):
        stopped.fit(X, Y, masks=left())
    again = make(max_epochs=2, augment=_Stop(None)).set_params(**folder)
    again.fit(X, Y, masks=left())
    assert len([*tmp_path.iterdir()]) == 1
    torch.testing.assert_close(weights(again), weights(whole))


class _Stop:
    """Changes nothing, and stops the training after a given number of views."""

    def __init__(self, after):
        self.after = after

    def __reduce__(self):
        return _Stop, (None,)

    def __call__(self, images, regions, rng):
        if self.after is not None:
            self.after -= 1
            if self.after < 0:
                raise KeyboardInterrupt
        return images.copy(), regions.copy()


def test_masks_reach_fit_only_where_somebody_says_so():
    masks = np.stack([np.ones((32, 32), bool)] * 40)
    masks[::4, :, :16] = False
    seen = []

    class Scorer:
        def __call__(self, clf, X, y):
            seen.append(clf.n_masks_seen_)
            return 0.0

    with sklearn.config_context(enable_metadata_routing=True):
        for request in (False, True):
            clf = make().set_fit_request(masks=request)
            params = {"masks": masks} if request else None
            cross_validate(clf, X, Y, cv=2, scoring=Scorer(), params=params)
    assert seen[:2] == [0, 0] and sum(seen[2:]) == 10
    assert make().get_metadata_routing().fit.requests["masks"] is False
