"""Find the command, run it, and turn errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from p2pselect import __version__
from p2pselect.cli import (
    _app,
    _audit,
    _demo,
    _evaluate,
    _explain,
    _fit,
    _info,
    _predict,
    _regions,
    _reproduce,
    _tune,
)
from p2pselect.cli._arguments import Parser
from p2pselect.exceptions import P2PSelectError, P2PSelectWarning

COMMANDS = {
    "demo": _demo,
    "fit": _fit,
    "evaluate": _evaluate,
    "tune": _tune,
    "audit": _audit,
    "predict": _predict,
    "explain": _explain,
    "app": _app,
    "regions": _regions,
    "reproduce": _reproduce,
    "info": _info,
}
_EXIT_CODES = """exit codes:
  0    done; images left out by --on-error skip are named on standard error
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
    options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        # argparse would point to the help of p2pselect, which has none of the options.
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    with warnings.catch_warnings():
        warnings.simplefilter("default", P2PSelectWarning)
        # A person at a terminal does not need to know where in our source a warning comes from.
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        return _run(options)


def _parser() -> Parser:
    layout: dict[str, Any] = {
        "epilog": _EXIT_CODES,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    described = "Image classifiers that see only what they show you."
    parser = Parser(prog="p2pselect", description=described, **layout)
    parser.add_argument("--version", action="version", version=f"p2pselect {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        summary = (module.__doc__ or "").partition(".\n")[0]
        summary = " ".join(f"{summary[:1].lower()}{summary[1:]}".split())
        command = commands.add_parser(name, help=summary, description=module.__doc__, **layout)
        command.add_argument("--debug", action="store_true", help="show tracebacks of errors")
        module.add_arguments(command)
        command.set_defaults(run=module.run, refuse=command.error)
    return parser


def _run(options: argparse.Namespace) -> int:
    try:
        options.run(options)
        # Here, where a closed pipe can still be caught.
        sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        # A command may say more about it, for example what it has saved.
        print(str(interrupt) or "interrupted", file=sys.stderr)
        # 128 + SIGINT: what shells report for a program that Ctrl-C has ended.
        return 130
    except BrokenPipeError:
        # `p2pselect ... | head` closes the pipe, and Python's last flush must not notice.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (P2PSelectError, OSError) as error:
        if options.debug:
            raise
        print(f"p2pselect {options.command}: {error}", file=sys.stderr)
        return 1
    return 0


def _use_utf8() -> None:
    """Let every class name and file name be printed, whatever the encoding of the terminal.

    Files and pipes get UTF-8, and file names that are not UTF-8 come out byte for byte.  A
    terminal keeps its encoding and shows escapes for the characters that it does not have.
    """
    for stream, errors in ((sys.stdout, "surrogateescape"), (sys.stderr, "backslashreplace")):
        reconfigure: Any = getattr(stream, "reconfigure", None)
        if reconfigure is None:  # not a real stream, for example that of a notebook
            continue
        if stream.isatty():
            reconfigure(errors="backslashreplace")
        else:
            reconfigure(encoding="utf-8", errors=errors)


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    if issubclass(category, P2PSelectWarning):
        print(f"note: {message}", file=sys.stderr)
