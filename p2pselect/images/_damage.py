"""Every image read once, to find those that are damaged before anything depends on them."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
from tqdm.auto import tqdm

from p2pselect.exceptions import ImageReadError, InputError, P2PSelectWarning
from p2pselect.images._sources import PillowImages, Source

_BLOCK = 4096
_SHOWN = 10


def find_damage(
    source: Source, positions: np.ndarray, *, progress: bool
) -> dict[int, Exception]:
    """Read images of a source, in threads, and collect what is wrong with them.

    Damage is whatever Pillow's decoders notice: a file that is missing, cut off, of no known
    format or inconsistent.  Pixels that were changed such that they still decode are not.

    Parameters
    ----------
    source : Source
    positions : ndarray of int
        Which images.
    progress : bool
        Whether to show a bar on a terminal where it takes more than two seconds.

    Returns
    -------
    dict of int to ImageReadError or InputError
        Number in ``positions``: what is wrong, with the image's name.
    """
    if not hasattr(source, "told"):  # pixels in memory
        return {}

    def read(position: int) -> None:
        next(iter(source.read(np.array([position]))))

    probe = getattr(source, "probe", read)

    def problem(position: int) -> Exception | None:
        try:
            probe(int(position))
        except (ImageReadError, InputError) as error:
            return error
        return None

    damage: dict[int, Exception] = {}
    bar = tqdm(
        total=len(positions),
        desc="checking images",
        delay=2,
        leave=False,
        disable=None if progress else True,
    )
    # Pillow images are loaded by whoever asks first, which two threads must not do at once.
    with bar, ThreadPoolExecutor(1 if isinstance(source, PillowImages) else None) as pool:
        # In blocks, for the pool holds an object for every call that it was handed.
        for start in range(0, len(positions), _BLOCK):
            block = positions[start : start + _BLOCK]
            for number, said in enumerate(pool.map(problem, block), start):
                bar.update()
                if said is not None:
                    damage[number] = said
    return damage


def raise_damage(damage: dict[int, Exception], n_images: int) -> None:
    """Raise an error that names the first damaged images, if there are any."""
    for first in damage.values():
        raise type(first)(_said(damage, n_images)) from first


def warn_of_damage(damage: dict[int, Exception], n_images: int) -> None:
    """Warn of the first damaged images, for the caller of our caller."""
    if damage:
        warnings.warn(_said(damage, n_images), P2PSelectWarning, stacklevel=3)


def _said(damage: dict[int, Exception], n_images: int) -> str:
    shown = "".join(f"\n  {error}" for error in islice(damage.values(), _SHOWN))
    more = f"\n  and {len(damage) - _SHOWN} more" if len(damage) > _SHOWN else ""
    return f"{len(damage)} of {n_images} images cannot be read:{shown}{more}"
