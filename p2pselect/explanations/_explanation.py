"""What a classifier was shown, image by image: arrays only, no drawing."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect.atomic_write import atomic_open, check_writable_file
from p2pselect.exceptions import InputError, brief
from p2pselect.explanations._arrays import AXES, FORMAT, OPTIONAL, misfit
from p2pselect.images._pixels import resize_nearest

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Explanation:
    """The selections and predictions for a batch of images.

    Everything has the images as its first axis, so that ``exp[3]``, ``exp[:10]`` and
    ``exp[bool_array]`` are explanations again.  Regions beyond an image's own number are
    padding: masks False, probabilities 0.

    Parameters
    ----------
    images : ndarray of shape (n, h, w, c), uint8, or float32 in [0, 1]
        What the model was given, resized to the model's grid; the type of the input.
    regions : ndarray of shape (n, h, w), int32
        Label map per image, labels ``0 .. d_i - 1``.
    region_masks : ndarray of shape (n, d), bool
        True where a region is kept.  Without ``soft_region_masks`` these are the regions that
        the classifier saw; with them, the ones of the highest scores, up to an area of
        ``tau``.
    selection_logits : ndarray of shape (n, d), float32
        Score of every region, higher is kept earlier; ``-inf`` for padding.
    selection_probs : ndarray of shape (n, d), float32
        Probability of every region to be kept at the stopping ``tau``, in [0, 1].
    tau : ndarray of shape (n,), float
        The largest fraction of pixels that was allowed, in (0, 1].
    proba : ndarray of shape (n, n_classes), float32
        Class probabilities predicted from the masked images.
    classes : ndarray of shape (n_classes,)
        The labels that the columns of ``proba`` stand for.
    certainty_reached : ndarray of shape (n,), bool
        Whether the largest class probability came up to ``certainty_threshold``.
    certainty_threshold : float
        The certainty that was asked for, in (0, 1].
    region_embeddings : ndarray of shape (n, k, d), float32, optional
        Embedding of every region; ``E.T @ E`` is the learned covariance.
    soft_region_masks : ndarray of shape (n, d), float32, optional
        For methods whose classifier sees a continuous mask: the value each region's
        pixels were multiplied by, in [0, 1].
    path_tau : ndarray of shape (t,), float, optional
        The values of ``tau`` that the certainty search walks through, increasing.
    path_counts : ndarray of shape (n, t), int32, optional
        Number of regions kept at every ``path_tau``: always the first so many of
        ``ranking``.
    path_proba : ndarray of shape (n, t, n_classes), float32, optional
        Class probabilities at every ``path_tau`` that was looked at; NaN after the stop.

    Examples
    --------
    >>> from p2pselect.explanations.figures import example_explanation
    >>> exp = example_explanation(n_images=3).explanation
    >>> exp.masked_images.shape, exp.kept_fraction.shape
    ((3, 64, 64, 3), (3,))
    >>> bool(exp[exp.certainty_reached].certainty.min() >= exp.certainty_threshold)
    True
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

    _SHARED = ("classes", "certainty_threshold", "path_tau")

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: Any) -> Explanation:
        """Select images by integer, slice, boolean or integer array; always a batch."""
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
            raise IndexError(f"image {number} of an explanation of {len(self)} images")
        return slice(number, number + 1 or None)

    def __repr__(self) -> str:
        n, h, w = self.regions.shape
        return (
            f"Explanation({n} images of {h}x{w}, {len(self.classes)} classes, "
            f"kept {self.kept_fraction.mean() if n else float('nan'):.1%} of the pixels, "
            f"{self.certainty_reached.mean() if n else float('nan'):.1%} certain)"
        )

    @property
    def n_regions(self) -> np.ndarray:
        """Number of regions of every image, int array of shape (n,)."""
        return self.regions.reshape(len(self), -1).max(axis=1, initial=-1) + 1

    @property
    def region_areas(self) -> np.ndarray:
        """Pixels of every region, int array of shape (n, d); 0 for padding."""
        n, d = self.region_masks.shape
        flat = self.regions.reshape(n, -1) + d * np.arange(n)[:, None]
        return np.bincount(flat.ravel(), minlength=n * d).reshape(n, d)

    @property
    def visible_region_masks(self) -> np.ndarray:
        """True where a region was not fully black to the classifier, bool array (n, d)."""
        return (
            self.region_masks if self.soft_region_masks is None else self.soft_region_masks > 0
        )

    @property
    def pixel_masks(self) -> np.ndarray:
        """True where a pixel is kept, bool array of shape (n, h, w)."""
        return self.to_pixels(self.region_masks)

    @property
    def masked_images(self) -> np.ndarray:
        """What the classifier saw: ``images`` with removed pixels black.

        Of the type of ``images`` for binary masks; float32 in [0, 1] where the method
        shows a continuous mask.
        """
        if self.soft_region_masks is None:
            return self.images * self.pixel_masks[..., None].astype(self.images.dtype)
        white = np.float32(255 if self.images.dtype == np.uint8 else 1)
        return self.images / white * self.to_pixels(self.soft_region_masks)[..., None]

    @property
    def heat_maps(self) -> np.ndarray:
        """Selection probability of every pixel's region, float32 of shape (n, h, w)."""
        return self.to_pixels(self.selection_probs)

    @property
    def kept_fraction(self) -> np.ndarray:
        """Share of the pixels that the classifier saw, however dim, float array (n,)."""
        h, w = self.regions.shape[1:]
        return (self.region_areas * self.visible_region_masks).sum(axis=1) / (h * w)

    @property
    def expected_kept_fraction(self) -> np.ndarray:
        r"""The paper's :math:`\bar p` (section 3): area-weighted mean selection probability."""
        h, w = self.regions.shape[1:]
        return (self.region_areas * self.selection_probs).sum(axis=1) / (h * w)

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
        """Regions by falling score, int array of shape (n, d); ties keep label order."""
        return np.argsort(-self.selection_logits, axis=1, kind="stable")

    def to_pixels(self, values: np.ndarray) -> np.ndarray:
        """Spread one value per region over its pixels.

        Parameters
        ----------
        values : ndarray of shape (n, d)

        Returns
        -------
        ndarray of shape (n, h, w)
        """
        n = len(self)
        flat = np.take_along_axis(values, self.regions.reshape(n, -1), axis=1)
        return flat.reshape(self.regions.shape)

    def resized_masks(self, sizes: Any) -> list[np.ndarray]:
        """What is kept, at other sizes: for example as masks that fit onto the photographs.

        Parameters
        ----------
        sizes : array-like of shape (n, 2), int
            Height and width wanted for every image, in pixels; those of the images that were
            explained are ``images.sizes()`` of an :class:`ImageSequence`.

        Returns
        -------
        list of ndarray of shape (h_i, w_i), bool
            ``pixel_masks`` resized by nearest neighbor: a label is never mixed.

        Raises
        ------
        InputError
            If there is not one pair of positive integers per image.

        Examples
        --------
        >>> from p2pselect.explanations.figures import example_explanation
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
        """Learned covariance ``E.T @ E`` of one image's regions, (d_i, d_i) (section 3)."""
        if self.region_embeddings is None:
            raise InputError("this explanation has no region embeddings, so no covariance")
        embedding = self.region_embeddings[image, :, : self.n_regions[image]]
        return embedding.T @ embedding

    def plot(self, image: int = 0, *, size: tuple[int, int] | None = None) -> Figure:
        """Draw one image in panels; see :func:`p2pselect.explanations.figures.plot_explanation`."""
        from p2pselect.explanations.figures._panels import plot_explanation

        return plot_explanation(self, image, size=size)

    def to_html(self, path: str | PathLike[str], y: Any = None, **options: Any) -> None:
        """Write a self-contained interactive page; see :func:`p2pselect.explanations.report.write_html`."""
        from p2pselect.explanations.report import write_html

        write_html(self, path, y=y, **options)

    def _repr_html_(self) -> str:
        from p2pselect.explanations.report import repr_html

        return repr_html(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all arrays to one file in NumPy's ``.npz`` format, without pickle.

        Parameters
        ----------
        path : str or path-like
            The file, under exactly this name, whatever its ending.  It is replaced in one
            step if it exists; folders that are missing are made.

        Raises
        ------
        InputError
            If the class labels are neither numbers, booleans nor strings, or the file
            cannot be written.
        """
        check_writable_file(path)
        arrays = {f.name: getattr(self, f.name) for f in fields(self)}
        present: dict[str, Any] = {k: np.asarray(v) for k, v in arrays.items() if v is not None}
        if present["classes"].dtype == object:
            if not all(isinstance(label, str) for label in present["classes"]):
                raise InputError(
                    "class labels must be numbers, booleans or strings to be saved, "
                    f"got {brief(present['classes'][:3].tolist())}"
                )
            present["classes"] = present["classes"].astype(str)
        header = np.frombuffer(json.dumps({"format": FORMAT}).encode(), dtype=np.uint8)
        with atomic_open(path, "wb") as file:
            np.savez_compressed(file, header=header, **present)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Explanation:
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            If the file is not an explanation, is damaged, or of a newer format.
        """
        names = set(AXES)
        try:
            with np.load(path, allow_pickle=False) as stored:
                # A member that is no array is given back as bytes.
                arrays = {name: np.asarray(stored[name]) for name in stored.files}
            version = json.loads(arrays.pop("header").tobytes())["format"]
        except FileNotFoundError:
            raise
        except Exception as error:
            raise InputError(f"{path} is not a saved explanation: {error}") from error
        if version != FORMAT:
            raise InputError(f"{path} has format {version}, this version reads {FORMAT}")
        missing = names - set(OPTIONAL) - set(arrays)
        if missing or set(arrays) - names:
            raise InputError(
                f"{path} is not a saved explanation: it has {brief(sorted(arrays))}"
            )
        fault = misfit(arrays)
        if fault:
            raise InputError(f"{path} is not a saved explanation: {fault}")
        threshold = float(arrays.pop("certainty_threshold"))
        return cls(certainty_threshold=threshold, **arrays)
