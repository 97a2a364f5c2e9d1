"""A line per epoch that fits into 80 columns, in a log file as on a terminal."""

import io
import os
import re
import sys
from contextlib import contextmanager

import pytest
from skorch.callbacks import Callback

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.training import _progress as progress

SETTINGS = {
    **presets.SMALL,
    **{"image_size": 32, "regions": "grid", "max_epochs": 3, "objective__warmup_epochs": 1},
    **{"verbose": 1, "random_state": 0, "validation": 0.5, "device": "cpu"},
}


class Terminal(io.StringIO):
    """What a terminal of 80 columns would show."""

    def isatty(self):
        return True

    def fileno(self):
        return 2


@contextmanager
def seen(monkeypatch, shown=None):
    """Every line and every state of the bar, as a person sees them."""
    shown, states = shown or Terminal(), []
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", shown)
        patched.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
        yield states
    text = shown.getvalue().replace("\x1b[A", "")
    states += [state for state in re.split(r"[\r\n]+", text) if state.strip()]


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(16, image_size=32, random_state=0)
    return made.images, made.target % 2


def lines_of(clf):
    """What has to be said of the epochs, apart from the time that is left."""
    first, second, third = clf.history_
    assert "valid_acc" not in first and "valid_acc" in third
    joint = [
        f"{n}/3 joint       loss {row['train_loss']:.3f}  valid {row['valid_loss']:.3f}  "
        f"acc {row['valid_acc']:.3f}  kept {row['valid_kept']:.3f}  left "
        for n, row in ((2, second), (3, third))
    ]
    # A loss of 10 or more has two digits behind the point, to be as wide as the others.
    joint = [re.sub(r"(loss \d{2}\.\d{2})\d", r"\1", line) for line in joint]
    joint = [line.replace(" 0.", " .").replace("loss .", "loss 0.") for line in joint]
    return [f"1/3 warmup      loss {first['train_loss']:.3f}  left ", *joint]


def test_a_log_file_has_one_line_per_epoch(monkeypatch, scenes):
    clf, log = P2PClassifier().set_params(**SETTINGS), io.StringIO()
    with seen(monkeypatch, log) as shown:
        clf.fit(*scenes)
    text = log.getvalue()
    assert text.isprintable() or set(text) - set(filter(str.isprintable, text)) == {"\n"}
    shown = [line for line in shown if "images" not in line or "held out" in line]
    assert shown[0] == "8 images to train on, 8 held out"
    assert len(shown) == 4 and all(len(line) <= 80 for line in shown)
    for line, expected in zip(shown[1:], lines_of(clf), strict=True):
        assert re.fullmatch(re.escape(expected) + r"\d+:\d\d", line)
    assert shown[-1].endswith("left 0:00")


def test_a_terminal_shows_a_bar_below_the_lines(monkeypatch, scenes):
    clf = P2PClassifier().set_params(**SETTINGS)
    with seen(monkeypatch) as shown:
        clf.fit(*scenes)
    assert all(len(state) <= 80 for state in shown)
    for expected in lines_of(clf):
        assert [state for state in shown if state.startswith(expected)]
    bars = [state for state in shown if state.startswith("epochs")]
    assert "  0%|" in bars[0] and "0.0/3" in bars[0] and "3.0/3" in bars[-1]


def test_the_widest_line_fits():
    row = {"phase": "a phase with a long name", "train_loss": 99.9, "valid_loss": 99.9}
    row |= {"valid_acc": 1.0, "valid_kept": 0.5}
    line = progress.epoch_line(99, 100, row, 36061.0)
    assert line.endswith("valid 99.90  acc 1.000  kept .500  left 10:01:01") and len(line) == 80
    row |= {"train_loss": 123456.7, "valid_loss": float("inf")}
    line = progress.epoch_line(9, 100, row, 61.0)
    assert line == "  9/100 a phase wi  loss 1e+05  acc 1.000  kept .500  left 1:01"


def test_a_bar_begins_at_the_epochs_that_are_done(monkeypatch):
    bar = progress.TrainingProgress(40, done=10)
    with seen(monkeypatch) as shown:
        bar.on_train_begin(None, range(7))
        bar.on_train_end(None)
    assert "10.0/40" in shown[0] and " 25%" in shown[0]
    assert "7 images to train on, none held out" in shown


def test_a_training_that_goes_on_begins_where_it_was_stopped(monkeypatch, scenes, tmp_path):
    settings = {**SETTINGS, "max_epochs": 4, "objective__warmup_epochs": 0, "validation": None}
    settings["training__checkpoint_dir"] = tmp_path

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise RuntimeError("killed")

    stopped = P2PClassifier().set_params(**settings, training__callbacks=[Stop()])
    with pytest.raises(RuntimeError, match="killed"):
        stopped.set_params(verbose=0).fit(*scenes)
    with seen(monkeypatch) as shown:
        P2PClassifier().set_params(**settings).fit(*scenes)
    bars = [state for state in shown if state.startswith("epochs")]
    assert "2.0/4" in bars[0] and "4.0/4" in bars[-1]
    assert [state[:10] for state in shown if "joint" in state] == ["3/4 joint ", "4/4 joint "]


def test_a_training_that_stops_early_says_so(monkeypatch, scenes):
    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    clf = P2PClassifier().set_params(**SETTINGS, training__callbacks=[Stop()])
    with seen(monkeypatch, io.StringIO()) as shown:
        clf.fit(*scenes)
    assert shown[-1] == "stopped after 2 of 3 epochs"
