"""Training that is stopped in the middle ends as one that was not."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets
from p2pselect.exceptions import InputError, TrainingError
from p2pselect.methods import METHODS

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "regions": SuperpixelTransformer(n_segments=16),
    "max_epochs": 5,
    "objective__warmup_epochs": 1,
    "batch_size": 8,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def scenes():
    made = datasets.make_digit_scenes(30, image_size=32, random_state=0)
    return made.images, made.target % 2


class Stopped(Exception):
    pass


class StopAfter(Callback):
    """Ends the process, as far as the training can tell, in the middle of an epoch."""

    def __init__(self, n_batches):
        self.left = n_batches

    def on_batch_end(self, net, training=False, **kwargs):
        self.left -= training
        if self.left < 0:
            raise Stopped


def fit_with_stops(clf, stops, X, y):
    for n_batches in stops:
        clf.set_params(training__callbacks=[StopAfter(n_batches)])
        with pytest.raises(Stopped):
            clf.fit(X, y)
    return clf.set_params(training__callbacks=None).fit(X, y)


def assert_equal_training(continued, whole):
    first, second = continued.module_.state_dict(), whole.module_.state_dict()
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
    assert continued.history_[:, "train_loss"] == whole.history_[:, "train_loss"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"training__lr_schedule": "constant", "training__optimizer": "adam"},
        {
            "validation": 0.2,
            "training__lr_schedule": "cosine",
            "training__optimizer": "sgd",
        },
        {"training__num_workers": 2},
        {"augment": "paper"},
        {"training__ema_decay": 0.9},
    ],
    ids=lambda changes: "-".join(changes) or "small",
)
def test_continued_is_as_uninterrupted(changes, scenes, tmp_path):
    settings = {**SETTINGS, **changes}
    whole = P2PClassifier().set_params(**settings).fit(*scenes)
    clf = P2PClassifier().set_params(
        **settings, training__checkpoint_dir=tmp_path / "new" / "folder"
    )
    assert_equal_training(fit_with_stops(clf, [6, 5, 1], *scenes), whole)


@pytest.mark.parametrize("name", ["diet", "comet", "realx", "invase", "bcos"])
def test_every_kind_of_method(name, scenes, tmp_path):
    cls = METHODS[name].cls
    settings = presets.settings_for(cls, {**SETTINGS, "max_epochs": 4})
    if name == "diet":
        settings |= {"n_stages": 2, "max_steps": 3}
    whole = cls().set_params(**settings).fit(*scenes)
    clf = cls().set_params(**settings, training__checkpoint_dir=str(tmp_path))
    assert_equal_training(fit_with_stops(clf, [5, 5, 2], *scenes), whole)


def test_what_is_finished_is_not_trained_again(scenes, tmp_path):
    settings = {
        **SETTINGS,
        "max_epochs": 2,
        "random_state": None,
        "training__checkpoint_dir": tmp_path,
    }
    first = P2PClassifier().set_params(**settings).fit(*scenes)
    again = (
        P2PClassifier().set_params(**settings, training__callbacks=[StopAfter(0)]).fit(*scenes)
    )
    assert_equal_training(again, first)
    assert len(list(tmp_path.iterdir())) == 1


def test_another_training_has_another_file(scenes, tmp_path):
    X, y = scenes
    settings = {
        **SETTINGS,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
        "training__checkpoint_dir": tmp_path,
    }
    P2PClassifier().set_params(**settings).fit(X, y)
    P2PClassifier().set_params(**settings).fit(X[1:], y[1:])
    P2PClassifier().set_params(**settings).fit(X, 1 - y)
    P2PClassifier().set_params(**settings).fit(X[::-1].copy(), y[::-1].copy())
    P2PClassifier().set_params(**{**settings, "lr": 1e-4}).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 5
    P2PClassifier().set_params(**settings, n_jobs=1, verbose=0).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.fixture
def settings_with_checkpoint(scenes, tmp_path):
    """Settings of a training whose checkpoint is the only file in ``tmp_path``."""
    settings = {
        **SETTINGS,
        "max_epochs": 1,
        "objective__warmup_epochs": 0,
        "training__checkpoint_dir": tmp_path,
    }
    P2PClassifier().set_params(**settings).fit(*scenes)
    return settings


def test_a_damaged_checkpoint_is_named(scenes, tmp_path, settings_with_checkpoint):
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    for damaged in (content[:100], b"", content[: len(content) // 2]):
        file.write_bytes(damaged)
        with pytest.raises(InputError, match=rf"{file.name} is not a checkpoint .* delete it"):
            P2PClassifier().set_params(**settings_with_checkpoint).fit(*scenes)


def test_a_checkpoint_calls_nothing(scenes, tmp_path, settings_with_checkpoint):
    (file,) = tmp_path.iterdir()
    torch.save({"format": 1, "seed": print}, file)
    with pytest.raises(InputError, match="is not a checkpoint that can be read"):
        P2PClassifier().set_params(**settings_with_checkpoint).fit(*scenes)


class Spoil(Callback):
    """Makes the networks' weights infinite in the third epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            with torch.no_grad():
                next(net.module_.classifier.parameters()).fill_(torch.inf)


