"""What the commands share of their arguments: numbers in their ranges, errors in one line.

Nothing here imports more than the standard library, so that help and wrong arguments are
answered at once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any, NoReturn

#: The largest seed that NumPy's generators take.
MAX_SEED = 2**32 - 1


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A type of argument: whole numbers in a range.

    Examples
    --------
    >>> whole(1)("20")
    20
    """
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"must be a whole number {limits}, got {text}")
        return number

    return read


def positive_share(text: str) -> float:
    """A type of argument: numbers in (0, 1]."""
    number = _number(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"must be in (0, 1], got {text}")
    return number


def not_negative(text: str) -> float:
    """A type of argument: finite numbers of at least 0."""
    number = _number(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, got {text}")
    return number


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # which is in no range


def add_seed(parser: argparse.ArgumentParser, default: int | None = None) -> None:
    """Declare ``--seed``."""
    words = "makes training reproducible" if default is None else f"default: {default}"
    parser.add_argument(
        "--seed", type=whole(0, MAX_SEED), default=default, metavar="N", help=words
    )


def add_certainty(parser: argparse.ArgumentParser) -> None:
    """Declare ``--certainty``."""
    parser.add_argument(
        "--certainty",
        type=positive_share,
        metavar="P",
        help="show regions until the largest class probability is P (default: the model's)",
    )


def add_on_error(parser: argparse.ArgumentParser) -> None:
    """Declare ``--on-error`` and ``--max-pixels``, of every command that reads images."""
    parser.add_argument(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="an image that cannot be read ends the command, or is named and left out "
        "(default: raise)",
    )
    parser.add_argument(
        "--max-pixels",
        type=whole(1),
        action=_RaiseLimit,
        metavar="N",
        help="most pixels of an image, against files that fill the memory (default: 89478485; "
        "a JPEG may have four times as many)",
    )


class _RaiseLimit(argparse.Action):
    """Sets Pillow's limit, for the whole process: whatever opens images obeys it."""

    def __call__(
        self, parser: argparse.ArgumentParser, options: Any, value: Any, *_: Any
    ) -> None:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = value
