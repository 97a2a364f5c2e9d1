"""The only module that imports matplotlib at its top: the package works without it."""

from __future__ import annotations

import base64
import io
from html import escape

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that pyplot does not keep alive and that shows itself in a notebook."""

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", bbox_inches="tight")
        code = base64.b64encode(buffer.getvalue()).decode("ascii")
        alt = escape(str(self.get_label()), quote=True)
        return f'<img src="data:image/png;base64,{code}" alt="{alt}">'
