"""Nothing that another web site makes a browser send is answered."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from p2pselect.atomic_write import strict_json
from p2pselect.exceptions import brief

#: What browsers are told about every answer.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """Around an application: refuses requests that other web sites could have made.

    A site can give its own name the address of this machine (DNS rebinding), so that its
    scripts count as ours; but then its name is in the Host header.  What a site sends across
    origins has the Origin header of that site.
    """

    def __init__(self, app: Any, names: Iterable[str]):
        self._app = app
        self._names = {"localhost", socket.gethostname().lower(), *map(str.lower, names)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._objection(Headers(scope=scope))
        answer = self._app if refusal is None else error_response(403, refusal)
        await answer(scope, receive, send_guarded)

    def _objection(self, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if not self._is_known(_without_port(host)):
            return (
                f"the Host header is {brief(host)}; expected localhost, an IP address, or a "
                "name that the app was told"
            )
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in (f"http://{host}", f"https://{host}"):
            return f"a page of another site asks: its Origin header is {brief(origin)}"
        return None

    def _is_known(self, host: str) -> bool:
        """Whether a host is a name of ours, or an address, which no name server can change."""
        try:
            ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return host.lower() in self._names
        return True


def error_response(status: int, words: str) -> Response:
    """One line of JSON that says what is wrong."""
    return json_response({"error": " ".join(words.split())}, status)


def json_response(content: Any, status: int = 200) -> Response:
    """JSON in UTF-8, whatever bytes file names are made of."""
    return Response(strict_json(content), status, media_type="application/json")


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host
