"""An explanation on the screen: in the notebook, or as a page in the browser."""

from __future__ import annotations

import sys
import tempfile
import warnings
import webbrowser
from pathlib import Path
from typing import Any

from p2pselect._explanation_arrays import ExplanationArrays
from p2pselect.exceptions import P2PSelectWarning, brief_path
from p2pselect.explanations.report._page import write_html


def show(explanation: ExplanationArrays, y: Any, options: dict[str, Any]) -> Path | None:
    """Show an explanation; see ``Explanation.show``."""
    if _in_notebook():
        from IPython.display import display

        display(explanation)
        return None
    page = Path(tempfile.mkdtemp(prefix="p2pselect-"), "explanation.html")
    write_html(explanation, page, y=y, **options)
    if not webbrowser.open(page.as_uri()):
        warnings.warn(
            f"no browser could be opened; the page is {brief_path(page)}",
            P2PSelectWarning,
            stacklevel=3,
        )
    return page


def _in_notebook() -> bool:
    # A program that runs in a notebook has imported IPython, and nobody else need have it.
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")
