"""Learning curves: the numbers of the history, phase by phase."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from p2pselect import P2PClassifier, datasets, load, presets
from p2pselect.exceptions import InputError
from p2pselect.explanations import LearningCurvesDisplay

ROWS = [
    {"phase": "warmup", "train_loss": 2.0, "valid_loss": np.inf},
    {"phase": "warmup", "train_loss": 1.5, "valid_loss": np.inf},
    {"phase": "joint", "train_loss": 3.0, "valid_loss": 3.5, "valid_acc": 0.5, "valid_kept": 1},
    {
        "phase": "joint",
        "train_loss": 2.5,
        "valid_loss": 2.9,
        "valid_acc": 0.7,
        "valid_kept": 0.4,
    },
]


def test_lines_end_with_their_phase():
    display = LearningCurvesDisplay.from_history(ROWS)
    losses, shares = display.ax_.child_axes
    drawn = [line.get_xydata() for line in losses.lines if line.get_linestyle() != ":"]
    finite = [line[~np.isnan(line[:, 1])].tolist() for line in drawn]
    assert finite == [[[1, 2.0], [2, 1.5]], [[3, 3.0], [4, 2.5]], [], [[3, 3.5], [4, 2.9]]]
    drawn = [line.get_xydata() for line in shares.lines if line.get_linestyle() != ":"]
    finite = [line[~np.isnan(line[:, 1])].tolist() for line in drawn]
    assert finite == [[], [[3, 0.5], [4, 0.7]], [], [[3, 1], [4, 0.4]]]
    words = [text.get_text() for text in losses.get_legend().get_texts()]
    assert words == ["training images", "held-out images"]
    assert [text.get_text() for text in losses.texts] == ["warmup", "joint"]
    borders = [line for line in losses.lines if line.get_linestyle() == ":"]
    assert [line.get_xdata()[0] for line in borders] == [2.5]


def test_without_held_out_images_there_are_losses_only():
    rows = [{"phase": "fit", "train_loss": 1.0}]
    display = LearningCurvesDisplay.from_history(rows)
    (losses,) = display.ax_.child_axes
    assert set(display.values) == {"train_loss"} and len(losses.lines) == 1
    display.figure_.canvas.draw()


def test_of_an_estimator_and_of_its_saved_model(tmp_path):
    scenes = datasets.make_digit_scenes(12, image_size=32, random_state=0)
    settings = {"image_size": 32, "regions": "grid", "max_epochs": 2, "validation": 0.25}
    clf = P2PClassifier(**{**presets.SMALL, **settings}, device="cpu", random_state=0)
    clf.set_params(objective__warmup_epochs=1)
    pipeline = make_pipeline(clf).fit(scenes.images, scenes.target % 2)
    display = LearningCurvesDisplay.from_estimator(pipeline)
    assert display.phases == ["warmup", "joint"]
    np.testing.assert_array_equal(display.values["train_loss"], clf.history_[:, "train_loss"])
    clf.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.history_[0, "valid_loss"] == np.inf
    restored = LearningCurvesDisplay.from_estimator(again)
    assert restored.phases == display.phases
    for name in ("train_loss", "valid_loss", "valid_acc", "valid_kept"):
        np.testing.assert_array_equal(restored.values[name], display.values[name])
    again.save(tmp_path / "model")
    assert len(load(tmp_path / "model").history_) == 2


def test_what_has_no_history():
    with pytest.raises(InputError, match="got a P2PClassifier without history_"):
        LearningCurvesDisplay.from_estimator(P2PClassifier())
    with pytest.raises(InputError, match="the history is empty"):
        LearningCurvesDisplay.from_history([])
