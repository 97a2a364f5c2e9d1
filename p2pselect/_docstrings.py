"""Paragraphs that many docstrings share, written once."""

from __future__ import annotations

import re
from inspect import cleandoc
from textwrap import indent
from typing import Any, TypeVar

Documented = TypeVar("Documented", bound=Any)

_PLACE = re.compile(r"^( *)%\((\w+)\)s$", re.MULTILINE)


class SharedDocs:
    """A decorator that puts paragraphs in place of lines that hold only ``%(name)s``.

    Parameters
    ----------
    **paragraphs : str
        The paragraphs by name; later ones may refer to earlier ones.

    Examples
    --------
    >>> @SharedDocs(ax='''
    ...     ax : matplotlib.axes.Axes, optional
    ...         Axes to draw on.
    ... ''')
    ... def draw(ax=None):
    ...     '''Draw.
    ...
    ...     Parameters
    ...     ----------
    ...     %(ax)s
    ...     '''
    >>> draw.__doc__.splitlines()[4:6]
    ['    ax : matplotlib.axes.Axes, optional', '        Axes to draw on.']
    """

    def __init__(self, **paragraphs: str) -> None:
        self._paragraphs: dict[str, str] = {}
        for name, text in paragraphs.items():
            self._paragraphs[name] = self._filled(cleandoc(text))

    def __call__(self, documented: Documented) -> Documented:
        """Fill the docstring of a function, or those of a class and of its own methods."""
        methods = vars(documented).values() if isinstance(documented, type) else ()
        # A classmethod is no function, but holds the one whose docstring counts.
        for item in (documented, *(getattr(m, "__func__", m) for m in methods)):
            # Most other attributes have docstrings too, which cannot be changed.
            if isinstance(text := getattr(item, "__doc__", None), str) and "%(" in text:
                item.__doc__ = self._filled(text)
        return documented

    def _filled(self, text: str) -> str:
        return _PLACE.sub(lambda at: indent(self._paragraphs[at[2]], at[1]), text)


shared_docs = SharedDocs(
    explanation="""
        explanation : Explanation
            What the model showed of the images, and what it predicted from that.
    """,
    estimator="""
        estimator : fitted estimator
            An estimator with ``explain``, a Pipeline that ends in one, or a fitted search
            over one.
    """,
    X="""
        X : images
            Anything that the estimator takes.
    """,
    y="""
        y : array-like of shape (n,)
            True labels.
    """,
    optional_y="""
        y : array-like of shape (n,), optional
            True labels.
    """,
    names="""
        names : sequence of str, optional
            A name for every image.  Default: the files that they were read from, or their
            numbers.
    """,
    image="""
        image : int, default=0
            Which image of the batch.
    """,
    ax="""
        ax : matplotlib.axes.Axes, optional
            Axes to draw on; by default those of a new figure.
    """,
    pixel_masks="""
        pixel_masks : array-like of shape (n, h, w), bool
            True where a pixel is kept.
    """,
    heat_maps="""
        heat_maps : array-like of shape (n, h, w)
            Importance of every pixel; a greater value is more important.
    """,
    object_masks="""
        object_masks : array-like of shape (n, h, w), bool
            True where the object is.
    """,
    optional_object_masks="""
        object_masks : array-like of shape (n, h, w), or sequence of n arrays, bool, optional
            True where the object is, on the photographs or on the model's grid.
    """,
    valid="""
        valid : array-like of shape (n, h, w), bool, optional
            False where the ground truth is unknown; such pixels do not count.
    """,
    per_image="""
        per_image : bool, default=False
            Return one score per image instead of the mean.
    """,
    mask_score_parameters="""
        Parameters
        ----------
        %(pixel_masks)s
        %(object_masks)s
        %(valid)s
        %(per_image)s
    """,
    scores_of_images="""
        float, or ndarray of shape (n,)
            In [0, 1]; NaN for images without object pixels.
    """,
    masks_of_images="""
        masks : array-like of shape (n, h, w), optional
            Object masks of any size, True where the object is, for scores that need them.
        valid : array-like of shape (n, h, w), optional
            False where `masks` is unknown.
    """,
    split_options="""
        cv : int, splitter or iterable, optional
            Folds, as in scikit-learn; by default 5 stratified ones.
        n_jobs : int, optional
            Number of folds to run at the same time.
        verbose : int, default=0
            Progress over folds, as in scikit-learn: 1 a line at the end, 3 every fold.
    """,
    predict_proba="""
        predict_proba : callable
            Maps masked images (b, h, w, c) to class probabilities (b, n_classes) without
            selecting anything: ``estimator.predict_proba_masked``.
    """,
    grid="""
        grid : array-like of shape (t,), default=PAPER_GRID
            Increasing fractions of the image's pixels, in [0, 1].
    """,
    tie_breaker="""
        random_state : int, default=0
            Seed that breaks ties between pixels where every pixel is its own region, so
            that ties are never broken by position.
    """,
    curve_parameters="""
        Parameters
        ----------
        %(explanation)s
        %(predict_proba)s
        %(grid)s
        %(tie_breaker)s
    """,
    plot_of_image="""
        Parameters
        ----------
        %(explanation)s
        %(image)s
        %(ax)s

        Returns
        -------
        matplotlib.axes.Axes
            The axes that were drawn on.
    """,
    ax_and_what_is_drawn="""
        %(ax)s

        Returns
        -------
        ExplanationDisplay
            The display, with what it drew in ``ax_`` and ``figure_``.
    """,
    correct_and_certainty="""
        Parameters
        ----------
        correct : array-like of shape (n,), bool
            Whether the prediction is right.
        certainty : array-like of shape (n,)
            Largest class probability, in [0, 1].
    """,
    brightness_classifier="""
        >>> from p2pselect.explanations import example_explanation
        >>> explanation = example_explanation(n_images=4).explanation
        >>> def predict_proba(images):  # is the upper half brighter than the lower one?
        ...     light = images.reshape(len(images), 2, -1).mean(axis=2)
        ...     return (light + 1) / (light + 1).sum(axis=1, keepdims=True)
    """,
)
