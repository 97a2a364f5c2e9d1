"""Docstrings of everything public, methods included, pass numpydoc's validation."""

import inspect
from typing import Any

import pytest
from numpydoc.validate import validate
from public_names import public_methods, public_objects

#: Checks that are switched off.
NOT_CHECKED = {
    "ES01": "a summary often says it all",
    "EX01": "a class or function has an example (see below), its methods need none",
    "GL01": "the summary stands on the line of the quotes, as in PEP 257",
    "RT02": "returned values may have names, as in scikit-learn",
    "SA01": "a See Also section only where there is something to see",
}

OBJECTS = public_objects()


def documented() -> list[str]:
    """Full names of what is validated; what is exported or inherited twice counts once."""
    found: dict[Any, str] = {}
    for name, value in OBJECTS.items():
        if callable(value):
            found.setdefault(value, name)
        if inspect.isclass(value):
            for method, function in public_methods(name, value):
                found.setdefault(function, method)
    return sorted(found.values())


NAMES = documented()


def complaints(name: str) -> list[str]:
    """What numpydoc finds wrong with the docstring of an object."""
    errors = validate(name)["errors"]
    return [f"{code}: {text}" for code, text in errors if code not in NOT_CHECKED]


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_passes(name):
    assert complaints(name) == []


def without_example() -> list[str]:
    """Exported functions and classes, errors aside, whose docstrings have no example."""
    return [
        name
        for name, value in OBJECTS.items()
        if callable(value)
        and ">>>" not in str(inspect.getdoc(value))
        and not (inspect.isclass(value) and issubclass(value, Exception))
    ]


def test_every_public_name_has_an_example():
    assert without_example() == []


def scale(x, factor, *rest):
    """Scale.

    Parameters
    ----------
    x, factor : float
        both

    Returns
    -------
    float
        The product.
    """


def test_a_wrong_docstring_is_found():
    found = " ".join(complaints(f"{__name__}.scale"))
    for code in ("PR01", "PR08", "PR09"):
        assert code in found
