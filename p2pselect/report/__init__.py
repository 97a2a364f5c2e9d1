"""Explanations as web pages."""

from p2pselect.report.html import write_html
from p2pselect.report.notebook import repr_html

__all__ = ["repr_html", "write_html"]
