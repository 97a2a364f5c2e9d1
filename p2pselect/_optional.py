"""Packages that only a part of the library needs, asked for before the work begins."""

from __future__ import annotations

from importlib import import_module

from p2pselect.exceptions import MissingPackageError

__all__ = ["need"]


def need(package: str, purpose: str, install: str) -> None:
    """Make sure that an optional package can be imported.

    Parameters
    ----------
    package : str
        What is imported.
    purpose : str
        What it is needed for.
    install : str
        What pip is to install.

    Raises
    ------
    MissingPackageError
        If it cannot be imported; the message says how to install it.

    Examples
    --------
    >>> need("numpy", "arrays", "numpy")
    """
    try:
        import_module(package)
    except ImportError as error:
        raise MissingPackageError(
            f'{package} is needed for {purpose}: pip install "{install}" ({error})'
        ) from error
