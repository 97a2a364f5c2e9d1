"""What a fixed tau means: trained for as in the paper, and what such a model answers."""

import pickle

import numpy as np
import pytest
import torch

from p2pselect import P2PClassifier, export_onnx, load
from p2pselect.exceptions import InputError


@pytest.fixture(scope="module")
def fixed(X, y, settings):
    return P2PClassifier().set_params(**settings, tau=0.2).fit(X, y)


def test_a_fixed_tau_is_trained_for_and_the_selector_is_not_told(clf, fixed, X):
    assert (clf.trained_tau_, fixed.trained_tau_) == (None, 0.2)
    joint = fixed._phases()[-1].objective
    assert (joint.tau, clf._phases()[-1].objective.tau) == (0.2, None)
    assert not hasattr(fixed.module_.selector, "raw_slope")
    assert (fixed._selection_rule().offsets(np.array([0.2])) == 0).all()
    assert not np.allclose(fixed.predict_proba(X), clf.explain(X, tau=0.2).proba, atol=1e-3)
    exp = fixed.explain(X)
    assert (exp.tau == 0.2).all()
    # The paper's cut, with nothing added to the logits.
    kept = exp.selection_logits > 0
    kept[np.arange(len(X)), exp.selection_logits.argmax(axis=1)] = True
    np.testing.assert_array_equal(exp.region_masks, kept)


def test_uniform_training_serves_a_fixed_tau_with_the_model_of_the_search(clf, X, y, settings):
    uniform = (
        P2PClassifier()
        .set_params(**settings, tau=0.2, objective__tau_training="uniform")
        .fit(X, y)
    )
    learned, expected = uniform.module_.state_dict(), clf.module_.state_dict()
    assert all(torch.equal(learned[name], expected[name]) for name in expected)
    np.testing.assert_array_equal(uniform.predict_proba(X), clf.explain(X, tau=0.2).proba)
    np.testing.assert_array_equal(uniform.explain(X, tau="dynamic").proba, clf.predict_proba(X))


@pytest.mark.parametrize("tau", ["dynamic", 0.3, 1.0])
def test_another_tau_is_refused_by_the_cut_and_answered_by_a_budget(fixed, X, tau):
    other = pickle.loads(pickle.dumps(fixed)).set_params(tau=tau)
    says = rf"tau={tau!r} of a P2PClassifier that was trained for tau=0.2 alone"
    for ask in (
        lambda: fixed.explain(X, tau=tau),
        lambda: other.predict_proba(X),
        lambda: other.transform(X),
        lambda: export_onnx(other, "nowhere"),
    ):
        with pytest.raises(InputError, match=says):
            ask()
    np.testing.assert_array_equal(other.explain(X, tau=0.2).proba, fixed.predict_proba(X))
    exp = other.set_params(selection="budget").explain(X)
    alone = exp.region_masks.sum(axis=1) == 1
    assert (alone | (exp.kept_fraction <= exp.tau + 1e-9)).all()


@pytest.mark.parametrize("tau", ["dynamic", 0.3])
def test_saved_models_know_what_they_were_trained_for(fixed, clf, X, tmp_path, tau):
    for number, model in enumerate((fixed, clf)):
        asked = pickle.loads(pickle.dumps(model)).set_params(tau=tau)
        asked.save(tmp_path / str(number))
        again = load(tmp_path / str(number))
        assert again.trained_tau_ == model.trained_tau_ and again.tau == tau
        np.testing.assert_array_equal(
            again.explain(X, tau=0.2).proba, model.explain(X, tau=0.2).proba
        )


def test_training_goes_on_for_the_same_tau_only(fixed, X, y):
    warm = pickle.loads(pickle.dumps(fixed)).set_params(warm_start=True, max_epochs=1)
    assert warm.fit(X, y).partial_fit(X, y).trained_tau_ == 0.2
    for change in ({"tau": 0.3}, {"tau": "dynamic"}, {"objective__tau_training": "uniform"}):
        other = pickle.loads(pickle.dumps(warm)).set_params(**change)
        for train in (other.fit, other.partial_fit):
            with pytest.raises(InputError, match=r"only go on for tau=0\.2 alone, as it began"):
                train(X, y)
        assert other.trained_tau_ == 0.2 and len(other.history_) == len(warm.history_)
    assert warm.set_params(warm_start=False, tau="dynamic").fit(X, y).trained_tau_ is None
