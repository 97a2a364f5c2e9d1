"""The bar: phase and loss are seen at 80 columns, and it begins where training does."""

import io
import os
import re
import sys
from contextlib import contextmanager

import pytest
from skorch.callbacks import Callback

from p2pselect import P2PClassifier, datasets, presets
from p2pselect.training import _callbacks as progress


class Terminal(io.StringIO):
    """What a terminal of 80 columns would show."""

    def isatty(self):
        return True

    def fileno(self):
        return 2


@contextmanager
def seen(monkeypatch):
    """Every state of the bar, as a person sees it."""
    shown, states = Terminal(), []
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", shown)
        patched.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((80, 24)))
        yield states
    states += [state for state in re.split(r"[\r\n]+", shown.getvalue()) if state.strip()]


def test_phase_and_loss_are_seen(monkeypatch):
    scenes = datasets.make_digit_scenes(16, image_size=32, random_state=0)
    settings = {
        **presets.SMALL,
        **{"image_size": 32, "regions": "grid", "max_epochs": 3, "objective__warmup_epochs": 1},
        **{"verbose": 1, "random_state": 0, "validation": 0.5, "device": "cpu"},
    }
    clf = P2PClassifier().set_params(**settings)
    with seen(monkeypatch) as shown:
        clf.fit(scenes.images, scenes.target % 2)
    assert all(len(state) <= 80 for state in shown)
    assert shown[0].startswith("epochs   0%|") and "0.0/3" in shown[0]
    row = clf.history_[-1]
    words = f"loss={row['train_loss']:.3f}, valid_loss={row['valid_loss']:.3f}, joint"
    assert words in shown[-1] and "3.0/3" in shown[-1] and "100%" in shown[-1]


def test_a_bar_begins_at_the_epochs_that_are_done(monkeypatch):
    bar = progress.TrainingBar(40, done=10)
    with seen(monkeypatch) as shown:
        bar.on_train_begin(None)
        bar.on_train_end(None)
    assert "10.0/40" in shown[0] and " 25%" in shown[0]


def test_a_training_that_goes_on_begins_where_it_was_stopped(monkeypatch, tmp_path):
    scenes = datasets.make_digit_scenes(8, image_size=32, random_state=0)
    given = scenes.images, scenes.target % 2
    settings = {
        **presets.SMALL,
        **{"image_size": 32, "regions": "grid", "max_epochs": 4, "objective__warmup_epochs": 0},
        **{"random_state": 0, "device": "cpu", "training__checkpoint_dir": tmp_path},
    }

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 3:
                raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        P2PClassifier().set_params(**settings, training__callbacks=[Stop()]).fit(*given)
    with seen(monkeypatch) as shown:
        P2PClassifier().set_params(**settings, verbose=1).fit(*given)
    assert "2.0/4" in shown[0] and "4.0/4" in shown[-1]
