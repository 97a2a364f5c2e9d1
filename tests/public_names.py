"""What the package exports: the names in ``__all__`` of its public modules."""

import inspect
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

import p2pselect

#: Modules without an underscore that are for the package and its command alone.
NOT_FOR_IMPORT = {"p2pselect.__main__", "p2pselect.atomic_write", "p2pselect.cli"}


def public_modules() -> list[str]:
    """Names of the modules from which users import."""
    found = [p2pselect.__name__]
    for module in pkgutil.walk_packages(p2pselect.__path__, "p2pselect."):
        parts = module.name.split(".")
        if module.name not in NOT_FOR_IMPORT and not any(p.startswith("_") for p in parts[1:]):
            found.append(module.name)
    return found


def exports(module: ModuleType) -> list[str]:
    """What a module lists; a folder lists nothing while all of it is internal."""
    names = getattr(module, "__all__", None)
    assert names or hasattr(module, "__path__"), f"{module.__name__} has no __all__"
    return names or []


def public_objects() -> dict[str, Any]:
    """Every exported object by its full name; one exported twice has two names."""
    return {
        f"{where}.{name}": getattr(module, name)
        for where, module in ((where, import_module(where)) for where in public_modules())
        for name in exports(module)
        if not name.startswith("__") and not inspect.ismodule(getattr(module, name))
    }


def public_methods(name: str, cls: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of an exported class that this package defines."""
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] == "p2pselect":
            for member, value in vars(base).items():
                kinds = (FunctionType, classmethod, staticmethod, property)
                if member.startswith("_") or not isinstance(value, kinds):
                    continue
                if inspect.getattr_static(cls, member) is not value:
                    continue  # overridden
                # A method without a docstring has that of the method that it overrides.
                if value.__doc__ or not inspect.getdoc(getattr(cls, member)):
                    yield f"{name}.{member}", value
