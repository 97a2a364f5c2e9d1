"""A suite of seconds: 32 pixels, one epoch, a few scenes."""

from dataclasses import dataclass

import pytest

from p2pselect import SuperpixelTransformer, datasets, presets
from p2pselect.reproduction import Plan, Suite

SETTINGS = {
    **presets.SMALL,
    "image_size": 32,
    "objective__warmup_epochs": 0,
    "regions": SuperpixelTransformer(engine="grid", n_segments=16),
}


@dataclass(frozen=True)
class TinyScenes:
    """Digit scenes of two classes, as a named data set."""

    n_train: int = 32
    n_test: int = 24
    with_masks: bool = True
    present: bool = True

    def load(self, root, split, random_state):
        n = {"train": self.n_train, "test": self.n_test}[split]
        scenes = datasets.make_digit_scenes(n, 32, split=split, random_state=random_state)
        scenes.target = scenes.target % 2
        if not self.with_masks:
            scenes.masks = None
        return scenes

    def is_present(self, root):
        return self.present


@pytest.fixture
def tiny_scenes():
    return TinyScenes


@pytest.fixture
def table():
    return {"tiny": TinyScenes()}


@pytest.fixture
def make_suite():
    """A suite of one data set with these variants."""

    def build(*variants, **settings):
        plan = {"n_train": 32, "n_test": 20, "epochs": {"p2p": 1, "method": 1, "blackbox": 1}}
        for name in ("tau", "n_train", "n_test", "epochs", "changes"):
            if name in settings:
                plan[name] = settings.pop(name)
        plan["settings"] = {**SETTINGS, **settings.pop("settings", {})}
        defaults = {"seeds": (0,), "n_ablation_seeds": 1, "n_curve_images": 8}
        return Suite("tiny", {"tiny": Plan(**plan)}, variants, **{**defaults, **settings})

    return build
