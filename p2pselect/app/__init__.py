"""A model behind a local web page, and behind an interface for other programs."""

from p2pselect.app._application import create_app

__all__ = ["create_app"]
