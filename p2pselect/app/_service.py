"""What the application knows, and how it answers at each address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from p2pselect.app._album import Album
from p2pselect.app._answers import answer, whole_answer
from p2pselect.app._guard import Guard, error_response, json_response
from p2pselect.app._marks import Marks
from p2pselect.app._uploads import received
from p2pselect.app._worker import Worker
from p2pselect.exceptions import P2PSelectError
from p2pselect.explanations import Explanation
from p2pselect.explanations.figures._display import number_labels
from p2pselect.explanations.figures._photographs import photograph
from p2pselect.explanations.figures._words import on_average, percent
from p2pselect.explanations.report._lead import lead
from p2pselect.explanations.report._page import of_all_images
from p2pselect.explanations.report._payload import image_payload
from p2pselect.explanations.report._template import fact_list, resource, whole_page
from p2pselect.images import as_images

_HERE = __name__.rpartition(".")[0]
#: Images that are decoded or drawn at once: each may need hundreds of megabytes for a moment.
_THREADS = 2
#: Largest size in bytes of what is marked on one image.
_MOST_MARKS = 2**20
#: Cards that the page gets at once.
_CARDS = 200


class Service:
    """A model, the thread that asks it, the photographs to browse, and the addresses.

    ``first`` is any explanation of the model, which says what its answers are like.
    """

    def __init__(
        self,
        model: Any,
        first: Explanation,
        files: Sequence[str],
        names: Sequence[str],
        truth: np.ndarray | None,
        max_bytes: int,
        batch_wait: float,
        marks: Marks,
    ):
        self._model, self._first, self._max_bytes = model, first, max_bytes
        self._labels, codes = number_labels(first, truth)
        self._album = Album(files, names, codes)
        self._marks = marks
        self._worker = Worker(model.explain, model.batch_size, batch_wait)

    def application(self, title: str, hosts: Sequence[str]) -> Starlette:
        """The application; ``hosts`` are further names under which it is reached."""
        self._title = title
        post = {"methods": ["POST"]}
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/predict", self.predict, **post),  # type: ignore[arg-type]
                Route("/explain", self.explain, **post),  # type: ignore[arg-type]
                Route("/health", self.health),
                Route("/openapi.json", self.openapi),
                # For the page alone, and not described: these change with it.
                Route("/page/photographs", self.drop, **post),  # type: ignore[arg-type]
                Route("/page/cards/{number}", self.cards),
                Route("/page/pictures/{name}", self.picture),
                Route("/page/details/{number}", self.details),
                Route("/page/corrections", self.correct, **post),  # type: ignore[arg-type]
                Route("/corrections.json", self.corrections),
            ],
            middleware=[Middleware(Guard, names=hosts)],
            exception_handlers={HTTPException: _refused, Exception: _failed},
            lifespan=self._running,
        )

    @asynccontextmanager
    async def _running(self, app: Starlette) -> AsyncIterator[None]:
        with (
            TemporaryDirectory(prefix="p2pselect-", ignore_cleanup_errors=True) as folder,
            ThreadPoolExecutor(_THREADS, "p2pselect-images") as self._threads,
        ):
            self._inbox = Path(folder)
            self._worker.start()
            self._album.look_at_all(self._worker, self._inbox)
            yield
            self._worker.stop()

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, function, *arguments
        )

    # -- for programs --------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        return json_response(await self._of_upload(request, answer))

    async def explain(self, request: Request) -> Response:
        return json_response(await self._of_upload(request, whole_answer))

    async def health(self, request: Request) -> Response:
        return json_response(
            {
                "status": "ok",
                "classes": [str(label) for label in self._first.classes],
                "certainty_threshold": float(self._first.certainty_threshold),
                "images": self._worker.n_images,
                "batches": self._worker.n_batches,
            }
        )

    async def openapi(self, request: Request) -> Response:
        return Response(resource(_HERE, "openapi.json"), media_type="application/json")

    async def _of_upload(
        self, request: Request, say: Callable[[Explanation], dict[str, Any]]
    ) -> dict[str, Any]:
        """What is said of the image that a request brings."""
        async with received(request, self._inbox, self._max_bytes) as file:
            try:
                # Alone, so that hardly any damaged image comes into a batch.
                await self._in_thread(self._check, str(file))
                one = await asyncio.wrap_future(self._worker.ask(str(file)))
                return await self._in_thread(say, one)
            except P2PSelectError as error:
                said = str(error).removeprefix(f"{file}: ").replace(str(file), "the image")
                raise HTTPException(422, said) from error

    def _check(self, file: str) -> None:
        as_images([file], **self._model._meaning(fitted=True)).check(0)

    # -- for the page --------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        album = len(self._album.files)
        data = of_all_images(self._first, self._labels, bool(self._album.truth))
        own = {"named": True, "images": [], "sample": "", "album": album}
        own["corrections"] = self._marks.entries()
        page = whole_page(
            self._title,
            {**data, **own, "maxBytes": self._max_bytes},
            more_style=resource(_HERE, "app.css"),
            more_script=resource(_HERE, "app.js"),
            allowed="img-src 'self' data:; connect-src 'self'",
            LEAD=lead(self._first, has_photographs=True),
            FACTS=self._facts(),
            INPUT=resource(_HERE, "input.html"),
            FOOT=resource(_HERE, "foot.html"),
        )
        # Names of classes may contain bytes that are not text; those are shown as "?".
        return HTMLResponse(page.encode("utf-8", "replace"))

    def _facts(self) -> str:
        asked = percent(self._first.certainty_threshold) + on_average(self._first)
        facts = [
            (self._first._kind.called, f"{len(self._first.classes):,}"),
            ("certainty asked for", asked),
        ]
        if self._album.files:
            facts.append(("files in the folder", f"{len(self._album.files):,}"))
        return fact_list(facts)

    async def drop(self, request: Request) -> Response:
        return json_response(await self._of_upload(request, drawn))

    async def cards(self, request: Request) -> Response:
        start = _below(request.path_params["number"], len(self._album.seen) + 1)
        return json_response(self._album.seen[start : start + _CARDS])

    async def picture(self, request: Request) -> Response:
        file = self._album.pictures.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return FileResponse(file)

    async def correct(self, request: Request) -> Response:
        async with received(request, self._inbox, _MOST_MARKS) as file:
            try:
                count = await self._in_thread(self._marks.replace, file.read_bytes())
            except P2PSelectError as error:
                raise HTTPException(422, str(error)) from error
        return json_response({"corrections": count})

    async def corrections(self, request: Request) -> Response:
        answer = json_response({"corrections": self._marks.entries()})
        answer.headers["Content-Disposition"] = 'attachment; filename="corrections.json"'
        return answer

    async def details(self, request: Request) -> Response:
        number = _below(request.path_params["number"], len(self._album.files))
        try:
            asked = self._worker.ask(self._album.files[number])
            one = await asyncio.wrap_future(asked)
            return json_response(await self._in_thread(drawn, one))
        except P2PSelectError as error:
            raise HTTPException(422, str(error)) from error


def drawn(one: Explanation) -> dict[str, Any]:
    """All that the page draws of one image."""
    return image_payload(one, photograph(one, 0))


def _below(text: str, limit: int) -> int:
    """A number in an address, from 0 to below a limit."""
    # Not so long that Python would refuse to convert it.
    if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) < limit:
        return int(text)
    raise HTTPException(404)


async def _refused(request: Request, error: Any) -> Response:
    answer = error_response(error.status_code, error.detail)
    answer.headers.update(error.headers or {})
    return answer


async def _failed(request: Request, error: Exception) -> Response:
    return error_response(500, "this image could not be answered; the app's log says why")
