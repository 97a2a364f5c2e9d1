"""What the model looks at, class by class."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils import Bunch

from p2pselect.exceptions import InputError
from p2pselect.explanations._summary import explanation_summary
from p2pselect.explanations.report._page import class_table


@pytest.fixture(scope="module")
def made(made):
    """The explanation with more images that are not answered, among them all of one class."""
    exp = made.explanation
    answered = (np.arange(len(exp)) % 2 == 0) & (exp.predicted != exp.predicted[0])
    return Bunch(**{**made, "explanation": replace(exp, answered=answered)})


@pytest.fixture(scope="module")
def rows(made):
    return explanation_summary(made.explanation, made.y, made.object_masks)


def test_figures_are_means_over_the_predictions_of_a_class(made, rows):
    exp = made.explanation
    assert [row["class"] for row in rows] == exp.classes.tolist()
    for row in rows:
        chosen = exp.predicted == row["class"]
        assert row["n_images"] == chosen.sum()
        if not chosen.any():
            assert np.isnan(row["kept_fraction"]) and row["typical_regions"] == []
            continue
        assert row["right"] == pytest.approx(np.mean(made.y[chosen] == row["class"]))
        assert row["kept_fraction"] == pytest.approx(exp.kept_fraction[chosen].mean())
        assert row["answered"] == pytest.approx(exp.answered[chosen].mean())
        these = chosen & exp.answered
        kept_of_these = exp.kept_fraction[these].mean() if these.any() else np.nan
        assert row["answered_kept_fraction"] == pytest.approx(kept_of_these, nan_ok=True)
        right = np.mean(made.y[these] == row["class"]) if these.any() else np.nan
        assert row["answered_right"] == pytest.approx(right, nan_ok=True)
        outside = []
        for i in np.flatnonzero(chosen):
            kept = exp.pixel_masks[i]
            outside.append((kept & ~made.object_masks[i]).sum() / kept.sum())
        assert row["outside"] == pytest.approx(np.mean(outside))
        assert row["from_outside"] == pytest.approx(np.mean(np.array(outside) > 0.5))


def test_a_shortcut_shows(made):
    everywhere = explanation_summary(made.explanation, object_masks=made.object_masks * 0)
    for row in everywhere:
        if row["n_images"]:
            assert row["outside"] == row["from_outside"] == 1
            assert all(kind["outside"] == 1 for kind in row["typical_regions"])


def test_without_labels_and_masks_those_figures_are_missing(made):
    row = next(row for row in explanation_summary(made.explanation) if row["n_images"])
    assert np.isnan(row["right"]) and np.isnan(row["outside"]) and np.isnan(row["from_outside"])


def test_typical_regions_are_ordered_and_their_crops_are_of_the_class(made, rows):
    for row in rows:
        shares = [kind["share"] for kind in row["typical_regions"]]
        assert shares == sorted(shares, reverse=True) and sum(shares) <= 1 + 1e-9
        for kind in row["typical_regions"]:
            assert kind["crops"].shape[1:] == (96, 96, 3) and 1 <= len(kind["crops"]) <= 3


def test_regions_of_two_colors_fall_into_two_clusters(made):
    exp = made.explanation
    images = np.zeros_like(exp.images)
    images[::2, ..., 0] = 255
    images[1::2, ..., 2] = 255
    classes = np.array(["red", "blue"])
    proba = np.zeros((len(exp), 2), np.float32)
    proba[::2, 0] = proba[1::2, 1] = 1
    plain = replace(
        exp, images=images, classes=classes, proba=proba, region_embeddings=None,
        path_proba=None,
    )  # fmt: skip
    red, blue = explanation_summary(plain, n_clusters=2)
    assert red["typical_regions"][0]["share"] == blue["typical_regions"][0]["share"] == 1
    assert red["typical_regions"][0]["cluster"] != blue["typical_regions"][0]["cluster"]


def test_it_is_deterministic(made, rows):
    again = explanation_summary(made.explanation, made.y, made.object_masks)
    for a, b in zip(rows, again, strict=True):
        for x, y in zip(a["typical_regions"], b["typical_regions"], strict=True):
            np.testing.assert_array_equal(x["crops"], y["crops"])


def test_nothing_kept(made):
    exp = made.explanation
    empty = replace(exp, region_masks=np.zeros_like(exp.region_masks))
    rows = explanation_summary(empty, object_masks=made.object_masks)
    assert all(row["typical_regions"] == [] for row in rows)


def test_one_image(made):
    rows = explanation_summary(made.explanation[:1], made.y[:1])
    assert sum(row["n_images"] for row in rows) == 1


def test_as_frame(made):
    frame = explanation_summary(made.explanation, made.y, as_frame=True)
    assert frame["n_images"].sum() == len(made.explanation)


@pytest.mark.parametrize("change", [{"y": [1]}, {"object_masks": np.zeros((2, 64, 64), bool)}])
def test_what_does_not_fit_is_refused(made, change):
    with pytest.raises(InputError):
        explanation_summary(made.explanation, **change)


def test_section_escapes_and_leaves_out_empty_columns(made):
    exp = replace(made.explanation, classes=np.array([f"<b>{i}</b>" for i in range(10)]))
    text = class_table(exp, None)
    assert "<b>" not in text and "&lt;b&gt;" in text
    assert "outside the object" not in text and ">right<" not in text
    assert "outside the object" in class_table(exp, None, made.object_masks)


def test_a_class_of_which_nothing_is_shown_keeps_the_column(made):
    exp = made.explanation
    (labels, counts) = np.unique(exp.predicted, return_counts=True)
    most = exp.predicted == labels[counts.argmax()]
    empty = replace(exp, region_masks=exp.region_masks & ~most[:, None])
    rows = re.findall(
        '<tr><th scope="row">.*?</tr>', class_table(empty, None, made.object_masks)
    )
    cells = [re.search('outside the object">(.*?)</td>', row)[1] for row in rows]
    assert cells[0] == "–" and "–" not in cells[1:] and "nan" not in "".join(cells)


def test_masks_that_miss_the_object_are_warned_of(made):
    text = class_table(made.explanation, made.y, made.object_masks * 0)
    assert "⚠" in text and "not the object" in text
