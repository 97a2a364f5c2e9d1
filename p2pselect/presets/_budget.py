"""How large the grid and how long the training can be: arithmetic about time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import ceil, floor, log, sqrt

#: A grid may have this share of the pixels that it was meant to have.
_LEAST_AREA, _MOST_AREA = 0.9, 1.3
#: Aspect ratios beyond this are left to padding.
MOST_OBLONG = 3.0


@dataclass(frozen=True)
class Budget:
    """What a preset may cost, and what it needs.

    Attributes
    ----------
    sides : tuple of int
        Sides of squares, from small to large; the grid gets the area of one of them.
    cell : int
        Height and width of the grid are multiples of this.
    epochs : int
        Those of the preset.
    passes : float
        How many times an image of the smallest side can be learned from in about ten minutes.
    steps : int
        How many steps the networks need, however few the images are.
    fewest_epochs : int
        However many they are.
    """

    sides: tuple[int, ...]
    cell: int
    epochs: int
    passes: float
    steps: int
    fewest_epochs: int = 3

    def side(self, n_images: int, largest: float, batch_size: int) -> int:
        """The largest side, up to that of the images, at which there is time for all epochs."""
        passes = n_images * self.needed(n_images, batch_size)
        fitting = [
            side
            for side in self.sides[1:]
            if side <= largest and passes <= self.affordable(side * side)
        ]
        return max([self.sides[0], *fitting])

    def needed(self, n_images: int, batch_size: int) -> int:
        """How many epochs the networks need."""
        return max(self.epochs, ceil(self.steps * batch_size / n_images))

    def affordable(self, area: float) -> float:
        """How many times an image can be learned from on a grid of some area."""
        return self.passes * self.sides[0] ** 2 / area

    def epochs_for(self, n_images: int, area: float, batch_size: int) -> int:
        """As many epochs as the networks need, as far as there is time."""
        possible = floor(self.affordable(area) / n_images)
        return max(self.fewest_epochs, min(self.needed(n_images, batch_size), possible))

    def minutes(self, n_images: int, area: float, epochs: int) -> float:
        """About how long that takes."""
        return 10 * n_images * epochs / self.affordable(area)


def grid(aspect: float, side: int, cell: int) -> tuple[int, int]:
    """Height and width with about some aspect (width / height) and the area of a square.

    Both are multiples of ``cell``.

    Examples
    --------
    >>> grid(1.0, 128, 32), grid(2.0, 128, 32), grid(3 / 4, 128, 32)
    ((128, 128), (96, 192), (160, 128))
    """
    aspect = min(max(aspect, 1 / MOST_OBLONG), MOST_OBLONG)
    longest = ceil(side * sqrt(MOST_OBLONG) / cell) + 1
    multiples = [cell * k for k in range(1, longest + 1)]
    found = [
        (2 * abs(log(width / height / aspect)) + abs(log(area)), height, width)
        for height, width in product(multiples, multiples)
        if _LEAST_AREA <= (area := height * width / side**2) <= _MOST_AREA
    ]
    return min(found)[1:]
