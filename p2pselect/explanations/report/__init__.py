"""Explanations as web pages."""

from p2pselect.explanations.report._html import write_html
from p2pselect.explanations.report._notebook import repr_html

__all__ = ["repr_html", "write_html"]
