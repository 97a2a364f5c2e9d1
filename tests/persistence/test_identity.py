"""What load returns is what was saved: every setting, in value and in type."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from p2pselect import P2PClassifier, SuperpixelTransformer, load, methods, presets
from p2pselect._model_folder import CONFIG, decode, encode
from p2pselect._settings import Settings
from p2pselect.exceptions import InputError

text = st.text(st.characters(exclude_categories=["Cs"]))
numpy_scalars = st.one_of(
    st.integers(0, 255).map(np.uint8),
    st.floats(width=32, allow_nan=False).map(np.float32),
    st.floats(allow_nan=False).map(np.float64),
    st.booleans().map(np.bool_),
    st.text("ab\u00e9", min_size=1).map(np.str_),
)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), text, numpy_scalars
)
keys = st.one_of(
    st.integers(), text, st.booleans(), st.sampled_from(["tuple", "dict", "numpy"]),
    st.tuples(st.integers(), text),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=8,
)


def same(one, other):
    """Equal in value and in type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(k, key) and same(v, w)
            for (k, v), (key, w) in zip(one.items(), other.items(), strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.random.RandomState):
        return one.randint(2**31) == other.randint(2**31)
    if isinstance(one, (SuperpixelTransformer, Settings)):
        return same(one.get_params(), other.get_params())
    return one == other and repr(one) == repr(other)


@given(values)
def test_values(value):
    written = json.dumps(encode("x", value), allow_nan=False)
    assert same(decode(json.loads(written)), value)


@pytest.mark.parametrize(
    "value",
    [
        float("inf"),
        torch.device("cpu"),
        torch.optim.SGD,
        np.random.RandomState(3),
        SuperpixelTransformer(engine="grid", n_segments=np.int64(9), compactness=2),
    ],
)
def test_objects(value):
    assert same(decode(json.loads(json.dumps(encode("x", value)))), value)
    assert np.isnan(decode(encode("x", float("nan"))))


@pytest.mark.parametrize(
    "value", [print, lambda: 0, object(), {1, 2}, b"a", torch.nn.ReLU, [len]]
)
def test_what_cannot_be_written(value):
    with pytest.raises(InputError, match="lr=.* cannot be written .*joblib"):
        encode("lr", value)


@pytest.mark.parametrize(
    "content",
    [
        {"optimizer": "Adam.__init__"},
        {"optimizer": "os.system"},
        {"optimizer": "lr_scheduler"},
        {"numpy": ["O", "x"]},
        {"numpy": ["<f8"]},
        {"dict": [[[1], 2]]},
        {"random_state": ["PCG64", [], 0, 0, 0]},
        {"device": "abacus"},
        {"SuperpixelTransformer": {"engin": "slic"}},
        {"SuperpixelTransformer": 3},
    ],
)
def test_tags_that_lie(content):
    with pytest.raises(InputError, match="is not a"):
        decode(content)


METHODS = [method.cls for name, method in methods.METHODS.items() if name != "p2p"]
X = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
SETTINGS = presets.SMALL | {
    "image_size": 32,
    "max_epochs": 0,
    "objective__warmup_epochs": 0,
    "device": "cpu",
}


