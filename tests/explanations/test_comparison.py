"""Two models on the same images, by a slow second way."""

from dataclasses import replace

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.explanations import compare, example_explanation


@pytest.fixture(scope="module")
def other(made):
    """Another model: it shows fewer regions, and names the next class for every third image."""
    exp = made.explanation
    masks = exp.region_masks.copy()
    for own, order in zip(masks, exp.ranking, strict=True):
        own[order[own.sum() // 2 + 1 :]] = False
    proba = exp.proba.copy()
    proba[::3] = np.roll(proba[::3], 1, axis=1)
    return replace(exp, region_masks=masks, proba=proba)


@pytest.fixture(scope="module")
def found(made, other):
    return compare(made.explanation, other, made.y)


def test_every_figure_is_that_of_a_loop(made, other, found):
    exp = made.explanation
    n = len(exp)
    right, agree, overlap = [], 0, []
    for i in range(n):
        right.append((exp.predicted[i] == made.y[i], other.predicted[i] == made.y[i]))
        agree += exp.predicted[i] == other.predicted[i]
        a, b = exp.pixel_masks[i], other.pixel_masks[i]
        overlap.append((a & b).sum() / (a | b).sum())
    mean = {name: figure[0] for name, figure in found.figures.items()}
    assert mean["agree"] == pytest.approx(agree / n) and 0.5 < mean["agree"] < 1
    assert mean["right: difference"] == pytest.approx(
        sum(b - a for a, b in np.int64(right)) / n
    )
    for name, pair in {
        "only first is right": (True, False), "only second is right": (False, True),
        "both are right": (True, True), "neither is right": (False, False),
    }.items():  # fmt: skip
        assert mean[name] == pytest.approx(right.count(pair) / n)
    assert mean["only first is right"] > 0 and mean["neither is right"] > 0
    np.testing.assert_allclose(found.mask_iou, overlap)
    difference = (other.kept_fraction - exp.kept_fraction).mean()
    assert mean["kept: difference"] == pytest.approx(difference) and difference < 0


def test_the_interval_of_a_difference_is_one_of_pairs(made):
    """Models that fail on the same images: the difference is known well, either share badly."""
    many = example_explanation(n_images=80, image_size=16, n_segments=8, random_state=0)
    exp, y = many.explanation, many.y.copy()
    y[: len(y) // 2] = np.roll(exp.classes, 1)[exp.proba.argmax(axis=1)][: len(y) // 2]
    proba = exp.proba.copy()
    proba[-1] = np.roll(proba[-1], 1)
    figures = compare(exp, replace(exp, proba=proba), y).figures
    _, low, high = figures["right: first"]
    _, least, most = figures["right: difference"]
    assert high - low > 0.15 and most - least < 0.06
    together = compare(exp, exp, y, groups=np.arange(80) // 40).figures["right: first"]
    assert together[2] - together[1] > 2 * (high - low)


def test_a_model_agrees_with_itself(made):
    same = compare(made.explanation, made.explanation)
    assert same.figures["agree"].tolist() == [1, 1, 1] and same.mask_iou.min() == 1
    assert same.figures["kept: difference"].tolist() == [0, 0, 0]
    assert "right: first" not in same.figures and "true" not in same.to_frame()
    assert repr(same) == "Comparison(12 images, 100.0% predicted alike)"


def test_what_is_printed_and_the_frame_say_the_same(made, other, found):
    value, low, high = found.figures["right: difference"]
    assert f"right: difference{value:+13.3f}   ({low:+.3f} to {high:+.3f})" in str(found)
    assert len(str(found).splitlines()) == 1 + len(found.figures)
    frame = found.to_frame([f"{i}.jpg" for i in range(12)])
    assert frame["right: second"].mean() == pytest.approx(found.figures["right: second"][0])
    assert frame["mask_iou"].tolist() == found.mask_iou.tolist()
    assert frame["second"].tolist() == other.predicted.tolist() and frame["image"][3] == "3.jpg"


def test_grids_may_differ_if_the_photographs_are_the_same(made):
    """The same masks on a grid of half the size, of the same photographs."""
    exp = made.explanation
    half = replace(
        exp, images=exp.images[:, ::2, ::2], regions=exp.regions[:, ::2, ::2],
        original_sizes=np.full((12, 2), 64),
    )  # fmt: skip
    overlap = compare(exp, half).mask_iou
    assert (overlap > 0.7).all() and (overlap < 1).any()


def test_empty_masks_have_no_overlap_and_do_not_count(made):
    nothing = replace(made.explanation, region_masks=made.explanation.region_masks & False)
    assert compare(made.explanation, nothing).figures["mask_iou"].tolist() == [0, 0, 0]
    assert np.isnan(compare(nothing, nothing).figures["mask_iou"]).all()
    assert "nan" in str(compare(nothing, nothing))


def test_one_image(made):
    one = made.explanation[0]
    assert compare(one, one, made.y[:1]).figures["agree"][0] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda exp: exp[:3], "same images: got 12 and 3"),
        (lambda exp: exp[::-1], "image 0 is another one"),
        (lambda exp: replace(exp, classes=exp.classes[::-1]), "same classes"),
        (lambda exp: replace(exp, original_sizes=np.full((12, 2), 9)), "image 0 is another"),
        (lambda exp: exp.proba, "second must be an Explanation, got ndarray"),
    ],
)
def test_what_cannot_be_compared_is_refused(made, change, message):
    with pytest.raises(InputError, match=message):
        compare(made.explanation, change(made.explanation))


def test_labels_and_groups_have_to_fit(made):
    exp = made.explanation
    with pytest.raises(InputError, match="both explanations are empty"):
        compare(exp[:0], exp[:0])
    with pytest.raises(InputError):
        compare(exp, exp, made.y[:3])
    with pytest.raises(InputError, match=r"groups must have shape \(12,\)"):
        compare(exp, exp, groups=[1, 2])
