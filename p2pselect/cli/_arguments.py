"""The arguments that commands share, and numbers in their ranges.

Nothing here imports more than the standard library, so help and wrong arguments are answered
at once.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from p2pselect.atomic_write import check_writable_file, check_writable_folder

#: The largest seed that NumPy's generators accept.
MAX_SEED = 2**32 - 1
#: The longest side that a model's images can have.
MAX_SIDE = 16384


class Parser(argparse.ArgumentParser):
    """Says in one line what is wrong with the arguments."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with exit code 2."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """An argument type: whole numbers in a range."""
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            # Too small, so that it is refused below like any other number out of the range.
            number = least - 1
        if number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"must be a whole number {limits}, got {text}")
        return number

    return read


def _numbers(fit: Callable[[float], bool], words: str) -> Callable[[str], float]:
    """An argument type: numbers that fit, and what errors say that they must be."""

    def read(text: str) -> float:
        number = _number(text)
        if not fit(number):
            raise argparse.ArgumentTypeError(f"must be {words}, got {text}")
        return number

    return read


positive_share = _numbers(lambda number: 0 < number <= 1, "in (0, 1]")
not_negative = _numbers(lambda number: 0 <= number < math.inf, "a number of at least 0")
positive = _numbers(lambda number: 0 < number < math.inf, "a number above 0")


def grid_size(text: str) -> int | tuple[int, int]:
    """An argument type: a side in pixels, or height and width, as in 96x128."""
    try:
        sides = [int(side) for side in text.lower().split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not all(1 <= side <= MAX_SIDE for side in sides):
        raise argparse.ArgumentTypeError(
            f"must be a number of pixels or HEIGHTxWIDTH, each from 1 to {MAX_SIDE}, got {text}"
        )
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def held_out(text: str) -> float | Path | str | None:
    """An argument type: a share of the images, a folder of others, auto or none."""
    if text in ("auto", "none"):
        return None if text == "none" else text
    number = _number(text)
    if math.isnan(number):
        return Path(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a share between 0 and 1, a folder, auto or none, got {text}"
        )
    return number


def value_range(text: str) -> tuple[float, float] | str:
    """An argument type: two numbers, as in 0:4095, dtype, percentiles or window."""
    if text in ("dtype", "percentiles", "window"):
        return text
    low, high = map(_number, text.partition(":")[::2])
    if not low < high:  # also where one of them is not a number
        raise argparse.ArgumentTypeError(
            f"must be LOW:HIGH, such as 0:4095, dtype, percentiles or window, got {text}"
        )
    return low, high


def fill(text: str) -> str | tuple[float, ...]:
    """An argument type: black, mean, blur, noise, drop, or numbers from 0 to 1."""
    if text in ("black", "mean", "blur", "noise", "drop"):
        return text
    values = tuple(map(_number, text.split(",")))
    if not all(0 <= value <= 1 for value in values):  # also where one of them is not a number
        raise argparse.ArgumentTypeError(
            f"must be black, mean, blur, noise, drop, or numbers from 0 to 1, got {text}"
        )
    return values


def pages(text: str) -> int | str:
    """An argument type: channels, or the number of a page."""
    if text != "channels" and not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"must be channels, or the number of a page from 0, got {text}"
        )
    return text if text == "channels" else int(text)


def names(text: str) -> tuple[str, ...]:
    """An argument type: names with commas between them."""
    return tuple(text.split(","))


def channels(text: str) -> tuple[int, ...] | tuple[tuple[int, str], ...]:
    """An argument type: numbers of one or three channels, or of any with a color each."""
    parts = [part.partition(":") for part in text.split(",")]
    colors = [color for _, _, color in parts]
    fits = all(colors) if any(colors) else len(parts) in (1, 3)
    if not fits or not all(number.isdecimal() for number, _, _ in parts):
        raise argparse.ArgumentTypeError(
            "must be one or three numbers of channels from 0, such as 3,1,0, or any with a "
            f"color each, such as 0:cyan,2:gray, got {text}"
        )
    if any(colors):
        return tuple((int(number), color) for number, _, color in parts)
    return tuple(int(number) for number, _, _ in parts)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # not in any range


class _RaiseLimit(argparse.Action):
    """Sets Pillow's limit for the whole process, so that everything that opens images obeys."""

    def __call__(
        self, parser: argparse.ArgumentParser, options: Any, value: Any, *_: Any
    ) -> None:
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = value


