"""The command line: one module per command, each with ``add_arguments`` and ``run``."""

from p2pselect.cli.entrypoint import main

__all__ = ["main"]
