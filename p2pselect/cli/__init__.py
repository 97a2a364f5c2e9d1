"""The command line: one module per command, each with ``add_arguments`` and ``run``."""

from p2pselect.cli._entrypoint import main

__all__ = ["main"]
