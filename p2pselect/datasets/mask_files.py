"""Object masks in files: folders of pictures, and ``.npy`` files beside images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from p2pselect.datasets.mask_names import require_masks
from p2pselect.datasets.masks import MaskSequence
from p2pselect.exceptions import ImageReadError, InputError
from p2pselect.images import ImageSequence
from p2pselect.images.pillow import from_pillow
from p2pselect.images.pixels import height_width, resize_nearest
from p2pselect.images.reading import decode


def load_mask_folder(
    root: str | os.PathLike[str],
    images: ImageSequence,
    size: int | tuple[int, int] | None = None,
) -> np.ndarray:
    """Read the object masks that lie beside images.

    The mask of ``.../CLASS/ID.jpg`` is ``root/CLASS/ID.png``, or another file that
    :func:`~p2pselect.datasets.mask_names.find_masks` recognizes: the folders of the images are
    mirrored, however deep, and names such as ``ID_mask.png`` and ``ID.jpg.png`` and other
    endings count too.  Black pixels are not the object, all others are.

    Parameters
    ----------
    root : str or path-like
        Folder of the masks.
    images : ImageSequence
        Images from files, for example from :func:`load_image_folder`.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbor; ``None`` keeps the masks' own
        size, which must then be the same for all.

    Returns
    -------
    ndarray of shape (n, h, w), bool
        True on the object; in the order of ``images``.

    Raises
    ------
    InputError
        When the images are not files, an image has no mask or might have several, or the masks
        differ in size.
    ImageReadError
        When a mask cannot be decoded.

    Examples
    --------
    >>> images, y = load_image_folder("scenes/train/images")  # doctest: +SKIP
    >>> masks = load_mask_folder("scenes/train/masks", images)  # doctest: +SKIP
    """
    files = images.files
    if files is None:
        raise InputError("images must be files, so that masks can be found by their names")
    return read_masks(require_masks(root, files.tolist()), size)


def read_masks(paths: Sequence[Path], size: int | tuple[int, int] | None = None) -> np.ndarray:
    """Read mask files into one array.

    Parameters
    ----------
    paths : sequence of Path
        Files; black is not the object, everything else is.
    size : int or (int, int), default None
        Height and width to resize to, by nearest neighbor.

    Returns
    -------
    ndarray of shape (n, h, w), bool

    Raises
    ------
    InputError
        When ``size`` is None and the masks differ in size.
    ImageReadError
        When a mask is missing or cannot be decoded.
    """
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise ImageReadError(
            f"{len(missing)} of {len(paths)} masks do not exist; the first is {missing[0]}"
        )
    shape = None if size is None else height_width(size)
    masks: np.ndarray | None = None
    for row, path in enumerate(paths):
        mask = decode(path, str(path), convert=_is_object)
        if shape is None:
            shape = (mask.shape[0], mask.shape[1])
        if size is not None:
            mask = resize_nearest(mask, shape)
        elif mask.shape != shape:
            raise InputError(
                f"masks differ in size ({paths[0]} is {shape}, {path} is {mask.shape}): "
                "pass size="
            )
        if masks is None:
            masks = np.empty((len(paths), *shape), dtype=bool)
        masks[row] = mask
    if masks is None:
        raise InputError("no masks to read")
    return masks


def _is_object(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I"):
        # Label maps of 16 bits hold small numbers, which the upper byte would lose.
        return np.asarray(image).astype(bool)
    return np.any(from_pillow(image), axis=2)


def read_npy_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a mask (h, w) from a ``.npy`` file; what is not 0 is the object.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    ndarray of shape (h, w), bool

    Raises
    ------
    ImageReadError
        When the file is missing, or holds no 2-D array of numbers.
    """
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImageReadError(f"{os.fspath(path)}: no mask can be read: {error}") from error
    if mask.ndim != 2 or mask.dtype.kind not in "biuf":
        raise ImageReadError(
            f"{os.fspath(path)}: expected a mask (h, w) of numbers, "
            f"got shape {mask.shape}, dtype {mask.dtype}"
        )
    return mask.astype(bool)


def masks_beside(images: ImageSequence, folder: Path) -> MaskSequence:
    """Masks ``folder/CLASS/ID.npy`` of images ``.../CLASS/ID.jpg``.

    Parameters
    ----------
    images : ImageSequence
        Images from files.
    folder : Path

    Returns
    -------
    MaskSequence
        In the order of the images.

    Raises
    ------
    InputError
        When a mask is missing.
    """
    files = images.files
    assert files is not None
    return MaskSequence(require_masks(folder, files.tolist(), [".npy"]), read_npy_mask)
