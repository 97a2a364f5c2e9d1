"""Names that a package imports when somebody asks for them, and not before."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: dict[str, Any], homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The ``__getattr__`` and ``__dir__`` of a package, given its ``globals()``.

    ``homes`` are the modules that the names are in, or are themselves.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"{package['__name__']} has no attribute {name!r}")
        module = import_module(homes[name])
        value = module if module.__name__.rpartition(".")[2] == name else getattr(module, name)
        package[name] = value
        return value

    return get, lambda: sorted({*package, *homes})
