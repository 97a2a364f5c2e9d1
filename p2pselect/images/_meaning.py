"""What the numbers of an image mean, where the numbers do not say it: channels and range.

Inside of this package pixels are uint8, or float32 in [0, 1].  Values in another range are
brought there when an image is read, and nowhere else.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from p2pselect.exceptions import InputError, P2PSelectWarning, brief
from p2pselect.images._pixels import CHANNELS

#: Lowest and highest value: one pair for all channels, or one for each.
Pairs = tuple[tuple[float, float], ...]
#: Or that each file states its own.
ValueRange = Pairs | Literal["window"]
#: What is said about images, by the name of the setting of an estimator.
SAID = ("channels", "image_shape", "n_channels", "value_range", "pages", "channel_files")
#: Channels that pictures show: as red, green and blue, one as gray, or each in a color.
DisplayChannels = tuple[int, ...] | tuple[tuple[int, str], ...]
#: Colors in which a channel can be shown, as its brightest value.
TINTS = {
    "gray": (1, 1, 1),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
    "yellow": (1, 1, 0),
}
RANGE_WORDS = ("dtype", "percentiles", "window")
#: Percentiles of the values of a set that become black and white.
PERCENTILES = (0.1, 99.9)
#: Images of a set that are measured, and values of each.
N_MEASURED, _N_VALUES = 256, 4096
#: A share of the range that is little, and one of values at its end that is much.
_LITTLE, _MUCH = 1 / 15, 0.5


@dataclass(frozen=True)
class Meaning:
    """What :func:`p2pselect.images.as_images` is told about images, checked."""

    channels: str = "last"
    image_shape: Sequence[int] | None = None
    n_channels: int | None = None
    value_range: Any = None
    pages: Any = None
    channel_files: Any = None

    @property
    def is_of_stored(self) -> bool:
        """Whether files are read as they are stored: somebody has said what that means."""
        said = (self.n_channels, self.value_range, self.pages, self.channel_files)
        return any(each is not None for each in said)

    def __post_init__(self) -> None:
        if self.channels not in ("last", "first"):
            raise InputError(f'channels must be "last" or "first", got {brief(self.channels)}')
        if self.n_channels is not None and not (
            isinstance(self.n_channels, Integral) and int(self.n_channels) >= 1
        ):
            raise InputError(f"n_channels must be a positive int, got {brief(self.n_channels)}")
        check_value_range(self.value_range)
        pages, markers = self.pages, self.channel_files
        is_number = (
            isinstance(pages, Integral) and not isinstance(pages, bool) and int(pages) >= 0
        )
        if not (pages is None or pages == "channels" or is_number):
            raise InputError(
                f'pages must be "channels" or the number of a page from 0, got {brief(pages)}'
            )
        if markers is not None and not (
            isinstance(markers, tuple | list)
            and len(set(markers)) == len(markers) > 1
            and all(isinstance(marker, str) and marker for marker in markers)
        ):
            raise InputError(
                "channel_files must be a tuple of parts of file names, one for each channel, "
                f"got {brief(markers)}"
            )


def check_value_range(value_range: Any) -> None:
    """Refuse what is neither a pair, nor a pair for each channel, nor a word."""
    if value_range is None or (isinstance(value_range, str) and value_range in RANGE_WORDS):
        return
    if not (
        isinstance(value_range, tuple | list) and all(map(_is_pair, as_pairs(value_range)))
    ):
        raise InputError(
            "value_range must be a pair (low, high), a tuple of one pair for each channel, "
            f'"dtype", "percentiles" or "window", got {brief(value_range)}'
        )


def as_pairs(value_range: Any) -> Pairs:
    """A range as pairs, of which there is one where all channels share it."""
    one = len(value_range) == 2 and all(isinstance(value, Real) for value in value_range)
    return (tuple(value_range),) if one else tuple(value_range)


def _is_pair(pair: Any) -> bool:
    return (
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and all(isinstance(value, Real) and np.isfinite(float(value)) for value in pair)
        and pair[0] < pair[1]
    )


def find_range(value_range: Any, images: Any, dtype: np.dtype, n_channels: int) -> Pairs | None:
    """The range as pairs, measured on some of the images where it is ``"percentiles"``.

    ``images`` is an array (n, h, w, c), or has several (h, w, c); an iterator is used whole.
    """
    if value_range is None:
        return None
    if value_range == "window":
        raise InputError('value_range="window" is for DICOM files, which state one each')
    if value_range == "dtype":
        if dtype.kind not in "iu":
            raise InputError(f'value_range="dtype" needs whole numbers, got {dtype}')
        return ((float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)),)
    if value_range == "percentiles":
        if hasattr(images, "__len__"):
            images = [images[row] for row in rows_to_measure(len(images))]
        values = np.concatenate([_some_values(image) for image in images])
        low, high = np.percentile(values, PERCENTILES, axis=0)
        # All pixels of a channel may be equal.
        return tuple(
            (float(a), float(b if b > a else a + 1)) for a, b in zip(low, high, strict=True)
        )
    pairs = as_pairs(value_range)
    if len(pairs) not in (1, n_channels):
        raise InputError(
            f"value_range has {len(pairs)} pairs, but the images have {n_channels} channels"
        )
    return tuple((float(low), float(high)) for low, high in pairs)


def _some_values(image: np.ndarray) -> np.ndarray:
    """Evenly spaced pixels (m, c) of an image."""
    pixels = image.reshape(-1, image.shape[-1])
    return pixels[:: max(1, len(pixels) // _N_VALUES)]


def rows_to_measure(n_images: int) -> np.ndarray:
    """Evenly spaced images that stand for all."""
    return np.unique(np.linspace(0, n_images - 1, N_MEASURED).round().astype(int))


def measure_channels(images: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel that networks see, in units of [0, 1]."""
    sums, squares, n = 0.0, 0.0, 0
    for row in rows_to_measure(len(images)):
        image = images._as_seen(images[int(row)])
        white = 255 if image.dtype == np.uint8 else 1
        values = image.reshape(-1, image.shape[2]).astype(np.float64) / white
        sums, squares = sums + values.sum(axis=0), squares + np.square(values).sum(axis=0)
        n += len(values)
    mean = np.asarray(sums) / n
    std = np.sqrt(np.maximum(squares / n - mean**2, 0))
    # A channel without variance must not be divided by 0.
    return tuple(mean.tolist()), tuple(np.where(std > 1e-6, std, 1.0).tolist())


