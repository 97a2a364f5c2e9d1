"""Pictures of one image, alone or in panels, and a page of many images."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect._docstrings import shared_docs
from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures import _pixels as pixels
from p2pselect.explanations.figures._axes import axes_or_new, new_figure, remove_frame
from p2pselect.explanations.figures._photographs import (
    Photograph,
    photograph,
    seen,
    warn_of_lost,
)
from p2pselect.explanations.figures._words import (
    answer_facts,
    certainty_words,
    distinct_labels,
    label,
    percent,
    sharpness_words,
    sparsity_words,
)
from p2pselect.metrics._arrays import ratio
from p2pselect.metrics._explained import check_true_labels
from p2pselect.metrics._object_masks import masks_on_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FEWEST_PIXELS_OF_A_REGION = 8
Panel = Callable[[ExplanationArrays, Photograph, "Axes | None"], "Axes"]


@shared_docs
def plot_regions(
    explanation: ExplanationArrays, image: int = 0, *, ax: Axes | None = None
) -> Axes:
    """Draw the original image with its region borders, those of the kept part in yellow.

    %(plot_of_image)s

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_regions(example_explanation(n_images=1).explanation).get_title()
    'regions'
    """
    return _draw(_regions, explanation, image, ax)


@shared_docs
def plot_masked_image(
    explanation: ExplanationArrays, image: int = 0, *, ax: Axes | None = None
) -> Axes:
    """Draw what the classifier saw: the kept regions, and everything else black.

    %(plot_of_image)s

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_masked_image(example_explanation(n_images=1).explanation).get_title()
    'what the classifier saw'
    """
    return _draw(_masked_image, explanation, image, ax)


@shared_docs
def plot_heat_map(
    explanation: ExplanationArrays, image: int = 0, *, ax: Axes | None = None
) -> Axes:
    """Draw the selection probability of every region, with its scale.

    %(plot_of_image)s

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_heat_map(example_explanation(n_images=1).explanation).get_title()
    'selection probability'
    """
    return _draw(_heat_map, explanation, image, ax)


@shared_docs
def plot_embedding(
    explanation: ExplanationArrays, image: int = 0, *, ax: Axes | None = None
) -> Axes:
    """Draw the region embeddings as colors: regions of similar color are chosen together.

    %(plot_of_image)s

    Raises
    ------
    InputError
        If the explanation has no region embeddings.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> plot_embedding(example_explanation(n_images=1).explanation).get_title()
    'embedding as colors'
    """
    if explanation.region_embeddings is None:
        raise InputError("this explanation has no region embeddings to show as colors")
    return _draw(_embedding, explanation, image, ax)


def _draw(panel: Panel, explanation: ExplanationArrays, image: int, ax: Axes | None) -> Axes:
    one, picture = explanation[image], photograph(explanation, image)
    warn_of_lost([picture.lost])
    return panel(one, picture, ax)


def _regions(one: ExplanationArrays, picture: Photograph, ax: Axes | None) -> Axes:
    drawn = picture.pixels
    # Lines around single pixels would leave nothing of the image.
    if one.n_regions[0] * _FEWEST_PIXELS_OF_A_REGION <= picture.labels.size:
        drawn = pixels.draw_borders(drawn, picture.labels, (255, 255, 255))
    kept = picture.spread(one.region_masks[0])
    return _show(pixels.draw_borders(drawn, kept, pixels.YELLOW, 5), "regions", ax)


def _masked_image(one: ExplanationArrays, picture: Photograph, ax: Axes | None) -> Axes:
    return _show(seen(one, picture), "what the classifier saw", ax)


def _heat_map(one: ExplanationArrays, picture: Photograph, ax: Axes | None) -> Axes:
    # What is in no region is left blank.
    heat = picture.spread(one.selection_probs[0], np.nan)
    ax = _show(heat, "selection probability", ax, cmap="cividis")
    drawn = ax.images[0]
    drawn.set_clim(0, 1)  # the same for all images, so that they can be compared
    bar = ax.figure.colorbar(drawn, ax=ax, fraction=0.046, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["0", "½", "1"])
    bar.outline.set_visible(False)
    return ax


def _embedding(one: ExplanationArrays, picture: Photograph, ax: Axes | None) -> Axes:
    assert one.region_embeddings is not None
    embedding = one.region_embeddings[0][:, : one.n_regions[0]]
    colors = picture.spread(pixels.embedding_colors(embedding))
    return _show(colors, "embedding as colors", ax)


def _show(picture: np.ndarray, title: str, ax: Axes | None, cmap: str | None = None) -> Axes:
    ax = axes_or_new(ax, 3.4, 3.6)
    # Where a photograph has more pixels than the figure, thin lines must not fall between them.
    ax.imshow(picture, interpolation="antialiased", cmap=cmap)
    ax.set_title(title, fontsize=12)
    remove_frame(ax)
    return ax


@shared_docs
def plot_explanation(explanation: ExplanationArrays, image: int = 0) -> Figure:
    """Draw one image: regions | kept part | selection heat map | embedding as colors.

    The panels show the photograph as it was given, where it can still be read, and then say how
    many pixels of it the classifier saw.  An explanation that was loaded has only the model's
    copies of the images.

    Parameters
    ----------
    %(explanation)s
    %(image)s

    Returns
    -------
    matplotlib.figure.Figure
        With three panels if there are no embeddings.  Nothing else refers to it, not even
        pyplot, so it is freed with its last reference.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> figure = plot_explanation(example_explanation(n_images=1).explanation)
    >>> len(figure.axes)
    5
    """
    one, picture = explanation[image], photograph(explanation, image)
    warn_of_lost([picture.lost])
    panels: list[Panel] = [_regions, _masked_image, _heat_map]
    if one.region_embeddings is not None:
        panels.append(_embedding)
    height, width = picture.pixels.shape[:2]
    # An inch for the words; panels 3 inches wide, but none taller than two such widths.
    figure = new_figure(3 * len(panels) + 0.5, 1 + 3 * min(max(height / width, 0.25), 2))
    for draw, ax in zip(panels, figure.subplots(1, len(panels)), strict=True):
        draw(one, picture, ax)
    answer = f"Predicted: {label(one.predicted_names[0])}, {certainty_words(one, 0)}"
    figure.suptitle(answer, fontsize=14, fontweight="bold", parse_math=False)
    below = [sparsity_words(one, 0)]
    if picture.is_sharp:
        below.append(sharpness_words(picture.content.size))
    if one.shown_as:
        below.append(f"shown: {one.shown_as}")
    figure.supxlabel("\n".join(below), fontsize=11)
    # The alternative text of the picture in a notebook.
    figure.set_label(f"{answer}; {sparsity_words(one, 0)}")
    return figure


@shared_docs
def plot_page(
    explanation: ExplanationArrays,
    y: Any = None,
    n_images: int = 12,
    random_state: int = 0,
    object_masks: np.ndarray | None = None,
) -> Figure:
    """Draw a page of randomly chosen images, each beside what the classifier saw of it.

    Parameters
    ----------
    %(explanation)s
    y : array-like of shape (n,), optional
        True labels; if they are given, right and wrong answers are marked.
    n_images : int, default=12
        How many images to draw; all of them if there are fewer.
    random_state : int, default=0
        Seed of the choice, which never depends on whether the answer is right.
    object_masks : array-like of shape (n, h, w), bool, optional
        True where the object is, which is outlined in the originals; brought to the model's
        grid as :func:`~p2pselect.metrics.masks_on_grid` does it.

    Returns
    -------
    matplotlib.figure.Figure
        The page.

    Raises
    ------
    InputError
        If there are no images, or `y` or `object_masks` do not fit them.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> example = example_explanation(n_images=2)
    >>> figure = plot_page(example.explanation, example.y, object_masks=example.object_masks)
    """
    truth = None if y is None else check_true_labels(explanation, y)
    n = len(explanation)
    if not n:
        raise InputError("a page needs at least one image, the explanation has none")
    if object_masks is not None:
        object_masks = masks_on_grid(object_masks, explanation, name="object_masks")
    chosen = np.sort(np.random.default_rng(random_state).permutation(n)[:n_images])
    pictures = [photograph(explanation, int(i)) for i in chosen]
    warn_of_lost(picture.lost for picture in pictures)
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    tallest = max(picture.pixels.shape[0] / picture.pixels.shape[1] for picture in pictures)
    figure = new_figure(4.4 * columns, (2.1 * min(tallest, 1.5) + 0.7) * rows + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid[len(chosen) :]:
        ax.set_axis_off()
    for ax, i, picture in zip(grid, chosen, pictures, strict=False):
        left = picture.pixels
        if object_masks is not None:
            outline = picture.lay(object_masks[i], False)
            left = pixels.draw_borders(left, outline, pixels.YELLOW, 3)
        _draw_pair(ax, left, seen(explanation[int(i)], picture))
        _write_caption(ax, explanation, i, None if truth is None else truth[i])
    figure.suptitle(
        "Left: the image.  Right: all that the classifier saw of it.",
        fontsize=16,
        fontweight="bold",
    )
    footer = _footer(explanation, truth, object_masks, len(chosen))
    # Letters of this size: about twelve to an inch.
    lines = wrap(footer, int(12 * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), fontsize=11)
    figure.set_label(f"{len(chosen)} images, each beside what the classifier saw of it")
    return figure


def _draw_pair(ax: Axes, left: np.ndarray, right: np.ndarray) -> None:
    remove_frame(ax)
    h, w = right.shape[:2]
    gap = 0.04 * w
    for picture, start in ((left, 0), (right, w + gap)):
        ax.imshow(picture, extent=(start, start + w, h, 0), interpolation="antialiased")
    ax.set(xlim=(0, 2 * w + gap), ylim=(h, 0), anchor="NW")


def _write_caption(ax: Axes, explanation: ExplanationArrays, image: int, true: Any) -> None:
    one = explanation[image]
    predicted = one.predicted_names[0]
    words = f"{percent(explanation.certainty[image])} sure"
    if reasons := one.unanswered_reasons[0]:
        words += ", unfamiliar" * ("unfamiliar" in reasons) + ", not answered"
    words += f"  ·  saw {percent(explanation.kept_fraction[image])}"
    headline, color = label(predicted, 18), None
    if true is not None and one._right(np.array([true]))[0]:
        headline, color = f"✓ {headline}", pixels.BLUE
    elif true is not None:
        names = one._kind.names(np.array([true]), one.classes)
        answer, truth = distinct_labels([predicted, names[0]], 18)
        headline, color = f"✗ {answer} (is {truth})", pixels.ORANGE
    style: dict[str, Any] = {} if color is None else {"color": color}
    # The layout shall not widen a narrow pair for a title and a label.
    ax.set_title(
        headline, loc="left", fontsize=13, fontweight="bold", parse_math=False, **style
    )
    ax.set_xlabel(words, loc="left", fontsize=10, parse_math=False)


def _footer(
    explanation: ExplanationArrays,
    truth: np.ndarray | None,
    masks: np.ndarray | None,
    n_shown: int,
) -> str:
    parts = [f"{n_shown} images drawn at random.  All {len(explanation)}:"]
    parts += [f"{name} {value}" for name, value in answer_facts(explanation, truth)]
    if masks is not None:
        kept = explanation.pixel_masks.sum(axis=(1, 2))
        inside = ratio((explanation.pixel_masks & masks).sum(axis=(1, 2)), kept)
        if kept.any():
            parts.append(f"{percent(np.nanmean(inside))} of the kept pixels on the object")
        if not kept.all():
            parts.append(f"nothing kept of {(kept == 0).sum()} images")
    return parts[0] + "  " + "  ·  ".join(parts[1:])
