"""``as_images``: recognize images in any of their forms, and check them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from io import BufferedIOBase
from numbers import Integral
from typing import Any, Literal

import numpy as np
from PIL import Image
from sklearn.utils import check_array

from p2pselect.exceptions import ImageReadError, InputError, brief, brief_path
from p2pselect.images._pixels import CHANNELS, check_channels, check_dtype, check_values
from p2pselect.images._sequence import ImageSequence
from p2pselect.images._source import ImageSource
from p2pselect.images._sources import ArrayImages, BytesImages, ListedImages, PillowImages
from p2pselect.images._torch_datasets import DatasetImages, is_data_loader, is_map_style

_EXPECTED = (
    "an array (n, height, width, 3), a list of arrays (height, width, 3), of PIL images, of "
    "file paths or of encoded images (bytes), an ImageSequence or an ImageSource"
)


def as_images(
    X: Any,
    *,
    channels: Literal["last", "first"] = "last",
    image_shape: Sequence[int] | None = None,
    on_error: Literal["raise", "skip"] = "raise",
) -> ImageSequence:
    """Turn images of any kind into an :class:`ImageSequence`, or say what is wrong.

    Nothing is copied or decoded.  Float arrays are scanned once, in chunks, and files are only
    checked to exist.

    Parameters
    ----------
    X : array-like
        One of

        * uint8 array (n, h, w, 3), the canonical form, or with 1 channel (gray) or 4
          (RGBA, blended with black), or (n, h, w) (gray); memory maps, too;
        * the same as floats in [0, 1]; up to 1e-6 outside is taken for rounding and clipped;
        * torch tensor, with the same rules: for (n, c, h, w) pass ``channels="first"``;
        * list, array, Series or one-column DataFrame of file paths (``str`` or ``Path``),
          of encoded images (``bytes`` or binary files), of Pillow images, or of arrays or
          tensors (h, w), (h, w, c) of unequal size, but with the same number of channels and
          all uint8 or all floats;
        * a map-style ``torch.utils.data.Dataset`` of images, or of tuples (image, ...),
          without random transforms;
        * flat rows (n, features) with ``image_shape``;
        * an :class:`ImageSource`;
        * an ImageSequence, which is returned as it is.

        Files and Pillow images become 8-bit RGB: EXIF orientation is applied, the first frame
        of an animation taken, palette and CMYK converted, transparency blended with black, and
        of 16 bits the upper 8 are kept.  Where that may lose something, a warning says so,
        once per call.
    channels : {"last", "first"}, default "last"
        Where arrays and tensors have their channel axis.  (n, h, w) has none either way.
    image_shape : tuple of int, default None
        (h, w) or (h, w, c) (with ``channels="first"``: (c, h, w)) of the images in flat
        rows.  If ``X`` is an array of images already, they must have this shape.
    on_error : {"raise", "skip"}, default "raise"
        ``"skip"`` lets missing files pass: the caller leaves them out, together with the
        damaged ones and their labels, by :meth:`ImageSequence.readable`.

    Returns
    -------
    ImageSequence
        The images, at least one.

    Raises
    ------
    InputError
        If ``X`` is another kind of object, has an ambiguous or impossible shape, another dtype
        (bool and integers other than uint8 included), NaN, infinity, floats outside [0, 1], or
        no image.
    ImageReadError
        If files do not exist; the message names the first one.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.images import as_images
    >>> as_images(np.zeros((5, 3, 32, 32), np.uint8), channels="first")
    ImageSequence(5 images, 32 x 32, 3 channels, uint8)
    >>> as_images(np.full((5, 64), 0.5), image_shape=(8, 8))
    ImageSequence(5 images, 8 x 8, 1 channels, float32)
    """
    if channels not in ("last", "first"):
        raise InputError(f'channels must be "last" or "first", got {brief(channels)}')
    if on_error not in ("raise", "skip"):
        raise InputError(f'on_error must be "raise" or "skip", got {brief(on_error)}')
    images = _recognize(X, channels, image_shape)
    if len(images) == 0:
        # scikit-learn's checks of estimators expect these words.
        raise InputError("X holds no image: Found array with 0 sample(s), expected at least 1")
    if on_error == "raise":
        _check_files_exist(images)
        if isinstance(images._source, BytesImages):
            images.sizes()  # looks at the beginning of each, so that text is found at once
    return images


def _recognize(X: Any, channels: str, image_shape: Sequence[int] | None) -> ImageSequence:
    if isinstance(X, ImageSequence):
        X.reset_warnings()
        return X
    if isinstance(X, ImageSource):
        return ImageSequence(X)
    if is_map_style(X):
        return ImageSequence(DatasetImages(X, partial(_pixels, channels=channels)))
    _refuse_one_image(X)
    values = _as_array(X)
    if values.dtype.kind == "S":
        raise InputError(
            f"X is an array of dtype {values.dtype}, which drops zeros at the end of encoded "
            "images: pass a list of bytes; paths are str"
        )
    # Columns of numbers may be of objects, too, where rows are known to be flat images.
    columns = values.shape[1] if values.ndim == 2 and image_shape is None else 1
    if values.dtype.kind in "OUT" and columns > 1:
        names = getattr(X, "columns", range(columns))
        raise InputError(
            f"X has {columns} columns, {brief(list(names))}: pass the one column that holds "
            "the images"
        )
    if values.dtype.kind in "OUT" and (values.ndim == 1 or values.shape[1:] == (1,)):
        return _from_items(values.reshape(len(values)), channels)
    if values.ndim == 2 or (values.ndim < 2 and image_shape is not None):
        values = _unflattened(values, image_shape)
    elif image_shape is not None and values.shape[1:] != tuple(image_shape):
        raise InputError(
            f"X has images of shape {values.shape[1:]}, image_shape says {tuple(image_shape)}"
        )
    return _from_array(values, channels)


def _refuse_one_image(X: Any) -> None:
    if isinstance(X, str | os.PathLike):
        raise InputError(
            f"X is one path, {brief_path(X)}: pass a list of paths; "
            "p2pselect.datasets.load_image_folder reads a folder with a subfolder per class"
        )
    if isinstance(X, Image.Image):
        raise InputError("X is one PIL image: pass a list, [image]")
    if _is_encoded(X):
        raise InputError("X is one encoded image: pass a list, [X]")
    if is_data_loader(X):
        raise InputError(
            "X is a DataLoader, which gives batches: pass its data set, X.dataset, "
            "and batch_size= to the estimator"
        )


def _as_array(X: Any) -> np.ndarray:
    """X as an array without copying pixels: of numbers, or a 1-D array of objects."""
    if isinstance(X, np.ma.MaskedArray):
        raise InputError("X is a masked array: pass X.filled(0), with masked pixels black")
    if isinstance(X, np.ndarray):
        return X
    if _is_tensor(X):
        return _from_tensor(X)
    if hasattr(X, "to_numpy"):
        return X.to_numpy()
    if hasattr(X, "toarray"):
        raise InputError("X is a sparse matrix; dense images are required: pass X.toarray()")
    if hasattr(X, "__array__"):
        return np.asarray(X)
    if isinstance(X, dict | set | frozenset) or not hasattr(X, "__iter__"):
        raise InputError(f"X is a {type(X).__name__}; expected {_EXPECTED}")
    items = list(X)
    if items and isinstance(items[0], list | tuple | int | float):
        try:
            return np.asarray(items)
        except ValueError as error:
            raise InputError(
                f"X is a nested list of uneven lengths; expected {_EXPECTED}"
            ) from error
    array = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):  # array[:] = items would decode Pillow images
        array[position] = item
    return array


def _is_tensor(value: Any) -> bool:
    # Recognized by its name, so that torch is not imported for those who do not use it.
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "numpy")


def _from_tensor(tensor: Any) -> np.ndarray:
    tensor = tensor.detach().cpu()
    # numpy has no bfloat16.
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _unflattened(rows: np.ndarray, image_shape: Sequence[int] | None) -> np.ndarray:
    if image_shape is None:
        raise InputError(
            f"X has shape {rows.shape}: for flat rows pass image_shape=(height, width, "
            "channels); one single gray image is X[None]"
        )
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or not all(isinstance(side, Integral) for side in shape):
        raise InputError(f"image_shape must be (h, w) or (h, w, c) in pixels, got {shape}")
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


def _from_array(values: np.ndarray, channels: str) -> ImageSequence:
    shape = values.shape
    if values.ndim not in (3, 4):
        raise InputError(f"X has shape {shape} and dtype {values.dtype}; expected {_EXPECTED}")
    check_dtype(values, "X")
    if values.ndim == 4:
        check_channels(shape, channels, "X")
    elif shape[2] in CHANNELS[1:] and shape[1] > shape[2]:
        raise InputError(
            f"X has shape {shape}, which looks like one image (height, width, channels): pass "
            "X[None]; for gray images of that width pass X[..., None]"
        )
    check_values(values, "X")
    return ImageSequence(ArrayImages(_channels_last(values, channels)))


def _channels_last(values: np.ndarray, channels: str) -> np.ndarray:
    if values.ndim == 3:
        return values[..., np.newaxis]
    return np.moveaxis(values, 1, -1) if channels == "first" else values


def _from_items(items: np.ndarray, channels: str) -> ImageSequence:
    if items.dtype.kind != "O" or len(items) == 0:
        return ImageSequence(items)
    kinds = [_kind(item) for item in items]
    for number, kind in enumerate(kinds):
        if not kind:
            raise InputError(f"item {number} of X is {_described(items[number])}")
    for number, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise InputError(
                f"X mixes kinds of images: item 0 is {kinds[0]}, item {number} is {kind}"
            )
    if kinds[0] == "a path":
        return ImageSequence(items)
    if kinds[0] == "a PIL image":
        return ImageSequence(PillowImages(items))
    if kinds[0] == "an encoded image":
        return ImageSequence(BytesImages(items))
    return _from_listed(items, channels)


def _kind(item: Any) -> str:
    if isinstance(item, str | os.PathLike):
        return "a path"
    if _is_encoded(item):
        return "an encoded image"
    if isinstance(item, Image.Image):
        return "a PIL image"
    return "an array" if isinstance(item, np.ndarray) or _is_tensor(item) else ""


def _is_encoded(item: Any) -> bool:
    return isinstance(item, bytes | bytearray | memoryview | BufferedIOBase)


def _described(item: Any) -> str:
    """What an item is that is not an image, and what to pass instead."""
    if not isinstance(item, dict):
        return f"{brief(item)}; expected {_EXPECTED}"
    remedy = "the one column that holds the images"
    if "bytes" in item:
        remedy = "[item['bytes'] for item in X]"
    return f"a dict of {brief(list(item))}: pass {remedy}"


def _from_listed(items: np.ndarray, channels: str) -> ImageSequence:
    images = np.empty(len(items), dtype=object)
    for number, item in enumerate(items):
        what = f"image {number} of X"
        image = _from_tensor(item) if _is_tensor(item) else item
        check_dtype(image, what)
        if image.ndim not in (2, 3):
            raise InputError(f"{what} has shape {image.shape}, expected (h, w) or (h, w, c)")
        if image.ndim == 3:
            check_channels(image.shape, channels, what)
        check_values(image[np.newaxis], what, number)
        images[number] = _channels_last(image[np.newaxis], channels)[0]
        for said, first, own in (
            ("channels", images[0].shape[2], images[number].shape[2]),
            ("pixels of type", images[0].dtype.kind, images[number].dtype.kind),
        ):
            if own != first:
                raise InputError(
                    f"images of X differ: image 0 has {first} {said}, image {number} has {own}"
                )
    return ImageSequence(ListedImages(images))


def _pixels(image: Any, channels: str) -> np.ndarray:
    """One image of any kind as an array (h, w, c)."""
    return _recognize([image], channels, None)[0]


def _check_files_exist(images: ImageSequence) -> None:
    files = images.files
    if files is None:
        return
    missing = [str(path) for path in files if not os.path.isfile(path)]  # noqa: PTH113
    if missing:
        hint = ""
        if "://" in missing[0]:
            hint = "; addresses are not downloaded: pass files, or the bytes of the images"
        elif missing[0].startswith("~"):
            hint = "; ~ is not replaced: pass os.path.expanduser(path)"
        raise ImageReadError(
            f"{len(missing)} of {len(files)} image files do not exist (or are not files); "
            f"the first is {brief_path(missing[0])}{hint}"
        )
