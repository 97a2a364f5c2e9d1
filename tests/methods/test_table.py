"""The table of methods, and the contract that every one of them keeps."""

import importlib
import pkgutil

import pytest
from sklearn.base import clone

from p2pselect import methods, persistence
from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.methods import BASELINES
from p2pselect.testing import image_classifier_checks

#: Modules that hold no method.
SHARED = {"base", "taught"}
METHODS = {
    module.name: importlib.import_module(f"p2pselect.methods.{module.name}")
    for module in pkgutil.iter_modules(methods.__path__)
    if module.name not in SHARED
}


def methods_of(module):
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, SelectiveImageClassifier)
        and value.__module__ == module.__name__
    }


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_in_the_table(name):
    found = methods_of(METHODS[name])
    assert found, f"{name} defines no method: name it in SHARED"
    assert found <= set(BASELINES.values())
    assert {method.__name__ for method in found} <= set(methods.__all__)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_says_what_it_is(name):
    doc = METHODS[name].__doc__
    assert any(word in doc for word in ("inimise", r"\min", r"\max")), "what is optimised?"
    assert all("Parameters" in m.__doc__ for m in methods_of(METHODS[name]))
    assert len(METHODS[name].__doc__.splitlines()) <= 40


@pytest.mark.parametrize("method", BASELINES.values(), ids=BASELINES)
def test_defaults_clone_and_saving_by_name(method):
    estimator = method()
    assert clone(estimator).get_params().keys() == estimator.get_params().keys()
    assert method.__name__ in persistence._CLASSES


#: A black box removes nothing, so that nothing can be changed where it does not look.
SKIP = {"blackbox": {"check_faithful_by_construction", "check_removed_pixels_do_not_matter"}}
CHECKS = [
    pytest.param(name, check, id=f"{name}-{label}")
    for name, method in BASELINES.items()
    for label, check in image_classifier_checks(method())
    if label not in SKIP.get(name, ())
]


#: DiET optimises a mask per image and prediction: as few steps as show it.
FEW = {"diet": {"n_stages": 1, "max_steps": 4}}


@pytest.mark.filterwarnings("ignore:.*removes nothing")
@pytest.mark.parametrize(("name", "check"), CHECKS)
def test_contract(name, check, make):
    check(make(BASELINES[name], **FEW.get(name, {})))


@pytest.mark.parametrize("name", BASELINES)
def test_saved_and_loaded_is_the_same(name, make, X, y, tmp_path):
    settings = {"sparsity": "threshold"} if "sparsity" in BASELINES[name]().get_params() else {}
    fitted = make(BASELINES[name], **settings, **FEW.get(name, {})).fit(X, y)
    fitted.save(tmp_path / "model")
    again = BASELINES[name].load(tmp_path / "model")
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert (again.transform(X) == fitted.transform(X)).all()
