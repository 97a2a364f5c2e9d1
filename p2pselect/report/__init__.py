"""Explanations as web pages."""

from p2pselect.report.html import write_html

__all__ = ["write_html"]
