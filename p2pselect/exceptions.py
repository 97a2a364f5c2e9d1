"""The errors and warnings of p2pselect: one family, so that one ``except`` catches all."""

import os
import reprlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

__all__ = [
    "ImageReadError",
    "InputError",
    "MissingPackageError",
    "ModelFileError",
    "P2PSelectError",
    "P2PSelectWarning",
    "TrainingError",
    "UnknownNameError",
    "WeightsNotFoundError",
]

#: What to write so that object masks reach a scorer.
HOW_TO_ROUTE = (
    "with sklearn.config_context(enable_metadata_routing=True): "
    'cross_val_score(estimator, X, y, scoring=get_scorer("localization"), '
    'params={"masks": M})\nor\n  '
    "p2pselect.model_selection.cross_validate_explanations(estimator, X, y, masks=M)"
)

_LONGEST = 200
_LONGEST_PATH = 4096


def brief(value: Any) -> str:
    """Show any value in a message: its ``repr``, cut to 200 characters.

    Examples
    --------
    >>> brief("cat.jpg")
    "'cat.jpg'"
    >>> len(brief(b"encoded image" * 10_000))
    200
    """
    if isinstance(value, bytes | bytearray | memoryview):
        value = bytes(value[:_LONGEST])  # the repr of all would be four times as large
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = _LONGEST
    shown = " ".join(shortener.repr(value).split())
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[: _LONGEST // 2]}...{shown[3 - _LONGEST // 2 :]}"


def brief_path(path: str | os.PathLike[str]) -> str:
    """Show a path in a message, in quotes: whole, unless it is longer than any path can be.

    Examples
    --------
    >>> brief_path("photographs/a leaf.jpg")
    "'photographs/a leaf.jpg'"
    """
    name = os.fsdecode(path)
    return repr(name) if len(name) <= _LONGEST_PATH else brief(name)


def first_line(error: Exception) -> str:
    """What an error of another library says, in one line; its type where it says nothing."""
    return str(error).strip().partition("\n")[0][:160] or type(error).__name__


def did_you_mean(name: Any, known: Iterable[str]) -> str:
    """Hint at the known names that are most like an unknown one; empty if none is close.

    Examples
    --------
    >>> did_you_mean("quikshift", ["slic", "quickshift"])
    "; did you mean 'quickshift'?"
    """
    near = get_close_matches(str(name), list(known), n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(map(brief, near))}?" if near else ""


class P2PSelectError(Exception):
    """Base class of every error that p2pselect raises on purpose."""


class InputError(P2PSelectError, ValueError):
    """Images, labels, regions or masks cannot be used as they were given."""


class ImageReadError(P2PSelectError, OSError):
    """An image file is missing or cannot be decoded; the message names the file."""


class WeightsNotFoundError(P2PSelectError, OSError):
    """Pretrained weights that were asked for cannot be found."""


class ModelFileError(P2PSelectError, ValueError):
    """A saved model is damaged, of a newer format, or of another class."""


class UnknownNameError(P2PSelectError, ValueError):
    """No network, engine or scorer has that name; the message lists near matches."""


class TrainingError(P2PSelectError, RuntimeError):
    """Training cannot go on, for example because the loss is not finite."""


class MissingPackageError(P2PSelectError, ImportError):
    """An optional package is needed, but not installed."""


class P2PSelectWarning(UserWarning):
    """Base class of every warning that p2pselect emits on purpose."""
