"""The arrays of an explanation and what follows from them: no drawing, no files."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np

from p2pselect.exceptions import InputError, brief
from p2pselect.images._pixels import resize_nearest


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
    certainty_reached: np.ndarray
    certainty_threshold: float
    region_embeddings: np.ndarray | None = None
    soft_region_masks: np.ndarray | None = None
    path_tau: np.ndarray | None = None
    path_counts: np.ndarray | None = None
    path_proba: np.ndarray | None = None
    stop_certainty: float | None = None

    #: Everything else has the images as its first axis.
    _SHARED: ClassVar = ("classes", "certainty_threshold", "path_tau", "stop_certainty")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Self:
        """Select images by integer, slice, or integer or boolean array; always a batch."""
        if not isinstance(index, slice):
            index = self._checked(index)
        changed = {
            f.name: getattr(self, f.name)[index]
            for f in fields(self)
            if f.name not in self._SHARED and getattr(self, f.name) is not None
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
        return (
            f"{type(self).__name__}({n} images of {h}x{w}, {len(self.classes)} classes, "
            f"kept {self.kept_fraction.mean() if n else float('nan'):.1%} of the pixels, "
            f"{self.certainty_reached.mean() if n else float('nan'):.1%} certain)"
        )

    @property
    def n_regions(self) -> np.ndarray:
        """Number of regions of every image, int array of shape (n,)."""
        return self.regions.max(axis=(1, 2)) + 1

    @property
    def region_areas(self) -> np.ndarray:
        """Number of pixels of every region, int array of shape (n, d); 0 for padding."""
        n, d = self.region_masks.shape
        # Labels of different images become different numbers, so that all are counted at once.
        flat = self.regions.reshape(n, -1) + d * np.arange(n)[:, None]
        return np.bincount(flat.ravel(), minlength=n * d).reshape(n, d)

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
        """What the classifier saw: ``images`` with the removed pixels black.

        The dtype is that of ``images`` for binary masks, and float32 in [0, 1] for methods
        that show a continuous mask.
        """
        if self.soft_region_masks is None:
            return self.images * self.pixel_masks[..., None].astype(self.images.dtype)
        # Divided by a number of Python, uint8 would become float64.
        white = np.float32(255 if self.images.dtype == np.uint8 else 1)
        return self.images / white * self.to_pixels(self.soft_region_masks)[..., None]

    @property
    def heat_maps(self) -> np.ndarray:
        """Selection probability of every pixel's region, float32 array of shape (n, h, w)."""
        return self.to_pixels(self.selection_probs)

    @property
    def kept_fraction(self) -> np.ndarray:
        """Share of the pixels that the classifier saw, however dimly, float array (n,)."""
        h, w = self.regions.shape[1:]
        return (self.region_areas * self.visible_region_masks).sum(axis=1) / (h * w)

    @property
    def expected_kept_fraction(self) -> np.ndarray:
        r"""The paper's :math:`\bar p` (section 3): area-weighted mean selection probability."""
        h, w = self.regions.shape[1:]
        return (self.region_areas * self.selection_probs).sum(axis=1) / (h * w)

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
    def predicted(self) -> np.ndarray:
        """Predicted label of every image, array of shape (n,)."""
        return self.classes[self.proba.argmax(axis=1)]

    @property
    def certainty(self) -> np.ndarray:
        """Largest class probability of every image, float array of shape (n,)."""
        return self.proba.max(axis=1)

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
            The value of every pixel's region.
        """
        n = len(self)
        flat = np.take_along_axis(values, self.regions.reshape(n, -1), axis=1)
        return flat.reshape(self.regions.shape)

    def resized_masks(self, sizes: Any) -> list[np.ndarray]:
        """Return the kept-pixel masks at other sizes, for example those of the photographs.

        Parameters
        ----------
        sizes : array-like of shape (n, 2), int
            Height and width wanted for every image, in pixels.  ``images.sizes()`` of an
            :class:`ImageSequence` returns those of the images that were explained.

        Returns
        -------
        list of ndarray of shape (h_i, w_i), bool
            ``pixel_masks`` resized by nearest neighbor, so that values are never mixed.

        Raises
        ------
        InputError
            If `sizes` is not one pair of positive integers per image.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> exp = example_explanation(n_images=2).explanation
        >>> [mask.shape for mask in exp.resized_masks([(64, 64), (48, 200)])]
        [(64, 64), (48, 200)]
        """
        wanted = np.asarray(sizes)
        if (
            wanted.shape != (len(self), 2)
            or wanted.dtype.kind not in "iu"
            or wanted.min(initial=1) < 1
        ):
            raise InputError(
                f"sizes must be one (height, width) in pixels for each of {len(self)} images, "
                f"got {brief(sizes)}"
            )
        return [
            resize_nearest(mask, (int(h), int(w)))
            for mask, (h, w) in zip(self.pixel_masks, wanted, strict=True)
        ]

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
