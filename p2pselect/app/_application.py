"""``create_app``: a model as a web application."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from p2pselect._optional import need
from p2pselect._targets import true_targets
from p2pselect.exceptions import InputError, brief

if TYPE_CHECKING:
    from starlette.applications import Starlette


def create_app(
    model: Any,
    files: Sequence[str | os.PathLike[str]] = (),
    y: Any = None,
    *,
    names: Sequence[str] | None = None,
    title: str = "What the classifier saw",
    hosts: Sequence[str] = (),
    max_bytes: int = 32 * 2**20,
    batch_wait: float = 0.01,
    corrections: str | os.PathLike[str] | None = None,
) -> Starlette:
    """Make a web application of a model: a page for people, and JSON for programs.

    It is what ``p2pselect app`` serves, for those who have a server of their own.  The page
    shows an answer and what it is based on for every photograph that is dropped on it, and for
    all ``files``.  Programs ask at ``POST /predict`` and ``POST /explain``, with an image file
    as the body; ``/openapi.json`` describes these.  Needs the packages of
    ``pip install "p2pselect[app]"``.

    Images that arrive at about the same time are answered as one batch.  The files are looked
    at while nobody waits for an answer.

    Parameters
    ----------
    model : SelectiveImageClassifier
        A fitted estimator, which nothing else may use at the same time.
    files : sequence of path-like, optional
        Photographs to browse on the page.
    y : array-like of shape (n,), optional
        True labels of the files; if they are given, wrong answers can be picked out.
    names : sequence of n str, optional
        What to call the files on the page; by default their paths.
    title : str, default="What the classifier saw"
        Title of the page.
    hosts : sequence of str, optional
        Names under which the application is reached, beside ``localhost``, the name of the
        machine and IP addresses.  Requests for other names are refused, since they come from
        another web site.
    max_bytes : int, default=33554432
        Largest size of an image file that a request may bring.  The number of pixels is limited
        by ``PIL.Image.MAX_IMAGE_PIXELS``.
    batch_wait : float, default=0.01
        How many seconds an image waits for others to share its batch, which has at most the
        ``batch_size`` of the model.
    corrections : path-like, optional
        File of what people mark on the page as wrong or missing, which is read if it exists,
        and written after every mark: see :func:`p2pselect.datasets.read_corrections`.  Without
        it, marks are kept until the application ends.  Either way the page offers them.

    Returns
    -------
    starlette.applications.Starlette
        The application.  It answers once a server has started it (ASGI's lifespan).

    Raises
    ------
    MissingPackageError
        If starlette cannot be imported.
    InputError
        If `y` or `names` do not fit the files, a number is out of its range, or `corrections`
        is no such file or cannot be written.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    There is no password: whoever reaches the port can ask the model, see the files, and change
    what is marked on them.  No path in a request is ever opened.  What requests bring lies in a
    temporary folder until it is answered.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = P2PClassifier(**settings).fit(scenes.images, scenes.target % 2)
    >>> app = create_app(clf)
    >>> [route.path for route in app.routes][:3]
    ['/', '/predict', '/explain']

    To serve it: ``uvicorn.run(app, host="127.0.0.1")``.
    """
    need("starlette", "an app", "p2pselect[app]")
    from p2pselect.app._marks import Marks
    from p2pselect.app._service import Service

    paths = [os.fsdecode(file) for file in files]
    named = paths if names is None else [str(name) for name in names]
    if len(named) != len(paths):
        raise InputError(f"names must have {len(paths)} entries, got {len(named)}")
    if not max_bytes >= 1:
        raise InputError(f"max_bytes must be at least 1, got {brief(max_bytes)}")
    if not 0 <= batch_wait < np.inf:
        raise InputError(f"batch_wait must be at least 0 seconds, got {brief(batch_wait)}")
    marks = Marks(None if corrections is None else Path(corrections))
    first = model.explain(_noise(model))
    truth = None if y is None else true_targets(y, first.classes, first._kind)
    if truth is not None and len(truth) != len(paths):
        raise InputError(
            f"y must have one label per file: got {len(truth)} labels for {len(paths)} files"
        )
    service = Service(model, first, paths, named, truth, max_bytes, batch_wait, marks)
    return service.application(title, hosts)


def _noise(model: Any) -> Any:
    """An image of no meaning, as the model takes them.

    What it takes a while to load or to compile is then there, and the explanation says what
    kind of answers there will be.
    """
    from p2pselect.images import as_images

    channels = 1 if model.n_channels_in_ == 1 else model.n_channels_seen_
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 64, channels), np.uint8)
    return as_images(pixels, n_channels=None if channels in (1, 3) else channels)
