"""Arrays and tensors as images, all in one array or each of a size of its own."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from p2pselect._optional import need
from p2pselect.exceptions import InputError, brief
from p2pselect.images._meaning import Meaning, as_pairs, find_range
from p2pselect.images._pixels import CHANNELS, check_channels, check_dtype, check_values
from p2pselect.images._sequence import ImageSequence
from p2pselect.images._sources import ArrayImages, FileImages, ListedImages

#: What images may be, for messages.
EXPECTED = (
    "an array (n, height, width, 3), a list of arrays (height, width, 3), of PIL images, of "
    "file paths or of encoded images (bytes), an ImageSequence or an ImageSource"
)


def is_tensor(value: Any) -> bool:
    # Recognized by its name, so that torch is not imported for those who do not use it.
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "numpy")


def from_tensor(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    # numpy has no bfloat16.
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def unflattened(rows: np.ndarray, image_shape: Sequence[int] | None) -> np.ndarray:
    if image_shape is None:
        raise InputError(
            f"X has shape {rows.shape}: for flat rows pass image_shape=(height, width, "
            "channels); one single gray image is X[None]"
        )
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or not all(isinstance(side, Integral) for side in shape):
        raise InputError(f"image_shape must be (h, w) or (h, w, c) in pixels, got {shape}")
    # Not above, because those who run an exported model need not have scikit-learn.
    need("sklearn", "images in flat rows", "scikit-learn")
    from sklearn.utils import check_array

    try:
        # Whether values are finite is checked later, by a message that names the image.
        rows = check_array(rows, ensure_all_finite=False)
    except ValueError as error:
        raise InputError(str(error)) from error
    if rows.shape[1] != np.prod(shape):
        raise InputError(
            f"X has {rows.shape[1]} features, image_shape={shape} needs {np.prod(shape)}"
        )
    return rows.reshape(len(rows), *shape)


def from_array(values: np.ndarray, meaning: Meaning) -> ImageSequence:
    shape, has_range = values.shape, meaning.value_range is not None
    if values.ndim not in (3, 4):
        raise InputError(f"X has shape {shape} and dtype {values.dtype}; expected {EXPECTED}")
    check_dtype(values, "X", has_range)
    if values.ndim == 4:
        check_channels(shape, meaning.channels, "X", meaning.n_channels)
    elif shape[2] in CHANNELS[1:] and shape[1] > shape[2]:
        raise InputError(
            f"X has shape {shape}, which looks like one image (height, width, channels): pass "
            "X[None]; for gray images of that width pass X[..., None]"
        )
    check_values(values, "X", has_range=has_range)
    return _scaled_array(_channels_last(values, meaning.channels), meaning.value_range)


def _channels_last(values: np.ndarray, channels: str) -> np.ndarray:
    if values.ndim == 3:
        return values[..., np.newaxis]
    return np.moveaxis(values, 1, -1) if channels == "first" else values


def from_listed(items: np.ndarray, meaning: Meaning) -> ImageSequence:
    has_range = meaning.value_range is not None
    images = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        what = f"image {number} of X"
        image = from_tensor(item) if is_tensor(item) else item
        check_dtype(image, what, has_range)
        if image.ndim not in (2, 3):
            raise InputError(f"{what} has shape {image.shape}, expected (h, w) or (h, w, c)")
        if image.ndim == 3:
            check_channels(image.shape, meaning.channels, what, meaning.n_channels)
        check_values(image[np.newaxis], what, number, has_range)
        images[number] = _channels_last(image[np.newaxis], meaning.channels)[0]
        for said, first, own in (
            ("channels", images[0].shape[2], images[number].shape[2]),
            ("pixels of type", images[0].dtype.kind, images[number].dtype.kind),
        ):
            if own != first:
                raise InputError(
                    f"images of X differ: image 0 has {first} {said}, image {number} has {own}"
                )
    return _scaled_list(images, meaning.value_range)


def in_range(images: ImageSequence, meaning: Meaning) -> ImageSequence:
    """A sequence that was made before, in a range that is told now."""
    wanted, known = meaning.value_range, images.value_range
    if wanted is None or known is not None:
        said = as_pairs(wanted) if isinstance(wanted, tuple | list) else wanted
        if said not in (None, "dtype", "percentiles", known):
            raise InputError(f"X was read with value_range={known}, not {brief(wanted)}")
        return images
    source = images._source
    stored = source if images._index is None else source.subset(images._index)
    if isinstance(stored, ArrayImages):
        return _scaled_array(stored.array, wanted)
    if isinstance(stored, ListedImages):
        return _scaled_list(stored.images, wanted)
    if isinstance(source, FileImages):
        return images
    raise InputError(
        f"value_range is for arrays and files; a {type(source).__name__} gives pixels that are "
        "uint8 or floats in [0, 1] already"
    )


def _scaled_array(array: np.ndarray, value_range: Any) -> ImageSequence:
    found = find_range(value_range, array, array.dtype, array.shape[3])
    return ImageSequence(ArrayImages(array, found))


def _scaled_list(images: np.ndarray, value_range: Any) -> ImageSequence:
    found = find_range(value_range, images, images[0].dtype, images[0].shape[2])
    return ImageSequence(ListedImages(images, found))
