"""The table of methods, and the contract that every one of them keeps."""

import importlib
import pkgutil

import pytest
from sklearn.base import clone

from p2pselect import methods
from p2pselect.estimators._base import SelectiveImageClassifier
from p2pselect.methods import METHODS
from p2pselect.testing import image_classifier_checks

#: Files that hold no method.
SHARED = {
    "_base",
    "_blackbox_guided",
    "_gradient_estimators",
    "_judge",
    "_p2p_objective",
    "_table",
}
FILES = {
    module.name: importlib.import_module(f"p2pselect.methods.{module.name}")
    for module in pkgutil.iter_modules(methods.__path__)
    if module.name not in SHARED
}
CLASSES = {name: method.cls for name, method in METHODS.items()}
#: P2P has tests of its own.
OTHERS = {name: cls for name, cls in CLASSES.items() if name != "p2p"}


def methods_of(module):
    return {
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, SelectiveImageClassifier)
        and value.__module__ == module.__name__
    }


@pytest.mark.parametrize("name", FILES)
def test_every_method_is_in_the_table(name):
    found = methods_of(FILES[name])
    assert found, f"{name} defines no method: name it in SHARED"
    assert found <= set(CLASSES.values())
    assert {method.__name__ for method in found} <= set(methods.__all__)


@pytest.mark.parametrize("name", FILES)
def test_every_method_says_what_it_is(name):
    doc = FILES[name].__doc__
    assert any(word in doc for word in ("inimize", r"\min", r"\max")), "what is optimized?"
    assert all("Parameters" in m.__doc__ for m in methods_of(FILES[name]))
    assert len(doc.splitlines()) <= 40


def test_rows_of_the_table_are_complete():
    assert len(set(CLASSES.values())) == len(METHODS)
    assert all(row.name == name and row.label and row.source for name, row in METHODS.items())
    assert all(row.variant_of in {None, *METHODS} for row in METHODS.values())


@pytest.mark.parametrize("method", CLASSES.values(), ids=CLASSES)
def test_defaults_can_be_cloned(method):
    estimator = method()
    assert clone(estimator).get_params().keys() == estimator.get_params().keys()


#: A black box removes nothing, so that nothing can be changed where it does not look.
SKIP = {"blackbox": {"check_faithful_by_construction", "check_removed_pixels_do_not_matter"}}
CHECKS = [
    pytest.param(name, check, id=f"{name}-{label}")
    for name, method in OTHERS.items()
    for label, check in image_classifier_checks(method())
    if label not in SKIP.get(name, ())
]


#: DiET optimizes a mask per image and prediction: as few steps as show it.
FEW = {"diet": {"n_stages": 1, "max_steps": 4}}


@pytest.mark.filterwarnings("ignore:.*removes nothing")
@pytest.mark.parametrize(("name", "check"), CHECKS)
def test_contract(name, check, make):
    check(make(OTHERS[name], **FEW.get(name, {})))


@pytest.mark.parametrize("name", OTHERS)
def test_saved_and_loaded_is_the_same(name, make, X, y, tmp_path):
    cls = OTHERS[name]
    settings = {"sparsity": "threshold"} if "sparsity" in cls().get_params() else {}
    fitted = make(cls, **settings, **FEW.get(name, {})).fit(X, y)
    fitted.save(tmp_path / "model")
    again = cls.load(tmp_path / "model")
    assert (again.predict_proba(X) == fitted.predict_proba(X)).all()
    assert (again.transform(X) == fitted.transform(X)).all()
