"""Object masks that are read only when they are asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from p2pselect.exceptions import InputError


class MaskSequence:
    """Object masks that are read only when they are asked for.

    ``masks[i]`` reads one mask.  Slices and arrays of indices return another MaskSequence and
    read nothing, so scikit-learn can split the masks along with the images.
    ``np.asarray(masks[:100])`` reads masks into one array.  Every score in
    :mod:`p2pselect.metrics` accepts a MaskSequence.  The masks may differ in height and width.

    Parameters
    ----------
    items : sequence
        What each mask is read from, for example its file.
    read : callable
        ``read(item)`` returns the mask, bool (h, w).
    inverted : bool, default False
        Whether to swap True and False.

    Examples
    --------
    >>> import numpy as np
    >>> from p2pselect.datasets import MaskSequence
    >>> masks = MaskSequence([1, 2, 3], lambda n: np.eye(3, dtype=bool) * (n > 1))
    >>> masks[0].any(), len(masks[1:]), np.asarray(masks[[1, 2]]).shape
    (np.False_, 2, (2, 3, 3))
    >>> (~masks)[0].all()
    np.True_
    """

    def __init__(
        self, items: Sequence[Any], read: Callable[[Any], np.ndarray], *, inverted: bool = False
    ):
        self.items = items
        self.read = read
        self.inverted = inverted
        self._index = np.arange(len(items))

    @property
    def shape(self) -> tuple[int]:
        """The number of masks, as ``(n,)``."""
        # scikit-learn indexes what has a shape with arrays, and anything else item by item.
        return (len(self),)

    def __len__(self) -> int:
        return len(self._index)

    def __repr__(self) -> str:
        return f"MaskSequence({len(self)} masks)"

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[number] for number in range(len(self)))

    def __invert__(self) -> MaskSequence:
        """The same masks with True and False swapped."""
        return self._view(self._index, inverted=not self.inverted)

    def _view(self, index: np.ndarray, *, inverted: bool) -> MaskSequence:
        view = MaskSequence(self.items, self.read, inverted=inverted)
        view._index = index
        return view

    @overload
    def __getitem__(self, key: int) -> np.ndarray: ...

    @overload
    def __getitem__(self, key: slice | np.ndarray | list) -> MaskSequence: ...

    def __getitem__(self, key: Any) -> Any:
        """Read one mask (h, w), or view several of them without reading."""
        try:
            number = operator.index(key)
        except TypeError:
            return self._view(self._index[key], inverted=self.inverted)
        mask = self.read(self.items[int(self._index[number])])
        return ~mask if self.inverted else mask

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        masks = list(self)
        sizes = {mask.shape for mask in masks}
        if len(sizes) > 1:
            raise InputError(f"masks differ in size: {sorted(sizes)[:3]}; read them one by one")
        array = np.array(masks, dtype=bool) if masks else np.empty((0, 0, 0), bool)
        return array if dtype is None else array.astype(dtype)
