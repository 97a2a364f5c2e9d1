"""What a classifier was shown, image by image, with every way to look at it and to keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect._optional import need
from p2pselect.explanations._exports import coco, columns
from p2pselect.explanations._stored_arrays import read_arrays, write_arrays
from p2pselect.explanations.figures._photographs import overlay
from p2pselect.explanations.figures._plots import plot_explanation
from p2pselect.explanations.report._notebook import repr_html
from p2pselect.explanations.report._page import write_html
from p2pselect.explanations.report._show import show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@shared_docs
@dataclass(frozen=True, eq=False, repr=False)
class Explanation(ExplanationArrays):
    """The selections and predictions for a batch of images.

    Every array has the images as its first axis, so ``exp[3]``, ``exp[:10]`` and
    ``exp[bool_array]`` are explanations too.  Images with fewer regions than others are
    padded: the padding has masks False and probabilities 0.

    Parameters
    ----------
    images : ndarray of shape (n, h, w, c), uint8, or float32 in [0, 1]
        What the model was given, on the model's grid; the dtype is that of the input.
    regions : ndarray of shape (n, h, w), int32
        Label map per image, labels ``0 .. d_i - 1``, and -1 for padding, which belongs to no
        region.
    region_masks : ndarray of shape (n, d), bool
        True where a region is kept.  Without ``soft_region_masks`` these are the regions that
        the classifier saw; with them, the regions with the highest scores, up to an area of
        ``tau``.
    selection_logits : ndarray of shape (n, d), float32
        Score of every region; a higher one is kept earlier.  ``-inf`` for padding.
    selection_probs : ndarray of shape (n, d), float32
        Probability that a region is kept at the stopping ``tau``, in [0, 1].
    tau : ndarray of shape (n,), float
        The largest fraction of an image's pixels that was allowed, in (0, 1].
    proba : ndarray of shape (n, n_classes), float32
        Class probabilities predicted from the masked images; with several labels for each
        image, the probability of each of them.
    classes : ndarray of shape (n_classes,)
        The labels that the columns of ``proba`` stand for.
    answered : ndarray of shape (n,), bool
        Whether ``certainty`` reached ``certainty_threshold`` and, if there is
        a bound on the error of every class, the predicted class keeps it.  If ``calibrate`` was
        given ``max_unfamiliar``, the image is familiar, too.
    certainty_threshold : float
        The certainty that was asked for, in (0, 1].
    region_embeddings : ndarray of shape (n, k, d), float32, optional
        Embedding of every region; ``E.T @ E`` is the learned covariance.
    soft_region_masks : ndarray of shape (n, d), float32, optional
        For methods whose classifier sees a continuous mask: the value that the pixels of a
        region were multiplied by, in [0, 1].
    path_tau : ndarray of shape (t,), float, optional
        The values of ``tau`` that the certainty search walks through, increasing.
    path_counts : ndarray of shape (n, t), int32, optional
        Number of regions kept at every ``path_tau``: always the first ones of ``ranking``.
    path_proba : ndarray of shape (n, t, n_classes), float32, optional
        Class probabilities at every ``path_tau`` that was tried, as the classifier gave them;
        NaN after the stop.
    stop_certainty : float, optional
        If certainty is calibrated: the classifier's own at which the search stopped, while
        ``certainty_threshold`` and ``proba`` are what it stands for.
    prediction_sets : ndarray of shape (n, n_classes), bool, optional
        If ``calibrate`` was asked for them (``set_error``), and there is no ``max_kept``: the
        classes that are not ruled out.  The predicted class is always among them.
    answered_classes : ndarray of shape (n_classes,), bool, optional
        If ``calibrate`` was to bound the error of every class: those whose answers keep it.
    lowest_familiarity : float, optional
        If ``calibrate`` was given ``max_unfamiliar``: the ``familiarity`` that is needed.
    original_sizes : ndarray of shape (n, 2), int, optional
        Height and width in pixels of the images as they were given; by default those of the
        model's grid.
    resize : {"pad", "crop", "stretch"}, default="pad"
        How the images came onto the grid.
    originals : ImageSequence, optional
        The images as they were given, which are read when they are needed.  :meth:`save`
        leaves them out.
    display_channels : tuple of int, or of (int, str), optional
        The channels of ``images`` that are shown as red, green and blue, or the one that is
        shown as gray, or pairs of one and its color; by default the first three, or the first
        of fewer.
    multilabel : bool, default=False
        Whether an image has any number of labels, rather than one class.
    target : label, optional
        The only label that had to be decided, one of ``classes``, if that was asked for.
    fill : {"black", "blur", "noise", "drop"} or tuple of float, default="black"
        What the classifier saw in the place of removed pixels; numbers are the value of all
        channels, or of each.
    n_masks_seen : int, default=0
        How many masks have taught the model where the evidence is.  If there are any, its
        localization is no finding of its own.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> exp = example_explanation(n_images=3).explanation
    >>> exp.masked_images.shape, exp.kept_fraction.shape
    ((3, 64, 64, 3), (3,))
    >>> bool(exp[exp.answered].certainty.min() >= exp.certainty_threshold)
    True
    """

    def plot(self, image: int = 0) -> Figure:
        """Draw one image in panels, as :func:`~p2pselect.explanations.plot_explanation` does.

        Parameters
        ----------
        %(image)s

        Returns
        -------
        matplotlib.figure.Figure
            The figure.
        """
        return plot_explanation(self, image)

    def overlay(self, image: int = 0) -> np.ndarray:
        """Lay what is kept of one image over its photograph, at the size of the photograph.

        Parameters
        ----------
        %(image)s

        Returns
        -------
        ndarray of shape (h_i, w_i, 3), uint8
            The photograph, dimmed where the classifier did not see it; or the model's copy of
            the image, enlarged, if there is no photograph in ``originals``.

        Warns
        -----
        P2PSelectWarning
            If the photograph cannot be read any more.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> example_explanation(n_images=2).explanation.overlay(1).shape
        (64, 64, 3)
        """
        return overlay(self[image])

    def show(self, y: Any = None, **options: Any) -> Path | None:
        """Show the explanation: in a notebook in place, and elsewhere in the browser.

        In a notebook it is what the explanation shows of itself as the last line of a cell: its
        first images.  Elsewhere, the interactive page of :meth:`to_html` is written to a new
        folder for temporary files, where it stays, and is opened in the web browser.

        Parameters
        ----------
        %(optional_y)s
        **options
            Further parameters of :func:`~p2pselect.explanations.write_html`.  In a notebook
            they have no effect, and neither has `y`.

        Returns
        -------
        pathlib.Path or None
            The page; None in a notebook.

        Warns
        -----
        P2PSelectWarning
            If no browser can be opened, as on a server; it says where the page is.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> example = example_explanation(n_images=3)
        >>> page = example.explanation.show(example.y)  # doctest: +SKIP
        """
        return show(self, y, options)

    def to_html(self, path: str | PathLike[str], y: Any = None, **options: Any) -> None:
        """Write an interactive page, as :func:`~p2pselect.explanations.write_html` does.

        Parameters
        ----------
        path : path-like
            File to write.
        %(optional_y)s
        **options
            Further parameters of :func:`~p2pselect.explanations.write_html`.
        """
        write_html(self, path, y=y, **options)

    def to_frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Make a data frame with one row for each image; needs pandas.

        Parameters
        ----------
        %(names)s

        Returns
        -------
        pandas.DataFrame
            With the columns ``image``, ``prediction``, ``certainty``, ``answered``,
            ``unanswered_reasons`` (joined by ``|``), ``tau``, ``kept_fraction``, ``n_regions``,
            ``n_selected_regions``, and ``p(label)`` for every class.

        Raises
        ------
        MissingPackageError
            If pandas cannot be imported.
        InputError
            If there is not one name for each image.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> frame = example_explanation(n_images=2).explanation.to_frame()
        >>> frame.shape[0], list(frame.columns[:3])
        (2, ['image', 'prediction', 'certainty'])
        """
        need("pandas", "to_frame", "pandas")
        import pandas as pd

        return pd.DataFrame(columns(self, names))

    def to_coco(self, names: Sequence[str] | None = None) -> dict[str, Any]:
        """Make a data set in COCO's format, which annotation tools and detectors read.

        Every connected piece of what is kept of an image is an annotation of the class that is
        predicted, at the size of the photograph.  If images have several labels, it is one of
        each label that is predicted.

        Parameters
        ----------
        %(names)s

        Returns
        -------
        dict
            ``images``, ``categories``, ``annotations`` and ``info``, ready for ``json.dump``.
            An annotation has its ``bbox`` (x, y, width, height in pixels), its ``area`` in
            pixels and a ``segmentation``: a polygon along the edges of the pixels, or, for a
            piece with holes, which polygons cannot have in this format, uncompressed run
            lengths.  Both are exact.  Further keys are ``score``, the probability of the
            class, and ``answered``.

        Raises
        ------
        InputError
            If there is not one name for each image.

        Examples
        --------
        >>> from p2pselect.explanations import example_explanation
        >>> data = example_explanation(n_images=2).explanation.to_coco(["a.png", "b.png"])
        >>> [image["file_name"] for image in data["images"]]
        ['a.png', 'b.png']
        """
        return coco(self, names)

    def _repr_html_(self) -> str:
        return repr_html(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write all but ``originals`` to one file in NumPy's ``.npz`` format, without pickle.

        Parameters
        ----------
        path : str or path-like
            The file; its name is used as it is, whatever its extension.  An existing file is
            replaced in one step, and missing folders are made.

        Raises
        ------
        InputError
            If the class labels are not numbers, booleans or strings, or if the file cannot
            be written.
        """
        write_arrays(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        Explanation
            An equal one, without ``originals``.

        Raises
        ------
        InputError
            If the file is not an explanation, is damaged, or has a newer format.
        """
        return cls(**read_arrays(path))
