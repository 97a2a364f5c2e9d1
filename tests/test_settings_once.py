"""Settings are declared once: default, constraint and description in one place."""

import inspect
import pickle
from numbers import Integral, Real

import pytest
from numpydoc.docscrape import NumpyDocString
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions

from p2pselect import P2PClassifier, SuperpixelTransformer
from p2pselect._settings import Options, Settings, setting
from p2pselect.estimators import (
    ClassifierNetworkOptions,
    ImageOptions,
    NetworkOptions,
    SearchOptions,
    WholeImageNetworkOptions,
)
from p2pselect.methods import METHODS, P2PNetworkOptions, P2PObjectiveOptions
from p2pselect.training import TrainingOptions


class Brush(Options):
    """A brush.

    Parameters
    ----------
    {parameters}
    """

    width: int = setting("Width.", Interval(Integral, 1, None, closed="left"), default=3)
    shape: str = setting("Shape.", StrOptions({"round", "flat"}), default="round", role="input")


class Painter(Settings):
    r"""Paints :math:`x_{i}`.

    Parameters
    ----------
    {parameters}

    See Also
    --------
    Brush
    """

    speed: float = setting(
        "How fast, in words that are too many for a single line of a docstring of this width, "
        "all in all.",
        Interval(Real, 0, 1, closed="right"),
        default=0.5,
        role="prediction",
    )
    brush: Brush | None = setting("What to paint with.", Brush, default=None)
    name: str | None = setting("Signature.", str, default=None, role="machine")


class Slow(Painter, without=("name",)):
    """A slow one."""

    speed: float = setting(default=0.1)
    patience: int = setting("In hours.", Interval(Integral, 0, None, closed="left"), default=1)


def test_constructor_signature_and_documentation():
    found = inspect.signature(Painter).parameters.values()
    assert [(p.name, p.default, p.annotation) for p in found] == [
        ("speed", 0.5, float), ("brush", None, Brush | None), ("name", None, str | None),
    ]  # fmt: skip
    assert {p.kind for p in found} == {inspect.Parameter.KEYWORD_ONLY}
    assert Painter.__doc__ == (
        "Paints :math:`x_{i}`.\n\nParameters\n----------\n"
        "speed : float in (0, 1], default=0.5\n"
        "    How fast, in words that are too many for a single line of a docstring of this "
        "width,\n    all in all.\n"
        "brush : Brush, default=None\n    What to paint with.\n"
        "name : str, default=None\n    Signature.\n\nSee Also\n--------\nBrush\n"
    )
    assert 'shape : {"flat", "round"}, default=\'round\'' in Brush.__doc__
    assert "width : int >= 1, default=3" in Brush.__doc__
    assert repr(Painter(speed=0.5, brush=Brush(width=4))) == "Painter(brush=Brush(width=4))"


def test_subclasses_inherit_redeclare_and_drop():
    assert Slow().get_params(deep=False) == {"speed": 0.1, "brush": None, "patience": 1}
    assert Slow._settings["speed"].description.startswith("How fast")
    assert Slow().name is None
    with pytest.raises(InvalidParameterError, match="'speed' parameter of Slow must be"):
        Slow(speed=2)._validate_params()
    with pytest.raises(TypeError, match="cannot drop"):
        type("Odd", (Painter,), {}, without=("colour",))  # codespell:ignore colour
    with pytest.raises(TypeError, match="Odd must not define __init__"):
        type("Odd", (Painter,), {"__init__": lambda self, *, hue=1: None})


def test_unknown_keywords():
    for wrong, message in {
        "sped": "Painter has no parameter 'sped'; did you mean 'speed'",
        "width": r"'width'; write brush=Brush\(width=...\)",
        "brush__width": r"'brush__width'; write brush=Brush\(width=...\)",
        "xyzzy": "'xyzzy'$",
    }.items():
        with pytest.raises(TypeError, match=message):
            Painter(**{wrong: 1})
    with pytest.raises(TypeError, match="has no parameter 'name': it would have no effect"):
        Slow(name="x")
    with pytest.raises(ValueError, match="Invalid parameter 'name'"):
        Slow().set_params(name="x")


def test_groups_are_reached_by_name_in_either_case():
    painter = Painter()
    assert painter.get_params()["brush__width"] == 3
    assert painter.brush is None
    assert painter.set_params(brush__width=5).brush.width == 5
    assert Painter().get_params()["brush__width"] == 3
    assert painter.set_params(brush=None, brush__shape="flat").brush.get_params() == {
        "width": 3, "shape": "flat",
    }  # fmt: skip
    copy = clone(painter)
    assert copy.brush is not painter.brush
    assert pickle.loads(pickle.dumps(copy)).get_params()["brush__shape"] == "flat"
    for options in ({"brush__colour": 1}, {"speed__x": 1}):
        with pytest.raises((ValueError, AttributeError)):
            Painter().set_params(**options)


def test_groups_are_validated_under_their_own_name():
    Painter(name="x")._validate_params()
    Painter(brush=Brush())._validate_params()
    with pytest.raises(InvalidParameterError, match="'brush__width' parameter of Painter must"):
        Painter(brush=Brush(width=0))._validate_params()
    with pytest.raises(InvalidParameterError, match="'brush' parameter of Painter must be"):
        Painter(brush=3)._validate_params()


def test_roles():
    assert Painter._names_by_role("prediction", "machine") == ["speed", "name"]
    assert Painter._names_by_role("input") == ["brush__shape"]
    assert Slow._names_by_role("training") == ["brush__width", "patience"]


CLASSES = [
    *(method.cls for method in METHODS.values()), SuperpixelTransformer, TrainingOptions,
    ImageOptions, NetworkOptions, ClassifierNetworkOptions, WholeImageNetworkOptions,
    SearchOptions, P2PNetworkOptions, P2PObjectiveOptions,
]  # fmt: skip


@pytest.mark.parametrize("cls", CLASSES)
def test_signature_documentation_and_get_params_agree(cls):
    names = [*inspect.signature(cls).parameters]
    assert names == [*cls().get_params(deep=False)]
    assert names == [p.name for p in NumpyDocString(cls.__doc__)["Parameters"]]
    assert "__init__" not in inspect.getsource(cls)
    for name, declared in cls._settings.items():
        assert declared.description and declared.constraints, name
        assert type(declared.default) not in (list, dict, set), name
    cls()._validate_params()


def test_people_set_few_parameters_by_hand():
    assert len(inspect.signature(P2PClassifier).parameters) <= 25


def test_a_search_reaches_into_groups():
    grid = {"training__weight_decay": [0.1, 0.2], "networks__embedding_dim": [0]}
    search = GridSearchCV(P2PClassifier(), grid)
    for params in ParameterGrid(search.param_grid):
        candidate = clone(clone(search.estimator).set_params(**clone(params, safe=False)))
        assert (
            candidate.get_params()["training__weight_decay"] == params["training__weight_decay"]
        )
    assert search.estimator.training is None


def test_groups_are_not_shared_by_way_of_set_params():
    options = TrainingOptions(num_workers=1)
    first, second = P2PClassifier(training=options), P2PClassifier(training=options)
    first.set_params(training__num_workers=2)
    assert (first.training.num_workers, second.training.num_workers) == (2, 1)


def test_settings_are_keywords_and_the_error_names_the_class():
    with pytest.raises(TypeError, match=r"P2PClassifier.__init__\(\) takes 1 positional"):
        P2PClassifier("lraspp_mobilenet_v3_large")
