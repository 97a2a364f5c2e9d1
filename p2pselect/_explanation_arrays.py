"""The arrays of an explanation and what follows from them: no drawing, no files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from p2pselect._answer_kinds import LABEL_SET, ONE_CLASS, AnswerKind, LabelSet
from p2pselect._answering import familiarity, unanswered_reasons
from p2pselect._fill import Fill, filled_arrays
from p2pselect._region_sums import region_sums
from p2pselect.exceptions import InputError, brief
from p2pselect.images import ImageSequence
from p2pselect.images._geometry import Grid, Placement, bounded
from p2pselect.images._meaning import DisplayChannels, tinted


@dataclass(frozen=True, eq=False)
class ExplanationArrays:
    """What metrics, figures and reports read; documented in its subclass ``Explanation``.

    It stands below them, and ``Explanation``, whose methods draw and report, above.
    """

    images: np.ndarray
    regions: np.ndarray
    region_masks: np.ndarray
    selection_logits: np.ndarray
    selection_probs: np.ndarray
    tau: np.ndarray
    proba: np.ndarray
    classes: np.ndarray
    answered: np.ndarray
    certainty_threshold: float
    region_embeddings: np.ndarray | None = None
    soft_region_masks: np.ndarray | None = None
    path_tau: np.ndarray | None = None
    path_counts: np.ndarray | None = None
    path_proba: np.ndarray | None = None
    stop_certainty: float | None = None
    prediction_sets: np.ndarray | None = None
    answered_classes: np.ndarray | None = None
    lowest_familiarity: float | None = None
    original_sizes: np.ndarray | None = None
    resize: str = "pad"
    originals: ImageSequence | None = None
    display_channels: DisplayChannels | None = None
    multilabel: bool = False
    target: Any = None
    fill: Fill = "black"
    n_masks_seen: int = 0

    #: Everything else has the images as its first axis.
    _SHARED: ClassVar = (
        "classes", "certainty_threshold", "path_tau", "stop_certainty", "answered_classes",
        "lowest_familiarity", "resize", "display_channels", "multilabel", "target", "fill",
        "n_masks_seen",
    )  # fmt: skip

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Self:
        """Select images by integer, slice, or integer or boolean array; always a batch."""
        if not isinstance(index, slice):
            index = self._checked(index)
        changed = {
            name: values[index]
            for name, values in vars(self).items()
            if name not in self._SHARED and values is not None
        }
        return replace(self, **changed)

    def _checked(self, index: Any) -> Any:
        """One image as a slice, which copies nothing; several as an array."""
        rows = np.asarray(index)
        if rows.size == 0 and rows.dtype == float:  # an empty list
            rows = rows.astype(int)
        # A lone True would count as image 1.
        kinds = "biu" if rows.ndim else "iu"
        if isinstance(index, tuple) or rows.ndim > 1 or rows.dtype.kind not in kinds:
            raise IndexError(
                "images are selected by an integer, a slice, or a list or 1-D array of "
                f"integers or booleans, got {brief(index)}"
            )
        if rows.ndim:
            return rows
        number = int(rows)
        if not -len(self) <= number < len(self):
            raise IndexError(
                f"image {number} is out of range: the explanation has {len(self)} images"
            )
        # For the last image, named -1, the end would be 0 and the slice empty.
        return slice(number, number + 1 or None)

    def __repr__(self) -> str:
        n, h, w = self.regions.shape
        called = f"{len(self.classes)} {self._kind.called}"
        words = f"{n} {'image' if n == 1 else 'images'} of {h}x{w}, {called}"
        if n:
            kept = self.kept_fraction
            words += (
                f", kept {kept.mean():.1%} of the pixels, {self.answered.mean():.1%} answered"
            )
            if self.answered.any():
                words += f" from {kept[self.answered].mean():.1%} of theirs"
        return f"{type(self).__name__}({words})"

    @property
    def shown_as(self) -> str:
        """Which channels pictures show and how, in words; empty where they are the colors."""
        chosen, n_channels = self.display_channels, self.images.shape[-1]
        if chosen is None:
            if n_channels in (1, 3):
                return ""
            chosen = (0, 1, 2) if n_channels > 3 else (0,)
        if (pairs := tinted(chosen)) is not None:
            *most, last = [f"{number} as {color}" for number, color in pairs]
            return f"channels {', '.join(most)} and {last}" if most else f"channel {last}"
        if len(chosen) == 1:
            return f"channel {chosen[0]} as gray"
        return "channels {}, {} and {} as red, green and blue".format(*chosen)

    @property
    def n_regions(self) -> np.ndarray:
        """Number of regions of every image, int array of shape (n,)."""
        return self.regions.max(axis=(1, 2)) + 1

    @property
    def region_areas(self) -> np.ndarray:
        """Number of pixels of every region, int array (n, d); 0 for regions an image lacks."""
        return region_sums(self.regions, n_columns=self.region_masks.shape[1])

    @property
    def n_pixels(self) -> np.ndarray:
        """Number of pixels of every image that belong to regions, int array of shape (n,)."""
        return (self.regions >= 0).sum(axis=(1, 2))

    @property
    def visible_region_masks(self) -> np.ndarray:
        """True where the classifier saw anything of a region, bool array of shape (n, d)."""
        return (
            self.region_masks if self.soft_region_masks is None else self.soft_region_masks > 0
        )

    @property
    def pixel_masks(self) -> np.ndarray:
        """True where a pixel is kept, bool array of shape (n, h, w)."""
        return self.to_pixels(self.region_masks)

    @property
    def masked_images(self) -> np.ndarray:
        """What the classifier saw: ``images`` with ``fill`` in the place of removed pixels.

        The dtype is that of ``images`` for binary masks on black, and float32 in [0, 1]
        otherwise.
        """
        return self.masked_by(self.shown)

    @property
    def shown(self) -> np.ndarray:
        """How much of every pixel the classifier saw, (n, h, w): bool, or float32 in [0, 1]."""
        return self.to_pixels(
            self.region_masks if self.soft_region_masks is None else self.soft_region_masks
        )

    def masked_by(self, pixel_masks: np.ndarray) -> np.ndarray:
        """Replace what other masks remove, as it was done for the classifier.

        Parameters
        ----------
        pixel_masks : ndarray of shape (n, h, w)
            True where a pixel is kept, or how much of it, in [0, 1].

        Returns
        -------
        ndarray of shape (n, h, w, c)
            Images with ``fill`` in the place of removed pixels: of the dtype of ``images`` for
            masks of booleans on black, and float32 in [0, 1] otherwise.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> exp = example_explanation(n_images=2).explanation
        >>> bool((exp.masked_by(exp.pixel_masks) == exp.masked_images).all())
        True
        """
        return filled_arrays(self.images, pixel_masks, self.fill)

    @property
    def heat_maps(self) -> np.ndarray:
        """Selection probability of every pixel's region, float32 array of shape (n, h, w)."""
        return self.to_pixels(self.selection_probs)

    @property
    def kept_fraction(self) -> np.ndarray:
        """Share of an image's pixels that the classifier saw, however dimly, float array (n,).

        Padding counts neither as seen nor as hidden, here and in everything else.
        """
        return self._share(self.visible_region_masks, self.region_areas)

    @property
    def expected_kept_fraction(self) -> np.ndarray:
        r"""The paper's :math:`\bar p` (section 3): area-weighted mean selection probability."""
        return self._share(self.selection_probs, self.region_areas)

    def _share(self, of_regions: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """Share of an image's pixels, of which each region has so much (n, d), in [0, 1]."""
        return np.asarray((areas * of_regions).sum(axis=1) / areas.sum(axis=1))

    @property
    def path_kept_fraction(self) -> np.ndarray:
        """Share of the pixels that would be kept at every ``path_tau``, float array (n, t)."""
        if self.path_counts is None:
            raise InputError("this explanation has no path: its tau was fixed")
        areas = np.take_along_axis(self.region_areas, self.ranking, axis=1)
        # An empty mask keeps nothing.
        kept = np.pad(areas.cumsum(axis=1), [(0, 0), (1, 0)])
        return np.take_along_axis(kept, self.path_counts, axis=1) / kept[:, -1:]

    @property
    def _kind(self) -> AnswerKind:
        """What the answers are."""
        if not self.multilabel:
            return ONE_CLASS
        if self.target is None:
            return LABEL_SET
        return LabelSet(self.classes.tolist().index(self.target))

    @property
    def predicted(self) -> np.ndarray:
        """Predicted label of every image, array of shape (n,).

        If images have several labels, 0 and 1 of shape (n, n_labels).
        """
        return self._kind.labels(self._kind.answers(self.proba), self.classes)

    @property
    def predicted_names(self) -> np.ndarray:
        """What is predicted, for people to read: ``predicted``, or all labels of an image.

        These are texts such as ``"miner, rust"``, and ``"none"`` for an image without labels.
        """
        return self._kind.names(self.predicted, self.classes)

    def _right(self, truth: np.ndarray) -> np.ndarray:
        """Whether what is predicted of every image is the true label, or all labels, (n,)."""
        return self._kind.right(self.predicted, truth)

    @property
    def certainty(self) -> np.ndarray:
        """Largest class probability of every image, float array of shape (n,).

        If images have several labels: the certainty ``max(p, 1 - p)`` of the least certain
        label, or that of the ``target``.
        """
        return self._kind.certainty(self.proba)

    @property
    def enough(self) -> float:
        """The classifier's own certainty at which the search stops; more than 1: nowhere."""
        stop = self.stop_certainty
        return float(self.certainty_threshold if stop is None else stop)

    @property
    def highest_certainty(self) -> np.ndarray:
        """The classifier's own certainty, the highest of all masks tried, float array (n,)."""
        if self.path_proba is None:
            return self.certainty
        # After the stop there are NaN, which fmax passes over.
        return np.asarray(np.fmax.reduce(self._kind.certainty(self.path_proba), axis=1))

    @property
    def unanswered_reasons(self) -> list[list[str]]:
        """Why every image is not answered, n lists of words; empty if it is answered.

        ``"unfamiliar"``: it looks unlike what the model learned from, ``familiarity`` is below
        ``lowest_familiarity``.  ``"uncertain"``: ``highest_certainty`` is below ``enough``.
        ``"class"``: the classifier is certain, but its answers of the predicted class were not
        shown to be right often enough.
        """
        return unanswered_reasons(self)

    @property
    def familiarity(self) -> np.ndarray:
        """How much an image holds of what the selector looks for, float32 array of shape (n,).

        The mean selection logit over the highest tenth of the image's area.  It is low where
        nothing looks like what the classes of the training showed, however certain the
        classifier is.  Its scale is that of a model; ``calibrate(max_unfamiliar=...)`` finds
        what is too low.
        """
        order = self.ranking
        logits = np.take_along_axis(self.selection_logits, order, axis=1)
        return familiarity(logits, np.take_along_axis(self.region_areas, order, axis=1))

    @property
    def ranking(self) -> np.ndarray:
        """Regions from highest to lowest score, int array (n, d); ties keep label order."""
        return np.argsort(-self.selection_logits, axis=1, kind="stable")

    def to_pixels(self, values: np.ndarray) -> np.ndarray:
        """Spread one value per region over the pixels of the region.

        Parameters
        ----------
        values : ndarray of shape (n, d)
            One value per region.

        Returns
        -------
        ndarray of shape (n, h, w)
            The value of every pixel's region; 0 for padding.
        """
        n = len(self)
        # A first column for the padding, whose label is -1.
        values = np.concatenate([np.zeros((n, 1), values.dtype), values], axis=1)
        flat = np.take_along_axis(values, self.regions.reshape(n, -1) + 1, axis=1)
        return flat.reshape(self.regions.shape)

    def at_original_size(
        self, values: np.ndarray, *, fill: Any = 0, longest_side: int | None = None
    ) -> list[np.ndarray]:
        """Bring values of the model's grid to the sizes of the photographs.

        Parameters
        ----------
        values : ndarray of shape (n, h, w) or (n, h, w, c)
            One value, or several, for every pixel of the grid: ``heat_maps`` or ``regions``,
            for example.
        fill : scalar, default=0
            Value of what ``resize="crop"`` has cut away.
        longest_side : int, optional
            The most pixels that a side of a result may have; larger photographs stand for
            smaller copies of them.

        Returns
        -------
        list of ndarray of shape (h_i, w_i) or (h_i, w_i, c)
            The values by nearest neighbor, so that they are never mixed, of the dtype of
            `values`.  Padding is gone.

        Raises
        ------
        InputError
            If `values` does not have one value for every pixel of the grid.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> exp = example_explanation(n_images=2).explanation
        >>> [heat.shape for heat in exp.at_original_size(exp.heat_maps, longest_side=48)]
        [(48, 48), (48, 48)]
        """
        if np.shape(values)[:3] != self.regions.shape:
            raise InputError(
                "values must have one value for every pixel of the grid, "
                f"{self.regions.shape}, got shape {np.shape(values)}"
            )
        return [
            placement.back(of_image, fill, bounded(placement.original, longest_side))
            for of_image, placement in zip(values, self._placements(), strict=True)
        ]

    def masks_at_original_size(self) -> list[np.ndarray]:
        """Return which pixels of the photographs are kept.

        Returns
        -------
        list of ndarray of shape (h_i, w_i), bool
            ``pixel_masks`` at the sizes in ``original_sizes``.  What ``resize="crop"`` has cut
            away is never kept.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> exp = example_explanation(n_images=2).explanation
        >>> [mask.shape for mask in exp.masks_at_original_size()]
        [(64, 64), (64, 64)]
        """
        return self.at_original_size(self.pixel_masks, fill=False)

    def _placements(self) -> list[Placement]:
        """How every photograph lies on the grid."""
        h, w = self.regions.shape[1:]
        grid = Grid((h, w), self.resize)
        if self.original_sizes is None:
            return [grid.place((h, w))] * len(self)
        return [grid.place(size) for size in self.original_sizes]

    def covariance(self, image: int) -> np.ndarray:
        """Return the learned covariance ``E.T @ E`` of one image's regions (section 3).

        Parameters
        ----------
        image : int
            Which image of the batch.

        Returns
        -------
        ndarray of shape (d_i, d_i)
            The covariance, without padding.

        Raises
        ------
        InputError
            If the explanation has no region embeddings.
        """
        if self.region_embeddings is None:
            raise InputError("this explanation has no region embeddings, so no covariance")
        embedding = self.region_embeddings[image, :, : self.n_regions[image]]
        return embedding.T @ embedding
