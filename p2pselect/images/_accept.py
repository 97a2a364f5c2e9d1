"""``as_images``: recognize images in any of their forms, and check them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from io import BufferedIOBase
from typing import Any, Literal

import numpy as np
from PIL import Image

from p2pselect.exceptions import ImageReadError, InputError, brief, brief_path
from p2pselect.images._arrays import (
    EXPECTED,
    from_array,
    from_listed,
    from_tensor,
    in_range,
    is_tensor,
    unflattened,
)
from p2pselect.images._folders import images_below, is_folder
from p2pselect.images._meaning import Meaning, find_range, rows_to_measure
from p2pselect.images._sequence import ImageSequence
from p2pselect.images._source_protocol import ImageSource
from p2pselect.images._sources import BytesImages, FileImages, PillowImages, StoredFiles
from p2pselect.images._torch_datasets import DatasetImages, is_data_loader, is_map_style


def as_images(
    X: Any,
    *,
    channels: Literal["last", "first"] = "last",
    image_shape: Sequence[int] | None = None,
    n_channels: int | None = None,
    value_range: Any = None,
    pages: Literal["channels"] | int | None = None,
    channel_files: Sequence[str] | None = None,
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
        * the same with another number of channels, which ``n_channels`` has to name, or of
          numbers of any other type or range, which ``value_range`` has to name;
        * torch tensor, with the same rules: for (n, c, h, w) pass ``channels="first"``;
        * list, array, Series or one-column DataFrame of file paths (``str`` or ``Path``),
          of encoded images (``bytes`` or binary files), of Pillow images, or of arrays or
          tensors (h, w), (h, w, c) of unequal size, but with the same number of channels and
          all uint8 or all floats;
        * the path of a folder: all images below it, in natural order (the ``files`` of the
          result);
        * one path of a file, one encoded image or one Pillow image, as a set of one; an array
          of one image is ``array[None]``;
        * a map-style ``torch.utils.data.Dataset`` of images, or of tuples (image, ...),
          without random transforms;
        * flat rows (n, features) with ``image_shape``;
        * an :class:`ImageSource`;
        * an ImageSequence, which is returned as it is.

        Files and Pillow images become 8-bit RGB: EXIF orientation is applied, the first frame
        of an animation taken, palette and CMYK converted, transparency blended with black, and
        of 16 bits the upper 8 are kept.  Where that may lose something, a warning says so,
        once per call.  If ``n_channels``, ``value_range``, ``pages`` or ``channel_files`` say
        what they mean, files are read as they are stored instead: all bands and bits of TIFF
        files, arrays of NumPy (``.npy``, or a ``.npz`` of one), DICOM images in the units that
        they state (with pydicom), 16 bits of gray, and 8 bits of everything else.
    channels : {"last", "first"}, default "last"
        Where arrays and tensors have their channel axis.  (n, h, w) has none either way.
    image_shape : tuple of int, default None
        (h, w) or (h, w, c) (with ``channels="first"``: (c, h, w)) of the images in flat
        rows.  If ``X`` is an array of images already, they must have this shape.
    n_channels : int, default None
        Number of channels that are neither gray, nor RGB, nor RGBA: 2 stains, 5 spectral
        bands, or 4 of which none is opacity.  Networks see them as they are.
    value_range : tuple or {"dtype", "percentiles", "window"}, default None
        Values (low, high) that become 0 and 1: what is beyond them is clipped.  A pair for each
        channel gives every channel its own.  ``"dtype"`` is the range of the type, 0 to 65535
        of uint16.  ``"percentiles"`` are the 0.1th and the 99.9th of the values of each
        channel, over 256 evenly spaced images.  ``"window"`` is the first that a DICOM file
        states for its grays.  None stands for 0 to 255 of uint8, and for 0 to 1 of floats.
    pages : "channels" or int, default None
        What the pages of a TIFF file, or the frames of a DICOM image, are: ``"channels"``, or
        the number of the only one that is used, from 0.  None refuses files of several pages.
    channel_files : sequence of str, default None
        Where every channel has a file of its own: the parts of the file names that tell them
        apart, in the order of the channels.  With ``("_dna", "_actin")``, ``X`` lists
        ``a_dna.tif``, and ``a_actin.tif`` beside it is the second channel.
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
        If ``X`` is another kind of object, has an ambiguous or impossible shape, NaN, infinity
        or no image, is of bool, or, without a ``value_range``, has integers other than uint8 or
        floats outside [0, 1].
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
    >>> images = as_images(np.full((5, 8, 8, 2), 1024, np.uint16), n_channels=2,
    ...                    value_range=(0, 4096))
    >>> float(images[0].max())
    0.25
    """
    meaning = Meaning(channels, image_shape, n_channels, value_range, pages, channel_files)
    if on_error not in ("raise", "skip"):
        raise InputError(f'on_error must be "raise" or "skip", got {brief(on_error)}')
    images = _recognize(X, meaning)
    if len(images) == 0:
        # scikit-learn's checks of estimators expect these words.
        raise InputError("X holds no image: Found array with 0 sample(s), expected at least 1")
    _check_meaning(images, meaning)
    if on_error == "raise":
        _check_files_exist(images)
        if isinstance(images._source, BytesImages):
            images.sizes()  # looks at the beginning of each, so that text is found at once
    return images