def warn_of_little_use(images: Any) -> None:
    """Warn where images use little of their range, or end beyond it."""
    if not images.is_float and images.image_shape is None:
        return  # files of 8 bits are not decoded once more for this
    low, high, white, n = np.inf, -np.inf, 0, 0
    for row in rows_to_measure(len(images)):
        image = images[int(row)]
        low, high = np.minimum(low, image.min((0, 1))), np.maximum(high, image.max((0, 1)))
        white, n = white + int((image >= 1).sum()), n + image.size
    most = 1 if images.is_float else 255
    span = np.max(np.subtract(high, low)) / most
    given = images.value_range is not None
    said = f"value_range={images.value_range}" if given else f"[0, {most}]"
    if given and white > _MUCH * n:
        fault = f"{white / n:.0%} of all values are at the upper end of {said}, or beyond"
    elif 0 < span < _LITTLE:
        fault = f"the images use {span:.1%} of the range {said}, so they have little contrast"
    else:
        return
    remedy = "the range that they have, or value_range='percentiles' (images__value_range=)"
    warnings.warn(f"{fault}: pass {remedy}", P2PSelectWarning, stacklevel=3)


def scaled(values: np.ndarray, value_range: Pairs) -> np.ndarray:
    """Values (..., c) as float32 in [0, 1]; what is out of their range is clipped."""
    low, high = np.array(value_range).T
    # 16 bits are exact in single precision; other types need more until they are scaled.
    kind = np.float32 if values.dtype.itemsize <= 2 else np.float64
    out = np.subtract(values, low.astype(kind), dtype=kind)
    out /= (high - low).astype(kind)
    return np.clip(out, 0, 1, out=out).astype(np.float32, copy=False)


def check_same_channels(images: Any, estimator: Any) -> None:
    """Refuse images with other channels than the networks see.

    So are gray arrays where colors were learned from arrays, and the other way round.

    An array with one channel in the place of one with three is an oversight more often than
    not.  Files say nothing of the kind: they are decoded to three channels in any case.
    """
    if images.seen_channels != estimator.n_channels_seen_:
        raise InputError(
            f"{type(estimator).__name__} was fitted on images of "
            f"{estimator.n_channels_seen_} channels, and X has {images.seen_channels}"
        )
    given, fitted = images.stored_channels, estimator.n_channels_in_
    if given is None or fitted is None or (given == 1) == (fitted == 1):
        return
    remedy = (
        "repeat the channel, X.reshape(n, h, w, 1).repeat(3, axis=3), if this is meant"
        if given == 1
        else "fit on color images, or convert these to gray"
    )
    raise InputError(
        f"X has {given} channel{'s' * (given != 1)}, but {type(estimator).__name__} was "
        f"fitted on images of {fitted}: {remedy}"
    )


def check_display_channels(chosen: Any, n_channels: int) -> None:
    """Refuse channels that an image does not have, and what says no color."""
    if chosen is None:
        return
    pairs = tinted(chosen)
    numbers = list(chosen) if pairs is None else [number for number, _ in pairs]
    known = [isinstance(c, Integral) and 0 <= int(c) < n_channels for c in numbers]
    if all(known) and len(numbers) in ((1, 3) if pairs is None else range(1, n_channels + 1)):
        return
    raise InputError(
        f"display_channels must be one or three of the channels 0 to {n_channels - 1}, or "
        'pairs of one and its color, such as ((0, "cyan"), (1, "gray")), with the colors '
        f"{', '.join(TINTS)}, got {brief(chosen)}"
    )


def tinted(chosen: Any) -> tuple[tuple[int, str], ...] | None:
    """The channels that are shown in a color each; None where that is not what was chosen."""
    pairs = [one for one in chosen if isinstance(one, tuple) and len(one) == 2]
    known = [isinstance(color, str) and color in TINTS for _, color in pairs]
    return tuple(pairs) if len(pairs) == len(chosen) and all(known) else None


def are_colors(n_channels: int, said: int | None) -> bool:
    """Whether channels are gray, RGB or RGBA: those that nobody has called channels."""
    return said is None and n_channels in CHANNELS
