"""Who may come in: under a name of this machine, from no foreign page, with the key if one is set.

A plain ASGI application around another, for HTTP and WebSockets alike.
"""

import hashlib
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from toolstone.local.brain import RefusalError
from toolstone.local.telling import identity

__all__ = ["LOOPBACK", "Gate"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
OPEN = ("/openapi.json", "/docs")  # what they say is no secret


class Gate:
    """Lets through what may come in; the rest gets an error in OpenAI's envelope.

    Args:
        app: The application behind it.
        hosts: The host names it may be called by; any, if `None`. A page in a browser cannot get
            here under a name of its own (DNS rebinding).
        api_key: What `Authorization: Bearer ...` must hold; anything will do, if `None`.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: tuple[str, ...] | None = LOOPBACK, api_key: str | None = None
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._digest = None if api_key is None else _digest(api_key.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the application, or hand on to it."""
        if scope["type"] in ("http", "websocket"):
            try:
                self._check(scope["type"], scope["path"], Headers(scope=scope))
            except RefusalError as error:
                refused = JSONResponse(error.envelope(), error.status, identity() | error.headers)
                await refused(scope, receive, send)  # of a WebSocket it denies the handshake
                return
        await self._app(scope, receive, send)

    def _check(self, kind: str, path: str, headers: Headers) -> None:
        host = _host(headers.get("host", ""))
        if self._hosts is not None and host not in self._hosts:
            message = f"this endpoint has no name {host!r}; it answers to {', '.join(self._hosts)}"
            raise RefusalError(400, "invalid_host", message)
        origin = headers.get("origin")
        if (
            kind == "websocket"
            and origin
            and _host(urlsplit(origin).netloc) not in (*LOOPBACK, host)
        ):
            # A browser asks nobody before it opens a WebSocket to another site.
            raise RefusalError(403, "foreign_origin", "a page of another site may not connect here")
        if self._digest is not None and path not in OPEN:
            self._check_key(headers.get("authorization", ""))

    def _check_key(self, authorization: str) -> None:
        scheme, _, given = authorization.partition(" ")
        assert self._digest is not None  # noqa: S101  the caller saw to it
        right = secrets.compare_digest(
            _digest(given.strip().encode("latin-1", "replace")), self._digest
        )
        if scheme.lower() != "bearer" or not right:
            said = "is not the key of this endpoint" if authorization else "is missing"
            message = f"the API key {said}; send 'Authorization: Bearer KEY'"
            headers = {"www-authenticate": "Bearer"}
            raise RefusalError(401, "invalid_api_key", message, headers=headers)


def _digest(key: bytes) -> bytes:
    """What is kept of the key: enough to know it again."""
    return hashlib.sha256(key).digest()


def _host(netloc: str) -> str:
    """The name without the port: `[::1]:80` is `::1`; empty if it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""
