"""Find the command, run it, turn errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from p2pselect import __version__
from p2pselect.cli._arguments import Parser
from p2pselect.exceptions import P2PSelectError, P2PSelectWarning

COMMANDS = {
    "demo": "train, predict and explain real images, in a few minutes on a laptop",
    "fit": "train a model on a folder of images",
    "evaluate": "score a model on a folder of labelled images",
    "predict": "predict the classes of images",
    "explain": "show what a model looked at",
    "regions": "look at the regions that images are divided into",
    "bench": "run the paper's experiments, and write their tables and figures",
    "info": "say what a saved model is",
}
_EXIT_CODES = """exit codes:
  0    done; images that --on-error skip left out are named on standard error
  1    an error, which is named in one line
  2    wrong usage, for example a number out of its range
  130  interrupted (Ctrl-C); what fit had learned by then is saved
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        Exit code: 0, 1 for an error, 130 after an interrupt.

    Raises
    ------
    SystemExit
        As argparse does: with code 2 for wrong usage, 0 for ``--help`` and ``--version``.
    """
    _use_utf8()
    chosen = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("default", P2PSelectWarning)
        # On a terminal it is a line for a person, without the place in our source.
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        return _run(chosen)


def _parser() -> Parser:
    parser = Parser(
        prog="p2pselect",
        description="Image classifiers that only see what they show you.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"p2pselect {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        module = import_module(f"p2pselect.cli._{name}")
        command = commands.add_parser(
            name,
            help=summary,
            description=module.__doc__,
            epilog=_EXIT_CODES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_argument("--debug", action="store_true", help="show tracebacks of errors")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    try:
        chosen.run(chosen)
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        # What a command has to say of it, for example what was saved.
        print(str(interrupt) or "interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `p2pselect ... | head` closes the pipe; Python's last flush must not find it closed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (P2PSelectError, OSError) as error:
        if chosen.debug:
            raise
        print(f"p2pselect {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _use_utf8() -> None:
    """Let every class and file name be printed, whatever the terminal's encoding is.

    Files and pipes get UTF-8, and names of files that are not UTF-8 come out byte for byte.
    A terminal keeps its encoding, and shows escapes for characters that it does not have.
    """
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is None:  # not a real stream, such as that of a notebook
            continue
        if stream.isatty():
            reconfigure(errors="backslashreplace")
        else:
            reconfigure(encoding="utf-8", errors=errors)


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    if issubclass(category, P2PSelectWarning):
        print(f"note: {message}", file=sys.stderr)