def saved_and_loaded(estimator, folder):
    estimator.save(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return load(folder)


def check_identity(clf, again):
    before, after = clf.get_params(deep=False), again.get_params(deep=False)
    assert [name for name in before if not same(before[name], after[name])] == []
    assert same(clf.classes_.tolist(), again.classes_.tolist())
    assert clf.classes_.dtype == again.classes_.dtype
    np.testing.assert_array_equal(clf.predict_proba(X), again.predict_proba(X))


unit = st.floats(0.01, 0.99)
odd_settings = st.fixed_dictionaries(
    {},
    optional={
        "regions": st.one_of(
            st.sampled_from(["slic", "grid", "pixel"]),
            st.builds(SuperpixelTransformer, n_segments=st.integers(4, 30)),
        ),
        "image_size": st.sampled_from([32, np.int64(32), np.uint8(48)]),
        "pretrained": st.sampled_from([False, {"selector": False, "classifier": False}]),
        "networks__selector_options": st.sampled_from(
            [{"strides": (4, 16)}, {"strides": [4, 8]}]
        ),
        "networks__classifier_options": st.sampled_from(
            [None, {}, {"drop_rate": np.float32(0.1)}]
        ),
        "networks__frozen_share": st.one_of(
            unit, st.just({"selector": 0.5}), unit.map(np.float32)
        ),
        "certainty_threshold": unit.map(np.float64),
        "selection": st.sampled_from(["threshold", "budget"]),
        "networks__embedding_dim": st.integers(0, 3),
        "class_weight": st.sampled_from(
            [None, "balanced", {0: 1.0, 1: 5}, {np.int64(0): np.float32(2)}]
        ),
        "training__optimizer": st.sampled_from(["sgd", torch.optim.RMSprop]),
        "augment": st.sampled_from([None, "flip", "affine+tint"]),
        "images__image_shape": st.sampled_from([None, (32, 32, 3), (np.int64(32), 32, 3)]),
        "warm_start": st.booleans(),
        "training__compile": st.booleans(),
        "device": st.sampled_from(["cpu", torch.device("cpu")]),
        "training__callbacks": st.sampled_from([None, []]),
        "random_state": st.sampled_from([None, 3, np.int32(3), np.random.RandomState(1)]),
        "verbose": st.sampled_from([0, 1, True]),
    },
)


@settings(max_examples=8, deadline=None)
@given(odd_settings)
def test_every_setting(tmp_path_factory, monkeypatch_compile, odd):
    clf = P2PClassifier().set_params(**{**SETTINGS, **odd}).fit(X, [0, 1, 0, 1])
    check_identity(clf, saved_and_loaded(clf, tmp_path_factory.mktemp("saved") / "model"))


@pytest.fixture(scope="module")
def monkeypatch_compile():
    """Nothing is compiled: it takes a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.nn.Module, "compile", lambda self, *args, **kwargs: None)
        yield


@pytest.mark.parametrize("cls", METHODS)
def test_every_method(cls, tmp_path):
    odd = {"class_weight": {"a": 1.0, "b": np.float32(2)}, "image_size": np.int64(32)}
    clf = cls(**presets.settings_for(cls, SETTINGS | odd)).fit(X, ["a", "b"] * 2)
    again = saved_and_loaded(clf, tmp_path / "model")
    check_identity(clf, again)
    assert again.fit(X, ["a", "b"] * 2).predict(X).shape == (4,)


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1] * 2, np.int8), np.array([2**63, 1] * 2, np.uint64), [True, False] * 2,
        [0.5 * 2, 2.0] * 2, ["\u00e9", "elephant"] * 2, np.array([-(2**62), 7] * 2),
    ],
)  # fmt: skip
def test_classes(y, tmp_path):
    clf = P2PClassifier().set_params(**SETTINGS).fit(X, y)
    check_identity(clf, saved_and_loaded(clf, tmp_path / "model"))


def test_paths_stay_at_home(tmp_path):
    weights = tmp_path / "secret" / "weights.pt"
    weights.parent.mkdir()
    clf = P2PClassifier().set_params(**SETTINGS).fit(X, [0, 1] * 2)
    network = clf.module_.classifier.network
    torch.save(network.state_dict(), weights)
    own = {
        "regions": SuperpixelTransformer(n_segments=9, cache_dir=weights.parent / "cache"),
        "training__checkpoint_dir": str(weights.parent),
        "pretrained": {"classifier": weights, "selector": False},
    }
    clf = P2PClassifier().set_params(**{**SETTINGS, **own}).fit(X, [0, 1] * 2)
    again = saved_and_loaded(clf, tmp_path / "model")
    assert b"secret" not in b"".join(f.read_bytes() for f in Path(tmp_path, "model").iterdir())
    assert again.regions.n_segments == again.regions_.n_segments == 9
    assert (
        again.regions.cache_dir
        is again.regions_.cache_dir
        is again.training.checkpoint_dir
        is None
    )
    assert again.pretrained == {"classifier": False, "selector": False}
    # The estimator that was saved has what it had.
    assert clf.regions.cache_dir is not None and clf.pretrained["classifier"] == weights
    assert CONFIG in {f.name for f in Path(tmp_path, "model").iterdir()}
