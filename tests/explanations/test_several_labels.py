"""What explanations, figures, reports and scores make of several labels for each image."""

import json
import re

import numpy as np
import pytest
from matplotlib.text import Text
from sick_leaves import NAMES, PROBA, SAID, Y, sick_leaves
from sklearn.metrics import accuracy_score

from p2pselect import metrics
from p2pselect.exceptions import InputError
from p2pselect.explanations import (
    ConfusionExamplesDisplay,
    EvidenceCurveDisplay,
    Explanation,
    ReliabilityDisplay,
    compare,
    explanation_summary,
    plot_page,
)
from p2pselect.explanations.figures._photographs import photograph
from p2pselect.explanations.report._payload import image_payload


def test_what_is_said():
    exp = sick_leaves()
    assert exp.predicted_names.tolist() == SAID
    np.testing.assert_array_equal(exp.predicted, PROBA > 0.5)
    np.testing.assert_allclose(exp.certainty, [0.9, 0.7, 0.97, 0.6], rtol=1e-6)
    assert exp.unanswered_reasons == [[], ["uncertain"], [], ["uncertain"]]
    about_rust = sick_leaves(target=1)
    np.testing.assert_allclose(about_rust.certainty, [0.98, 0.98, 0.99, 0.9], rtol=1e-6)
    assert about_rust.predicted_names.tolist() == ["none", "none", "rust", "rust"]


def test_scores_of_several_labels():
    exp, right = sick_leaves(), np.array([True, False, True, True])
    assert metrics.get_scorer("selective_accuracy").func(exp, y=Y) == 1
    assert accuracy_score(Y, exp.predicted) == right.mean()
    curve = metrics.threshold_curve(exp, Y, [0.56, 0.89])
    assert curve.coverage.tolist() == [1, 0.5]
    assert curve.accuracy.tolist() == [0.75, 0.75]
    np.testing.assert_allclose(curve.kept_fraction[0], np.mean([0.25, 0.5, 0.25, 1]))


def test_fidelity_follows_the_whole_set_of_labels():
    exp = sick_leaves()

    def predict_proba(images):
        """The mean color of an image."""
        return images.mean(axis=(1, 2)) / 255

    own = predict_proba(exp.masked_images) > 0.5
    rest = exp.images - exp.masked_images
    differs = (own != (predict_proba(rest) > 0.5)).any(axis=1)
    assert metrics.complement_disagreement(exp, predict_proba) == differs.mean()
    curve = metrics.insertion_probability_curve(exp, predict_proba, grid=(0.0, 1.0))
    p = predict_proba(exp.images)
    whole = np.where(p > 0.5, p, 1 - p).prod(axis=1)
    np.testing.assert_allclose(curve.per_image[:, -1], whole, rtol=1e-6)


def test_a_summary_has_a_row_for_every_label():
    rows = {row["class"]: row for row in explanation_summary(sick_leaves(), Y)}
    assert [rows[name]["n_images"] for name in NAMES] == [2, 2, 1]
    assert [rows[name]["right"] for name in NAMES] == [1, 1, 1]
    assert rows["miner"]["answered"] == 0.5
    wrong = explanation_summary(sick_leaves(), Y[:, [1, 0, 2]])
    assert [row["right"] for row in wrong[:2]] == [0.5, 0.5]


def test_other_programs_are_told_every_label():
    exp = sick_leaves()
    data = exp.to_coco(["a", "b", "c", "d"])
    found = [(one["image_id"], one["category_id"]) for one in data["annotations"]]
    assert found == [(0, 0), (0, 2), (2, 1), (3, 0), (3, 1)]
    assert data["annotations"][1]["score"] == pytest.approx(0.9)
    pytest.importorskip("pandas")
    assert exp.to_frame()["prediction"].tolist() == SAID


def test_the_page_tells_right_from_wrong(tmp_path):
    sick_leaves().to_html(tmp_path / "page.html", y=Y)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'type="application/json"[^>]*>(.*?)</script>', page, re.S)[1])
    assert data["labels"] == NAMES.tolist() and data["multilabel"] is True
    assert "What it looks at, label by label" in page and "each predicted label." in page
    assert [item["predicted"] for item in data["images"]] == ["101", "000", "010", "110"]
    assert [item["truth"] for item in data["images"]] == ["101", "100", "010", "110"]
    one = sick_leaves(target=1)[0]
    payload = image_payload(one, photograph(one, 0))
    assert payload["predicted"] == "-0-" and payload["top"] == [1]


def test_figures_draw_them():
    exp = sick_leaves()
    figure = plot_page(exp, Y, n_images=4, random_state=0)
    titles = {ax.get_title(loc="left") for ax in figure.axes}
    assert {"✓ rust", "✗ none (is miner)"} <= titles
    words = [text.get_text() for text in exp.plot(0).findobj(Text)]
    assert any("Predicted: miner, phoma" in text for text in words)
    shown = EvidenceCurveDisplay.from_explanation(exp, 0)
    assert shown.labels == ["miner", "phoma", "rust"]
    dashed = [line.get_ydata()[0] for line in shown.ax_.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed, [0.9, 0.1])
    assert EvidenceCurveDisplay.from_explanation(sick_leaves(target=1), 0).labels == ["rust"]
    ReliabilityDisplay.from_explanation(exp, Y)
    assert "miner, phoma" in exp[0]._repr_html_()
    with pytest.raises(InputError, match="one class per image, not several labels"):
        ConfusionExamplesDisplay.from_explanation(exp, Y)


def test_models_are_compared_by_their_sets_of_labels():
    first = sick_leaves()
    other = np.array(PROBA)
    other[0, 1] = 0.7
    second = Explanation(**{**vars(first), "proba": other.astype(np.float32)})
    found = compare(first, second, Y)
    frame = found.to_frame()
    assert frame["agree"].tolist() == [False, True, True, True]
    assert frame["right: first"].tolist() == [True, False, True, True]
    assert frame["second"][0] == "miner, rust, phoma" and frame["true"][1] == "miner"
