"""One picture of one image on one pair of axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures import _pixels as pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEAST_REGION = 8


def plot_regions(exp: ExplanationArrays, image: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw the original with its region borders, those of the kept part in yellow.

    Parameters
    ----------
    exp : Explanation
    image : int, default=0
        Which image of the batch.
    ax : matplotlib.axes.Axes, optional
        Drawn on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_regions(example_explanation(n_images=1).explanation).get_title()
    'regions'
    """
    picture = pixels.to_rgb(exp.images[image])
    labels = exp.regions[image]
    # Lines around single pixels would leave nothing of the image.
    if exp.n_regions[image] * _LEAST_REGION <= labels.size:
        picture = pixels.draw_borders(picture, labels, (255, 255, 255))
    kept = exp.region_masks[image][labels]
    picture = pixels.draw_borders(picture, _like(kept, picture), (240, 228, 66), 5)
    return _show(picture, "regions", ax)


def plot_masked_image(
    exp: ExplanationArrays, image: int = 0, *, ax: Axes | None = None
) -> Axes:
    """Draw what the classifier saw: the kept regions, everything else black.

    Parameters
    ----------
    exp : Explanation
    image : int, default=0
        Which image of the batch.
    ax : matplotlib.axes.Axes, optional
        Drawn on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_masked_image(example_explanation(n_images=1).explanation).get_title()
    'what the classifier saw'
    """
    seen = pixels.to_rgb(exp[image].masked_images[0])
    return _show(seen, "what the classifier saw", ax)


def plot_heat_map(exp: ExplanationArrays, image: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw the selection probability of every region, with its scale.

    Parameters
    ----------
    exp : Explanation
    image : int, default=0
        Which image of the batch.
    ax : matplotlib.axes.Axes, optional
        Drawn on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_heat_map(example_explanation(n_images=1).explanation).get_title()
    'selection probability'
    """
    ax = _show(exp[image].heat_maps[0], "selection probability", ax, cmap="cividis")
    picture = ax.images[0]
    picture.set_clim(0, 1)
    bar = ax.figure.colorbar(picture, ax=ax, fraction=0.046, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "½", "1"])
    bar.outline.set_visible(False)
    return ax


def plot_embedding(exp: ExplanationArrays, image: int = 0, *, ax: Axes | None = None) -> Axes:
    """Draw the region embeddings as colours: regions of one colour are chosen together.

    Parameters
    ----------
    exp : Explanation
        With region embeddings.
    image : int, default=0
        Which image of the batch.
    ax : matplotlib.axes.Axes, optional
        Drawn on; by default those of a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InputError
        If the explanation has no region embeddings.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_embedding(example_explanation(n_images=1).explanation).get_title()
    'embedding as colours'
    """
    if exp.region_embeddings is None:
        raise InputError("this explanation has no region embeddings to show as colours")
    return _show(pixels.embedding_colours(exp, image), "embedding as colours", ax)


def _like(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A mask enlarged to the size of a picture that is a whole number of times larger."""
    times = len(picture) // len(mask)
    return mask.repeat(times, axis=0).repeat(times, axis=1)


def _show(picture: np.ndarray, title: str, ax: Axes | None, cmap: str | None = None) -> Axes:
    from p2pselect.explanations.figures._figure import axes_or_new, bare

    ax = axes_or_new(ax, 3.4, 3.6)
    ax.imshow(picture, interpolation="nearest", cmap=cmap)
    ax.set_title(title, fontsize=12)
    bare(ax)
    return ax
