"""Figures and axes to draw on; matplotlib is imported when the first one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p2pselect._optional import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches, with room between its axes."""
    need("matplotlib", "figures", "p2pselect[plots]")
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from p2pselect.explanations.figures._notebook_figure import NotebookFigure

    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    return NotebookFigure(figsize=(width, height), layout=layout)


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """The axes that were passed, or those of a new figure."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def remove_frame(ax: Axes) -> None:
    """Remove ticks and frame from axes that show a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
