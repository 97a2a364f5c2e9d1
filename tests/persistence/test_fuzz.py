"""Damaged and hostile models and explanations: an error that says so, or what was saved."""

import json
import random

import numpy as np
import pytest

from p2pselect import Explanation
from p2pselect._model_folder import CONFIG, WEIGHTS, config_digest
from p2pselect.exceptions import InputError, ModelFileError
from p2pselect.persistence import load

HOSTILE = (
    None, True, False, 0, -1, 1, 2**31, 2**64, 10**400, -0.5, 1e308, float("nan"), float("inf"),
    "", "slic", "os.system", "../../etc/passwd", "\x00", "x" * 10_000, "\ud800", [], {}, [None],
    {"__reduce__": "os.system"}, {"SuperpixelTransformer": {"engine": "os.system"}}, [[[]]],
)  # fmt: skip


@pytest.fixture
def model(clf, tmp_path):
    clf.save(tmp_path / "model")
    return tmp_path / "model"


def damaged(content, chance):
    content = bytearray(content)
    kind = chance.randrange(5)
    start = chance.randrange(len(content))
    length = chance.randrange(1, 64)
    if kind == 0:
        del content[start:]
    elif kind == 1:
        content[start] ^= 1 << chance.randrange(8)
    elif kind == 2:
        del content[start : start + length]
    elif kind == 3:
        content[start:start] = chance.randbytes(length)
    else:
        content[start : start + length] = bytes(len(content[start : start + length]))
    return bytes(content)


def says_the_same(content, other):
    """Whether only blanks between the values differ."""
    try:
        return json.loads(content) == json.loads(other)
    except ValueError:
        return False


def places(value, path=()):
    """Paths of all values inside of a JSON document."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for key, own in inside:
        yield (*path, key)
        yield from places(own, (*path, key))


def changed(config, chance):
    """A config with a hostile value somewhere, and a checksum that fits."""
    config = json.loads(json.dumps(config))
    *path, last = chance.choice([p for p in places(config) if p[0] != "config_sha256"])
    inner = config
    for key in path:
        inner = inner[key]
    inner[last] = chance.choice(HOSTILE)
    config["config_sha256"] = config_digest(config)
    return json.dumps(config)


def test_damaged_files(model):
    chance = random.Random(0)
    files = {name: (model / name).read_bytes() for name in (CONFIG, WEIGHTS)}
    for _ in range(9000):
        name = chance.choice([CONFIG, CONFIG, CONFIG, WEIGHTS])
        content = damaged(files[name], chance)
        if content == files[name] or (name == CONFIG and says_the_same(content, files[name])):
            continue
        (model / name).write_bytes(content)
        with pytest.raises(ModelFileError):
            load(model)
        (model / name).write_bytes(files[name])
    load(model)


def test_damaged_explanations(clf, X, tmp_path):
    chance = random.Random(0)
    exp, path = clf.explain(X[:3]), tmp_path / "explanation.npz"
    exp.save(path)
    content, n_refused = path.read_bytes(), 0
    for _ in range(1000):
        path.write_bytes(damaged(content, chance))
        try:
            again = Explanation.load(path)
        except InputError:
            n_refused += 1
            continue
        # Only what describes the file has changed; the photographs are not in it.
        for name, value in (vars(exp) | {"originals": None}).items():
            np.testing.assert_array_equal(getattr(again, name), value)
    assert n_refused > 900


@pytest.mark.filterwarnings("ignore:.*of another machine")
def test_hostile_settings_with_a_checksum_that_fits(model, X):
    chance = random.Random(0)
    config = json.loads((model / CONFIG).read_text())
    n_loaded = 0
    for _ in range(1000):
        (model / CONFIG).write_text(changed(config, chance))
        try:
            clf = load(model)
        except ModelFileError:
            continue
        n_loaded += 1
        assert not isinstance(clf.pretrained, str) or clf.pretrained == "auto"
        assert (
            clf._training_options.checkpoint_dir is None and not clf._training_options.callbacks
        )
        assert np.isfinite(sum(p.sum().item() for p in clf.module_.parameters()))
    assert 0 < n_loaded < 1000
