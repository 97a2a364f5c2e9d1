"""Settings: all are visible, none is ignored, and a fit fixes what its networks are made of."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from skorch.callbacks import Callback

from p2pselect import SuperpixelTransformer, load, presets
from p2pselect.exceptions import InputError, P2PSelectWarning
from p2pselect.methods import METHODS, BlackboxClassifier

ALL = [method.cls for method in METHODS.values()]


@pytest.mark.parametrize("cls", ALL)
def test_the_signature_shows_what_a_method_takes(cls):
    parameters = inspect.signature(cls).parameters
    assert [*parameters] == [*cls().get_params(deep=False)]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    defaults = {name: p.default for name, p in parameters.items()}
    assert cls().get_params(deep=False) == defaults
    clone(cls(**defaults))


@pytest.mark.parametrize("cls", ALL)
def test_unknown_names(cls):
    with pytest.raises(TypeError, match=f"{cls.__name__} has no parameter 'xyzzy'$"):
        cls(xyzzy=1)
    with pytest.raises(TypeError, match="'max_epoch'; did you mean 'max_epochs'"):
        cls(max_epoch=1)


def test_names_without_an_effect():
    with pytest.raises(TypeError, match="'selector': it would have no effect"):
        BlackboxClassifier(selector="test_resnet")
    assert "selector" not in presets.settings_for(
        BlackboxClassifier, {"selector": "x", "lr": 1}
    )
    with pytest.raises(ValueError, match="Invalid parameter 'selector'"):
        BlackboxClassifier().set_params(selector="x")


@pytest.fixture
def fitted(clf):
    return pickle.loads(pickle.dumps(clf))


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 64},
        {"regions__n_segments": 9},
        {"regions": "grid"},
        {"classifier": "test_vit"},
        {"networks__selector_options": {"strides": (4, 8)}},
        {"networks__embedding_dim": 1},
        {"networks__tau_input": "additive"},
        {"networks__selector_image_size": 16},
    ],
)
def test_a_change_after_fit_is_refused(fitted, X, y, tmp_path, changes):
    expected = fitted.predict_proba(X)
    fitted.set_params(**changes)
    (name,) = changes
    named = "regions" if name.startswith("regions") else name
    message = f"{named}=.* was set after fit, which used"
    for use in (
        lambda: fitted.predict(X),
        lambda: fitted.explain(X[:2]),
        lambda: fitted.predict_proba_masked(X),
        lambda: fitted.partial_fit(X, y),
        lambda: pickle.loads(pickle.dumps(fitted)).predict(X),
    ):
        with pytest.raises(InputError, match=message):
            use()
    with pytest.warns(P2PSelectWarning, match=f"^{named}: changed after fit"):
        fitted.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), expected)


def test_a_change_in_place_is_noticed(fitted, X):
    fitted.networks.selector_options["head_channels"] = 8
    with pytest.raises(InputError, match="networks__selector_options=.* was set after fit"):
        fitted.predict(X)
    fitted.networks.selector_options["head_channels"] = 64
    fitted.predict(X)


def test_what_prediction_may_change(fitted, X, tmp_path):
    expected = fitted.predict_proba(X)
    fitted.set_params(batch_size=3, n_jobs=2, regions__cache_dir=tmp_path, lr=1.0, max_epochs=9)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-6)
    fitted.set_params(certainty_threshold=0.1, search__tau_step=0.5, regions__cache_dir=None)
    assert fitted.explain(X[:2]).certainty_threshold == 0.1
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model").set_params(image_size=64)
    with pytest.raises(InputError, match="image_size=64 was set after fit, which used 32"):
        again.predict(X)


def test_training_that_goes_on(fitted, X, y):
    fitted.set_params(warm_start=True, max_epochs=0, image_size=48)
    fitted.set_params(regions=SuperpixelTransformer(n_segments=9)).fit(X, y)
    assert fitted.transform(X[:2]).shape == (2, 48, 48)
    with pytest.raises(InputError, match="classifier='test_vit' was set after fit"):
        fitted.set_params(classifier="test_vit").fit(X, y)
    fitted.set_params(warm_start=False).fit(X, y).predict(X)


def test_training_that_goes_on_takes_every_setting_as_it_is_now(fitted, X, y):
    fitted.set_params(warm_start=True, max_epochs=1).fit(X, y)
    net = fitted.net_
    fitted.fit(X, y)
    assert fitted.net_ is net
    changed = {
        "lr": 3e-5, "batch_size": 5, "training__weight_decay": 0.5,
        "training__lr_schedule": "constant", "objective__sparsity_weight": 7.0,
        "training__callbacks": [("extra", Callback())],
    }  # fmt: skip
    steps = int(net.optimizer_.state_dict()["state"][0]["step"])
    for train in (lambda: fitted.fit(X, y), lambda: fitted.partial_fit(X, y)):
        fitted.set_params(**changed)
        train()
        changed["lr"] += 1e-5
        (group,) = fitted.net_.optimizer_.param_groups
        assert group["weight_decay"] == 0.5 and fitted.net_.batch_size == 5
        assert fitted.net_.phases[-1].objective.options.sparsity_weight == 7.0
        assert "extra" in dict(fitted.net_.callbacks_)
        state = fitted.net_.optimizer_.state_dict()["state"]
        assert state[0]["step"] > steps  # it goes on where it was
        steps = int(state[0]["step"])
    assert group["lr"] == 4e-5
    assert len(fitted.history_) == len(fitted.net_.history)
    fitted.set_params(training__optimizer="sgd").partial_fit(X, y)
    assert type(fitted.net_.optimizer_).__name__ == "SGD"
    with pytest.raises(InputError, match="networks__frozen_share=0.5 was set after fit"):
        fitted.set_params(networks__frozen_share=0.5).fit(X, y)