#: What commands agree on; those that differ in help or default say so in `add_shared`.
_SHARED: dict[str, dict[str, Any]] = {
    "model": {"type": Path, "metavar": "MODEL", "help": "folder of a saved model"},
    "images": {"nargs": "+", "metavar": "IMAGES", "help": "image files, or folders of images"},
    "folder": {
        "type": Path,
        "metavar": "DIR",
        "help": "folder with a subfolder per class",
    },
    "--masks-dir": {
        "type": Path,
        "metavar": "DIR",
        "help": "folder of masks, CLASS/IMAGE.png, with white objects; images without a mask "
        "do not count in the scores that need one",
    },
    "--figure": {
        "type": Path,
        "metavar": "FILE",
        "help": "also draw the results, as PNG, SVG or PDF",
    },
    "--json": {"type": Path, "metavar": "FILE", "help": "also write the results as JSON"},
    "--seed": {
        "type": whole(0, MAX_SEED),
        "metavar": "N",
        "help": "a number that makes training reproducible",
    },
    "--epochs": {"type": whole(1), "metavar": "N"},
    "--segments": {
        "type": whole(1),
        "metavar": "N",
        "help": "approximate number of regions per image (default: %(default)s)",
    },
    "--image-size": {"type": whole(1), "metavar": "PIXELS"},
    "--certainty": {
        "type": positive_share,
        "metavar": "P",
        "help": "show regions until the probability of a class is at least P (default: that "
        "of the model)",
    },
    "--fill": {
        "type": fill,
        "metavar": "black|mean|blur|noise|drop|V,...",
        "help": "what the classifier sees in the place of removed pixels: black, the mean "
        "color of the images, a blur of the kept pixels, noise, nothing (drop: patches of a "
        "vision transformer that are left out), or a number from 0 to 1 for all channels or "
        "each (default: black)",
    },
    "--channels": {
        "type": whole(1),
        "dest": "n_channels",
        "metavar": "N",
        "help": "read files as they are stored, with N channels that are not colors",
    },
    "--value-range": {
        "type": value_range,
        "metavar": "LOW:HIGH|dtype|percentiles|window",
        "help": "read files as they are stored, and let these values be black and white: "
        "numbers, such as 0:4095, the range of their type, the 0.1th and 99.9th percentiles of "
        "each channel, or the window that each DICOM file states (default: 8 bits)",
    },
    "--pages": {
        "type": pages,
        "metavar": "channels|N",
        "help": "what the pages of TIFF files, or the frames of DICOM images, are: channels, "
        "or the number of the only one that is used, from 0",
    },
    "--channel-files": {
        "type": names,
        "metavar": "A,B,...",
        "help": "where every channel has a file of its own: the parts of the file names that "
        "tell them apart, in order, such as _dna,_actin",
    },
    "--display-channels": {
        "type": channels,
        "metavar": "R,G,B|N|N:COLOR,...",
        "help": "the channels that pictures show as red, green and blue, or as gray, from 0; "
        "or any in a color each, such as 0:cyan,1:magenta,2:gray (default: the first three, or "
        "the first of fewer)",
    },
    "--on-error": {
        "choices": ("raise", "skip"),
        "default": "raise",
        "help": "end with an error if an image cannot be read, or name it and leave it out "
        "(default: raise)",
    },
    "--max-pixels": {
        "type": whole(1),
        "action": _RaiseLimit,
        "metavar": "N",
        "help": "largest number of pixels of an image, a protection against files that fill "
        "the memory (default: 89478485; four times as many for a JPEG)",
    },
}


def add_shared(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """Declare arguments that several commands have, perhaps with another help or default."""
    for name in names:
        parser.add_argument(name, **{**_SHARED[name], **changes})


#: What users say about files that are not photographs, as `as_images` is told it.
_MEANING = ("n_channels", "value_range", "pages", "channel_files")


def add_meaning(parser: argparse.ArgumentParser) -> None:
    """Declare what the pixels of files mean, and which of their channels pictures show."""
    options = ("--channels", "--value-range", "--pages", "--channel-files")
    add_shared(parser, *options, "--display-channels")


def meaning_of(options: argparse.Namespace) -> dict[str, Any]:
    """What these options tell `as_images`."""
    said = {name: getattr(options, name) for name in _MEANING}
    return {name: value for name, value in said.items() if value is not None}


def check_outputs(
    options: argparse.Namespace, files: Sequence[str] = (), folders: Sequence[str] = ()
) -> None:
    """Raise an InputError if what these options name could not be written.

    Commands call this first: nobody wants to learn it after hours of training.
    """
    for check, names in ((check_writable_file, files), (check_writable_folder, folders)):
        for name in names:
            place = getattr(options, name.removeprefix("--"))
            if place:
                check(place, name)
