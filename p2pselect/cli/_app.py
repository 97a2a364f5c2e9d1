"""Serve a local page: drop photographs on it, and see what answers are based on.

Browse the photographs of a folder, too, and let programs ask: POST /predict and
/explain, with an image file as the body.

examples:
  p2pselect app leaves.model
  p2pselect app leaves.model leaves/test --certainty .9
  p2pselect app leaves.model --table leaves/labels.csv
  curl --data-binary @leaf.jpg http://127.0.0.1:8765/predict
"""

from __future__ import annotations

import argparse
import socket
import warnings
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from p2pselect._optional import need
from p2pselect.cli._arguments import add_shared, whole
from p2pselect.cli._explain import short_names, true_labels_of
from p2pselect.cli._tables import add_table, rows_of
from p2pselect.exceptions import InputError, P2PSelectWarning, brief

_MEGABYTE = 2**20
#: More are refused, before they fill the memory.
_MOST_CONNECTIONS = 200
#: How long Ctrl-C waits for requests that have come.
_SECONDS_TO_STOP = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``p2pselect app``."""
    add_shared(parser, "model")
    add_shared(parser, "folder", nargs="?", help="folder of photographs to browse")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="NAME",
        help="address to listen at (default: %(default)s, which only this machine can reach; "
        "0.0.0.0 lets others in, without a password)",
    )
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        default=8765,
        metavar="N",
        help="0 takes any that is free (default: %(default)s)",
    )
    parser.add_argument(
        "--max-megabytes",
        type=whole(1),
        default=32,
        metavar="N",
        help="largest size of an image file that is sent (default: %(default)s)",
    )
    parser.add_argument(
        "--corrections",
        type=Path,
        metavar="FILE",
        help="keep what is marked as wrong or missing here, for p2pselect fit --corrections",
    )
    add_shared(parser, "--certainty", "--max-pixels")
    add_table(parser, "folder", usual="test")


def run(options: argparse.Namespace) -> None:
    """Do what ``p2pselect app`` says."""
    rows = rows_of(options, "folder", usual="test")
    for package in ("starlette", "uvicorn"):
        need(package, "p2pselect app", "p2pselect[app]")
    import uvicorn

    from p2pselect.app import create_app
    from p2pselect.cli._files import known_rows, load_model
    from p2pselect.images._folders import images_below
    from p2pselect.images._meaning import Meaning

    model = load_model(options.model, options.certainty)
    meaning, files, stated = model._meaning(fitted=True), [], None
    if rows is not None:
        found = known_rows(model, rows).load(with_labels=False, **meaning)
        files, stated = found.images.files.tolist(), found.labels
    elif options.folder:
        files = images_below(options.folder, Meaning(**meaning))
    labels = true_labels_of(model, files, stated) if files else None
    names = short_names(files) if files else None
    with _listener(options.host, options.port) as listener:
        app = create_app(
            model,
            files,
            labels,
            names=names,
            title=f"What {options.model.resolve().name} saw",
            hosts=[options.host],
            max_bytes=options.max_megabytes * _MEGABYTE,
            corrections=options.corrections,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_SECONDS_TO_STOP,
        )
        server = uvicorn.Server(config)
        print(f"{_address(listener)} (Ctrl-C stops it)", flush=True)
        # Requests that have come are answered first; then uvicorn raises the signal again.
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listener])
    if not server.started:
        raise InputError("the app could not be started; what was wrong is said above")
    print("stopped")


def _listener(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that a place that is taken is noticed now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen at --host {brief(host)} --port {port}: {error.strerror} "
            "(--port 0 takes any that is free)"
        ) from error
    if not ip_address(listener.getsockname()[0]).is_loopback:
        warnings.warn(
            "whoever reaches this machine can ask the model and see the photographs: there is "
            "no password",
            P2PSelectWarning,
            stacklevel=2,
        )
    return listener


def _address(listener: socket.socket) -> str:
    """Where a browser finds what listens here."""
    host, port = listener.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
