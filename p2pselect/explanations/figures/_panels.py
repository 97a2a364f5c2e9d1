"""Whole-figure views: one image in four panels, and a page of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import InputError
from p2pselect.explanations.figures import _pixels as pixels
from p2pselect.explanations.figures._display import check_truth
from p2pselect.explanations.figures._images import (
    plot_embedding,
    plot_heat_map,
    plot_masked_image,
    plot_regions,
)
from p2pselect.explanations.figures._words import (
    certainty_words,
    distinct_labels,
    label,
    percent,
    sparsity_words,
)
from p2pselect.metrics._arrays import ratio
from p2pselect.metrics._object_masks import check_object_masks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_explanation(
    exp: ExplanationArrays, image: int = 0, *, size: tuple[int, int] | None = None
) -> Figure:
    """Draw one image: regions | kept part | selection heat map | embedding as colours.

    Parameters
    ----------
    exp : Explanation
    image : int, default=0
        Which image of the batch.
    size : tuple (height, width), optional
        Of the image before it was resized to the model's grid: the panels then have its
        shape.  Pixels stay those of the model.

    Returns
    -------
    matplotlib.figure.Figure
        With three panels where there are no embeddings.  It belongs to nobody: not to
        pyplot either, so it is freed with its last reference.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> figure = plot_explanation(example_explanation(n_images=1).explanation)
    >>> len(figure.axes)
    5
    """
    from p2pselect.explanations.figures._figure import new_figure

    exp = exp[image]
    panels = [plot_regions, plot_masked_image, plot_heat_map]
    if exp.region_embeddings is not None:
        panels.append(plot_embedding)
    h, w = exp.regions.shape[1:]
    height, width = (h, w) if size is None else size
    ratio = height / width
    # An inch for the words; panels 3 inches wide, but none taller than two such widths.
    figure = new_figure(3 * len(panels) + 0.5, 1 + 3 * min(max(ratio, 0.25), 2))
    for draw, ax in zip(panels, figure.subplots(1, len(panels)), strict=True):
        draw(exp, ax=ax)
        ax.set_aspect(ratio * w / h)
    answer = f"Predicted: {label(exp.predicted[0])}, {certainty_words(exp, 0)}"
    figure.suptitle(answer, fontsize=14, fontweight="bold", parse_math=False)
    figure.supxlabel(sparsity_words(exp, 0), fontsize=11)
    figure.set_label(f"{answer}; {sparsity_words(exp, 0)}")
    return figure


def plot_page(
    exp: ExplanationArrays,
    y: Any = None,
    n_images: int = 12,
    random_state: int = 0,
    object_masks: np.ndarray | None = None,
) -> Figure:
    """Draw a page of randomly chosen images, each beside what the classifier saw of it.

    Parameters
    ----------
    exp : Explanation
    y : array-like of shape (n,), optional
        True labels; wrong answers are then marked.
    n_images : int, default=12
        How many images to draw; all of them when there are fewer.
    random_state : int, default=0
        Seed of the choice, which never looks at whether the answer is right.
    object_masks : array-like of shape (n, h, w), bool, optional
        Where the object is: outlined in the originals; resized to the model's grid.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If there is no image, or ``y`` or ``object_masks`` do not fit the images.

    Examples
    --------
    >>> from p2pselect.explanations import example_explanation
    >>> made = example_explanation(n_images=2)
    >>> figure = plot_page(made.explanation, made.y, object_masks=made.object_masks)
    """
    from p2pselect.explanations.figures._figure import new_figure

    truth = None if y is None else check_truth(exp, y)
    if not len(exp):
        raise InputError("a page needs at least one image, the explanation has none")
    if object_masks is not None:
        object_masks = check_object_masks(
            object_masks, len(exp), exp.regions.shape[1:], name="object_masks"
        )
    rng = np.random.default_rng(random_state)
    chosen = np.sort(rng.permutation(len(exp))[:n_images])
    columns = min(3, len(chosen))
    rows = -(-len(chosen) // columns)
    h, w = exp.regions.shape[1:]
    figure = new_figure(4.4 * columns, (4.2 * h / (2 * w) + 0.42) * rows + 0.9)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid[len(chosen) :]:
        ax.set_axis_off()
    for ax, i in zip(grid, chosen, strict=False):
        left = pixels.to_rgb(exp.images[i])
        if object_masks is not None:
            left = pixels.draw_borders(left, object_masks[i], (240, 228, 66), 3)
        _draw_pair(ax, left, pixels.to_rgb(exp[int(i)].masked_images[0]))
        _caption(ax, exp, i, None if truth is None else truth[i])
    figure.suptitle(
        "Left: the image.  Right: all that the classifier saw of it.",
        fontsize=16,
        fontweight="bold",
    )
    figure.supxlabel(_foot(exp, truth, object_masks, len(chosen)), fontsize=11)
    figure.set_label(f"{len(chosen)} images, each beside what the classifier saw of it")
    return figure


def _draw_pair(ax: Axes, left: np.ndarray, right: np.ndarray) -> None:
    from p2pselect.explanations.figures._figure import bare

    bare(ax)
    h, w = right.shape[:2]
    gap = 0.04 * w
    for picture, start in ((left, 0), (right, w + gap)):
        ax.imshow(picture, extent=(start, start + w, h, 0), interpolation="nearest")
    ax.set(xlim=(0, 2 * w + gap), ylim=(h, 0))


def _caption(ax: Axes, exp: ExplanationArrays, image: int, true: Any) -> None:
    sure = percent(exp.certainty[image])
    sure = f"{sure} sure" if exp.certainty_reached[image] else f"only {sure} sure"
    words = f"{sure}  ·  saw {percent(exp.kept_fraction[image])}"
    answer = label(exp.predicted[image], 18)
    if true is None:
        headline, colour = answer, None
    elif exp.predicted[image] == true:
        headline, colour = f"✓ {answer}", pixels.BLUE
    else:
        answer, truth = distinct_labels([exp.predicted[image], true], 18)
        headline, colour = f"✗ {answer} (is {truth})", pixels.ORANGE
    text: dict[str, Any] = {"transform": ax.transAxes, "va": "bottom", "parse_math": False}
    ax.text(0, 1.02, headline, fontsize=13, fontweight="bold", color=colour, **text)
    ax.text(1, 1.02, words, fontsize=10, ha="right", **text)


def _foot(
    exp: ExplanationArrays, truth: np.ndarray | None, masks: np.ndarray | None, shown: int
) -> str:
    parts = [f"{shown} images drawn at random.  All {len(exp)}:"]
    if truth is not None:
        parts.append(f"{percent(np.mean(exp.predicted == truth))} right")
    parts.append(f"{percent(exp.certainty_reached.mean())} certain")
    parts.append(f"{percent(exp.kept_fraction.mean())} of the pixels kept")
    if masks is not None:
        kept = exp.pixel_masks.sum(axis=(1, 2))
        inside = ratio((exp.pixel_masks & masks).sum(axis=(1, 2)), kept)
        if kept.any():
            parts.append(f"{percent(np.nanmean(inside))} of the kept pixels on the object")
        if not kept.all():
            parts.append(f"nothing kept of {(kept == 0).sum()} images")
    return parts[0] + "  " + "  ·  ".join(parts[1:])
