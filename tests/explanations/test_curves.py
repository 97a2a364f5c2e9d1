"""The learning curves of the report: what is drawn is what the history says."""

import re

import numpy as np
import pytest

from p2pselect.exceptions import InputError
from p2pselect.explanations import write_html
from p2pselect.explanations.report._curves import learning_curves

HISTORY = [
    {
        "epoch": epoch + 1,
        "phase": "joint",
        "train_loss": 2 * 0.8**epoch,
        "valid_loss": float("inf") if epoch < 2 else 2.5 * 0.8**epoch,
        "valid_acc": 1 - 0.9**epoch,
        "valid_kept": 0.9**epoch,
        "batches": [{"train_loss": 99}],
    }
    for epoch in range(10)
]


def curves(text):
    """Points of every curve in data units, by the lines of the grid below and above them."""
    found = []
    for figure in text.split("<figure>")[1:]:
        ys = sorted({float(y) for y in re.findall(r'class="grid" .*? y1="([\d.]+)"', figure)})
        for line in re.findall(r'<polyline class="curve curve-\d" points="(.*?)"', figure):
            points = np.array([point.split(",") for point in line.split()], float)
            found.append((points[:, 0], (ys[-1] - points[:, 1]) / (ys[-1] - ys[0])))
    return found


def test_curves_are_the_values_of_the_history():
    text = learning_curves(HISTORY)
    names = re.findall(r'class="name-\d" .*?>(.*?)</text>', text)
    assert names == [
        "held out 0.336",
        "training 0.268",
        "right answers 61%",
        "pixels shown 39%",
    ]
    # The curves are in the order of their ends, as their names are, and the highest is 2.
    order = ("valid_loss", "train_loss", "valid_acc", "valid_kept")
    drawn = dict(zip(order, curves(text), strict=True))
    for name, (at, values) in drawn.items():
        # Infinite values are left out, and the others keep their epochs.
        known = HISTORY[2:] if name == "valid_loss" else HISTORY
        highest = 2 if name.endswith("loss") else 1
        expected = [row[name] / highest for row in known]
        np.testing.assert_allclose(values, expected, atol=0.005)
        np.testing.assert_allclose(at, drawn["train_loss"][0][-len(known) :], atol=0.2)
    assert 'aria-label="Loss after 10 epochs: training 0.268, held out 0.336"' in text


def test_without_held_out_images_there_is_the_loss_alone():
    text = learning_curves([{"train_loss": 1.0}, {"train_loss": 0.5}])
    assert text.count("<svg") == 1 and "held out" not in text.lower()


def test_an_epoch_is_a_point_and_none_is_nothing():
    text = learning_curves([{"train_loss": 0.0}])
    assert text.count("<circle") == 1 and "nan" not in text
    for nothing in ([], [{"phase": "warm-up"}], [{"train_loss": float("nan")}]):
        assert learning_curves(nothing) == ""


def test_names_of_curves_that_end_at_the_same_place_do_not_overlap():
    text = learning_curves([{"valid_acc": 0.5, "valid_kept": 0.5}])
    first, second = (float(y) for y in re.findall(r'class="name-\d" .*? y="([\d.]+)"', text))
    assert second - first >= 16


def test_negative_losses_stay_inside():
    text = learning_curves([{"train_loss": value} for value in (1.0, -1.0)])
    ((_, values),) = curves(text)
    np.testing.assert_allclose(values, [1, 0])


@pytest.mark.parametrize("history", ["history.json", [1, 2], [["train_loss", 1]]])
def test_what_is_no_history_is_refused(history, made, tmp_path):
    with pytest.raises(InputError, match="one dict for each epoch"):
        write_html(made.explanation, tmp_path / "r.html", history=history)
    assert not (tmp_path / "r.html").exists()


def test_the_page_draws_them_without_script_or_inline_style(made, tmp_path):
    write_html(made.explanation, tmp_path / "r.html", history=HISTORY)
    (section,) = re.findall(
        '<section aria-labelledby="curves-title">.*?</section>',
        (tmp_path / "r.html").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert "style=" not in section and "<script" not in section
    write_html(made.explanation, tmp_path / "r.html")
    assert "<svg" not in (tmp_path / "r.html").read_text(encoding="utf-8")