def _recognize(X: Any, meaning: Meaning) -> ImageSequence:
    images = _recognize_kind(X, meaning)
    if meaning.is_of_stored and type(images._source) is FileImages:
        images = _as_stored(images, meaning)
    if meaning.n_channels is not None and images._said != meaning.n_channels:
        images = images[:]  # a view, because the one that was given means something else
        images._said = meaning.n_channels
    return images


def _recognize_kind(X: Any, meaning: Meaning) -> ImageSequence:
    image_shape = meaning.image_shape
    if isinstance(X, ImageSequence):
        X.reset_warnings()
        return in_range(X, meaning)
    if isinstance(X, ImageSource):
        return in_range(ImageSequence(X), meaning)
    if is_map_style(X):
        if meaning.value_range == "percentiles":
            raise InputError('value_range="percentiles" needs arrays or files, not a Dataset')
        return ImageSequence(DatasetImages(X, partial(_pixels, meaning=meaning)))
    _refuse_loaders(X)
    if is_folder(X):
        X = images_below(X, meaning)
    # Of arrays, nothing tells one image in color from a stack of gray ones.
    is_one = _kind(X) in ("a path", "an encoded image", "a PIL image")
    values = _as_array([X] if is_one else X)
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
        return _from_items(values.reshape(len(values)), meaning)
    if values.ndim == 2 or (values.ndim < 2 and image_shape is not None):
        values = unflattened(values, image_shape)
    elif image_shape is not None and values.shape[1:] != tuple(image_shape):
        raise InputError(
            f"X has images of shape {values.shape[1:]}, image_shape says {tuple(image_shape)}"
        )
    return from_array(values, meaning)


def _as_stored(images: ImageSequence, meaning: Meaning) -> ImageSequence:
    """Files that are read as they are stored."""
    encoded = images._source.encoded[images._positions(slice(None))]  # type: ignore[attr-defined]
    markers = None if meaning.channel_files is None else tuple(meaning.channel_files)
    how = (meaning.pages, markers, meaning.channels, meaning.n_channels)
    source = StoredFiles(encoded, *how)
    said, values = meaning.value_range, _readable_values(source)
    if said == "window":
        source.value_range = said
    elif said is not None and len(source):
        source.value_range = find_range(said, values, source.dtype, source.n_channels)
    return ImageSequence(source)


def _readable_values(source: StoredFiles) -> Iterator[np.ndarray]:
    found = False
    for row in rows_to_measure(len(source)).tolist():
        try:
            values = source.values(row)
        except ImageReadError:
            continue  # which is said of it when it is read
        if values.shape[2] == source.n_channels:
            found = True
            yield values
    if not found:
        source.values(0)  # says why


def _check_meaning(images: ImageSequence, meaning: Meaning) -> None:
    """Refuse images that have other channels than they were said to have."""
    given, wanted = images.n_channels, meaning.n_channels
    if wanted is not None and given != wanted:
        becomes = " when they are decoded" if images.stored_channels is None else ""
        raise InputError(f"X has images of {given} channels{becomes}, not n_channels={wanted}")
    if meaning.value_range is not None and images.value_range is None:
        kind = type(images._source)
        if kind is not DatasetImages:
            raise InputError(
                "value_range is for arrays, tensors and files, which encoded or Pillow images "
                "have to become first"
            )
    if images.value_range is not None and images._said is None and given == 4:
        raise InputError(
            "X has 4 channels: with a value_range, opacity cannot be told from color; pass "
            "RGB, or n_channels=4 if none of them is opacity"
        )


def _refuse_loaders(X: Any) -> None:
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
    if is_tensor(X):
        return from_tensor(X)
    if hasattr(X, "to_numpy"):
        return X.to_numpy()
    if hasattr(X, "toarray"):
        raise InputError("X is a sparse matrix; dense images are required: pass X.toarray()")
    if hasattr(X, "__array__"):
        return np.asarray(X)
    if isinstance(X, dict | set | frozenset) or not hasattr(X, "__iter__"):
        raise InputError(f"X is a {type(X).__name__}; expected {EXPECTED}")
    items = list(X)
    if items and isinstance(items[0], list | tuple | int | float):
        try:
            return np.asarray(items)
        except ValueError as error:
            raise InputError(
                f"X is a nested list of uneven lengths; expected {EXPECTED}"
            ) from error
    array = np.empty(len(items), dtype=object)
    for position, item in enumerate(items):  # array[:] = items would decode Pillow images
        array[position] = item
    return array


def _from_items(items: np.ndarray, meaning: Meaning) -> ImageSequence:
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
    return from_listed(items, meaning)


def _kind(item: Any) -> str:
    if isinstance(item, str | os.PathLike):
        return "a path"
    if _is_encoded(item):
        return "an encoded image"
    if isinstance(item, Image.Image):
        return "a PIL image"
    return "an array" if isinstance(item, np.ndarray) or is_tensor(item) else ""


def _is_encoded(item: Any) -> bool:
    return isinstance(item, bytes | bytearray | memoryview | BufferedIOBase)


def _described(item: Any) -> str:
    """What an item is that is not an image, and what to pass instead."""
    if not isinstance(item, dict):
        return f"{brief(item)}; expected {EXPECTED}"
    remedy = "the one column that holds the images"
    if "bytes" in item:
        remedy = "[item['bytes'] for item in X]"
    return f"a dict of {brief(list(item))}: pass {remedy}"


def _pixels(image: Any, meaning: Meaning) -> np.ndarray:
    """One image of any kind as an array (h, w, c)."""
    return _recognize([image], replace(meaning, image_shape=None))[0]


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
