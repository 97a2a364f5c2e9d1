"""Figures that leave pyplot's global state alone and still show themselves in a notebook.

The only module here that imports matplotlib at its top; the others import it from
inside their functions, so that the package works without matplotlib.
"""

from __future__ import annotations

import base64
import io
from html import escape
from typing import Any

from p2pselect._optional import need

need("matplotlib", "figures", "p2pselect[plots]")

from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: E402


class NotebookFigure(Figure):
    """A figure that pyplot does not keep alive, with its own notebook display."""

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        code = base64.b64encode(buffer.getvalue()).decode("ascii")
        alt = escape(str(self.get_label()), quote=True)
        return f'<img src="data:image/png;base64,{code}" alt="{alt}">'


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of the given size in inches, with room between its axes."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06)
    return NotebookFigure(figsize=(width, height), layout=layout)


def axes_or_new(ax: Any, width: float = 5.0, height: float = 3.6) -> Axes:
    """The axes that were passed, or those of a new figure."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def bare(ax: Axes) -> None:
    """Take ticks and frame off axes that show a picture."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
