"""What is run at once: one training of one method on one data set with one seed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from p2pselect.exceptions import InputError

#: Setting of a method as it comes.
DEFAULT = "default"
_NAME = re.compile(r"[A-Za-z0-9_=-]+")


@dataclass(frozen=True, order=True)
class Cell:
    """One training; what is measured of it may fill several settings of the results.

    Parameters
    ----------
    dataset, method, setting : str
        Letters, digits, ``_``, ``-`` and ``=`` only.
    seed : int
        Not negative.

    Raises
    ------
    InputError
        If a name has other characters, or the seed is no seed.

    Examples
    --------
    >>> Cell("digit_scenes", "p2p", "watershed", 2).key
    'digit_scenes.p2p.watershed.2'
    >>> Cell.from_key("digit_scenes.p2p.watershed.2").seed
    2
    """

    dataset: str
    method: str
    setting: str
    seed: int

    def __post_init__(self) -> None:
        for field in ("dataset", "method", "setting"):
            name = getattr(self, field)
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InputError(
                    f"{field} must be letters, digits, '_', '-' and '=' only, got {name!r}"
                )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InputError(f"seed must be an int of at least 0, got {self.seed!r}")

    @property
    def key(self) -> str:
        """Name that is a file name and says everything."""
        return f"{self.dataset}.{self.method}.{self.setting}.{self.seed}"

    @classmethod
    def from_key(cls, key: str) -> Self:
        """The cell of a key.

        Parameters
        ----------
        key : str

        Returns
        -------
        Cell
        """
        parts = key.split(".")
        if len(parts) != 4 or not parts[3].isdigit():
            raise InputError(f"a key is DATASET.METHOD.SETTING.SEED, got {key!r}")
        return cls(parts[0], parts[1], parts[2], int(parts[3]))
