"""Two models on the same images: where they agree, who is right, and what each showed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._optional import need
from p2pselect.exceptions import InputError
from p2pselect.explanations._exports import image_names
from p2pselect.metrics._arrays import ratio
from p2pselect.metrics._encoding import bootstrap_means
from p2pselect.metrics._explained import check_true_labels

if TYPE_CHECKING:
    import pandas as pd

#: Draws of the bootstrap.
_N_DRAWS = 2000
#: The most pixels that a side has on which masks are laid over each other.
_SIDE = 512


@shared_docs
def compare(
    first: ExplanationArrays,
    second: ExplanationArrays,
    y: Any = None,
    *,
    groups: Any = None,
    random_state: int = 0,
) -> Comparison:
    """Compare what two models showed of the same images, and how often each of them is right.

    Every figure is one of pairs: both models have seen the same images, so that how hard these
    are cancels out.

    Parameters
    ----------
    first : Explanation
        What one model showed.
    second : Explanation
        What the other one showed of the same images, in the same order.
    %(optional_y)s
    groups : array-like of shape (n,), optional
        Images that belong together, such as those of one patient, which the bootstrap draws
        together.
    random_state : int, default=0
        Seed of the bootstrap.

    Returns
    -------
    Comparison
        The figures; ``print`` shows them.

    Raises
    ------
    InputError
        If the two explain different images or classes, or none, or if ``y`` or ``groups`` do
        not fit them.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=12)
    >>> print(compare(example.explanation, example.explanation, example.y).figures["agree"][0])
    1.0
    """
    _check_same(first, second)
    truth = None if y is None else check_true_labels(first, y)
    if groups is not None:
        groups = np.asarray(groups)
        if groups.shape != (len(first),):
            raise InputError(
                f"groups must have shape ({len(first)},), one for each image, "
                f"got {groups.shape}"
            )
    return Comparison(first, second, truth, groups, random_state)


@dataclass(eq=False, repr=False)
class Comparison:
    """Two models on the same images, made by :func:`compare`.

    Parameters
    ----------
    first : Explanation
        What one model showed.
    second : Explanation
        What the other one showed of the same images.
    y : ndarray of shape (n,), optional
        True labels.
    groups : ndarray of shape (n,), optional
        Images that the bootstrap draws together.
    random_state : int, default=0
        Seed of the bootstrap.

    Examples
    --------
    >>> from p2pselect.explanations import compare, example_explanation
    >>> exp = example_explanation(n_images=12).explanation
    >>> compare(exp, exp).mask_iou.mean()
    np.float64(1.0)
    """

    first: ExplanationArrays
    second: ExplanationArrays
    y: np.ndarray | None = None
    groups: np.ndarray | None = field(default=None)
    random_state: int = 0

    @cached_property
    def mask_iou(self) -> np.ndarray:
        """Overlap of what the two showed, ``|a & b| / |a | b|``, float array of shape (n,).

        It is measured on the photographs, or on copies of them with sides of at most 512
        pixels, so that the models may have different grids.  NaN where neither showed anything.
        """
        shown = [
            exp.at_original_size(
                exp.to_pixels(exp.visible_region_masks), fill=False, longest_side=_SIDE
            )
            for exp in (self.first, self.second)
        ]
        pairs = list(zip(*shown, strict=True))
        both = np.array([(a & b).sum() for a, b in pairs])
        return ratio(both, np.array([(a | b).sum() for a, b in pairs]))

    @cached_property
    def figures(self) -> dict[str, np.ndarray]:
        """Means over the images, each with the ends of its 95 % interval: arrays of shape (3,).

        ``agree`` is the share of images with equal predictions; ``kept: first``, ``kept:
        second`` and ``kept: difference`` (second minus first) are shares of the pixels, and so
        are ``answered: first``, ``answered: second`` and ``answered: difference`` shares of
        the images; ``mask_iou`` is the overlap.  With ``y`` there are also ``right: first``,
        ``right: second`` and ``right: difference``, and ``only first is right``, ``only second
        is right``, ``both are right`` and ``neither is right``.

        Intervals are percentiles of 2,000 draws of the images, which are the same for all
        figures, so that those of differences are of pairs.
        """
        columns = self._columns
        found = bootstrap_means(
            np.stack([*columns.values()], axis=1), self.groups, _N_DRAWS, self.random_state
        )
        return dict(zip(columns, found.T, strict=True))

    @property
    def _columns(self) -> dict[str, np.ndarray]:
        """One value for every image, by figure."""
        columns = {"agree": self._agree}
        pairs = {
            "kept": (self.first.kept_fraction, self.second.kept_fraction),
            "answered": (self.first.answered, self.second.answered),
        }
        if (right := self._right) is not None:
            pairs = {"right": right, **pairs}
        for name, (a, b) in pairs.items():
            first, second = np.asarray(a, float), np.asarray(b, float)
            columns |= {
                f"{name}: first": first,
                f"{name}: second": second,
                f"{name}: difference": second - first,
            }
        if right is not None:
            a, b = right
            columns |= {
                "only first is right": a & ~b,
                "only second is right": b & ~a,
                "both are right": a & b,
                "neither is right": ~a & ~b,
            }
        columns["mask_iou"] = self.mask_iou
        return {name: np.asarray(column, float) for name, column in columns.items()}

    @property
    def _agree(self) -> np.ndarray:
        return self.first._right(self.second.predicted)

    @property
    def _right(self) -> tuple[np.ndarray, np.ndarray] | None:
        if self.y is None:
            return None
        return self.first._right(self.y), self.second._right(self.y)

    @shared_docs
    def to_frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Make a data frame with one row for each image; needs pandas.

        Parameters
        ----------
        %(names)s

        Returns
        -------
        pandas.DataFrame
            With the columns ``image``, ``first`` and ``second`` (their predictions), ``agree``,
            ``certainty: first``, ``certainty: second``, ``answered: first``, ``answered:
            second``, ``kept: first``, ``kept: second`` and ``mask_iou``; with ``y`` also
            ``true``, ``right: first`` and ``right: second``.

        Raises
        ------
        MissingPackageError
            If pandas cannot be imported.
        InputError
            If there is not one name for each image.
        """
        need("pandas", "to_frame", "pandas")
        import pandas as pd

        columns: dict[str, Any] = {"image": image_names(self.first, names)}
        if (right := self._right) is not None and self.y is not None:
            columns["true"] = self.first._kind.names(self.y, self.first.classes)
        columns |= {"first": self.first.predicted_names, "second": self.second.predicted_names}
        if right is not None:
            columns |= {"right: first": right[0], "right: second": right[1]}
        columns["agree"] = self._agree
        for name, attribute in (
            ("certainty", "certainty"), ("answered", "answered"), ("kept", "kept_fraction")
        ):  # fmt: skip
            columns[f"{name}: first"] = getattr(self.first, attribute)
            columns[f"{name}: second"] = getattr(self.second, attribute)
        return pd.DataFrame({**columns, "mask_iou": self.mask_iou})

    def __repr__(self) -> str:
        agree = self.figures["agree"][0]
        return f"{type(self).__name__}({len(self.first)} images, {agree:.1%} predicted alike)"

    def __str__(self) -> str:
        head = f"{len(self.first)} images" + (
            ", with true labels" if self.y is not None else ""
        )
        return "\n".join([head, *(_line(*item) for item in self.figures.items())])