def test_a_loss_that_is_not_finite_names_the_last_checkpoint(scenes, tmp_path):
    clf = P2PClassifier().set_params(
        **SETTINGS, training__checkpoint_dir=tmp_path, training__callbacks=[Spoil()]
    )
    with pytest.raises(
        TrainingError, match=r"epoch 3, step 1 \(terms: .*after epoch 2 is in"
    ) as e:
        clf.fit(*scenes)
    (file,) = tmp_path.iterdir()
    assert str(file) in str(e.value)
    whole = P2PClassifier().set_params(**SETTINGS).fit(*scenes)
    assert_equal_training(clf.set_params(training__callbacks=None).fit(*scenes), whole)


def test_settings_that_cannot_be_told_apart(scenes, tmp_path):
    settings = {**SETTINGS, "augment": lambda images, regions, rng: (images, regions)}
    with pytest.raises(InputError, match="augment=.* cannot be pickled"):
        P2PClassifier().set_params(**settings, training__checkpoint_dir=tmp_path).fit(*scenes)


KILLED = """
import os, random, signal, sys, time, warnings
import p2pselect
from p2pselect import P2PClassifier, SuperpixelTransformer, datasets, presets

folder, n_kills = sys.argv[1], int(sys.argv[2])
settings = {
    **presets.SMALL, "image_size": 32, "regions": SuperpixelTransformer(n_segments=16),
    "max_epochs": 60, "objective__warmup_epochs": 1, "batch_size": 8, "random_state": 0,
    "training__checkpoint_dir": folder,
}

def train():
    import torch
    torch.set_num_threads(1)
    made = datasets.make_digit_scenes(30, image_size=32, random_state=0)
    clf = P2PClassifier().set_params(**settings).fit(made.images, made.target % 2)
    torch.save(clf.module_.state_dict(), folder + "/end.pt")

chance = random.Random(0)
for kill in range(n_kills + 1):
    # Nothing was computed in this process yet, so that a fork finds no threads.
    child = os.fork()
    if not child:
        train()
        os._exit(0)
    if kill < n_kills:
        time.sleep(chance.uniform(0.05, 1.2))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended", flush=True)
    else:
        _, status = os.waitpid(child, 0)
        sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="this system is not POSIX")
def test_killed_at_twenty_moments(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed"), "20"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.split()
    assert len(said) == 20 and said.count("killed") >= 5
    made = datasets.make_digit_scenes(30, image_size=32, random_state=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = (
            P2PClassifier()
            .set_params(**{**SETTINGS, "max_epochs": 60})
            .fit(made.images, made.target % 2)
        )
    finally:
        torch.set_num_threads(threads)
    end = torch.load(tmp_path / "killed" / "end.pt")
    for name, value in whole.module_.state_dict().items():
        assert torch.equal(end[name], value), name
    assert not np.isnan(whole.history_[-1, "train_loss"])
