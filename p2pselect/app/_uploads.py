"""An image that a request brings, as a file that only this program has named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request


@asynccontextmanager
async def received(request: Request, folder: Path, max_bytes: int) -> AsyncIterator[Path]:
    """The body of a request as a file, for as long as it is needed.

    Raises
    ------
    HTTPException
        If it has more than ``max_bytes``, is empty, or is a form.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise HTTPException(
            415,
            "the body is a form; expected the image file itself (curl --data-binary "
            "@photo.jpg)",
        )
    too_large = HTTPException(
        413, f"the body has more than {max_bytes:,} bytes, the limit of this app"
    )
    # Before anything is read; whoever states no length, or a wrong one, is stopped below.
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and (len(stated) > 18 or int(stated) > max_bytes):
        raise too_large
    file = folder / token_hex(16)
    try:
        size = 0
        with file.open("xb") as opened:
            async for part in request.stream():
                size += len(part)
                if size > max_bytes:
                    raise too_large
                opened.write(part)
        if size == 0:
            raise HTTPException(422, "the body is empty; expected an image file")
        yield file
    finally:
        file.unlink(missing_ok=True)