def _line(name: str, figure: np.ndarray) -> str:
    sign = "+" if "difference" in name else ""
    value, low, high = (f"{x:{sign}.3f}" for x in figure)
    return f"{name:22s}{value:>8s}   ({low} to {high})"


def _check_same(first: ExplanationArrays, second: ExplanationArrays) -> None:
    """Refuse explanations of other images: what follows compares them one by one."""
    for name, exp in (("first", first), ("second", second)):
        if not isinstance(exp, ExplanationArrays):
            raise InputError(f"{name} must be an Explanation, got {type(exp).__name__}")
    if len(first) != len(second):
        raise InputError(
            "both models must have explained the same images: "
            f"got {len(first)} and {len(second)}"
        )
    if not len(first):
        raise InputError("both explanations are empty: there is nothing to compare")
    if first._kind != second._kind or not np.array_equal(first.classes, second.classes):
        raise InputError("both models must have the same classes")
    sizes = [np.array([place.original for place in e._placements()]) for e in (first, second)]
    differs = (sizes[0] != sizes[1]).any(axis=1)
    files = [None if e.originals is None else e.originals.files for e in (first, second)]
    if files[0] is not None and files[1] is not None:
        differs |= np.asarray(files[0] != files[1])
    elif first.images.shape == second.images.shape and first.resize == second.resize:
        differs |= (first.images != second.images).any(axis=(1, 2, 3))
    if differs.any():
        raise InputError(
            "both models must have explained the same images in the same order: "
            f"image {int(differs.argmax())} is another one"
        )
