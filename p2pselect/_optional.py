"""Packages that only a part of the library needs, asked for before the work begins."""

from __future__ import annotations

from importlib import import_module

from p2pselect.exceptions import MissingPackageError


def need(package: str, purpose: str, install: str) -> None:
    """Make sure that a package, needed for some ``purpose``, can be imported.

    The error says how to install it: ``pip install`` and then what ``install`` says.
    """
    try:
        import_module(package)
    except ImportError as error:
        raise MissingPackageError(
            f'{package} is needed for {purpose}: pip install "{install}" ({error})'
        ) from error
