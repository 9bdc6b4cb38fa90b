"""Who may talk to the studio: the page it served itself, to whoever knows the token.

A web page elsewhere can make a browser send requests to this machine, and by DNS rebinding even
under a name of its own. So the Host header must be this machine's, the Origin header this page's,
and every request but those for the page itself carries a cookie that only the token of the start
buys.
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP = "; ".join(
    [
        *("default-src 'none'", "script-src 'self'", "style-src 'self'"),
        *("img-src 'self' blob: data:", "connect-src 'self'", "media-src 'self' blob:"),
        *("base-uri 'none'", "form-action 'none'"),
    ]
)
"""The Content-Security-Policy: nothing but the page's own files, and pictures that it makes."""

OPEN = ("/", "/session")
"""Paths that need no cookie, besides those of the page's files."""

NOTEBOOKS = "http://localhost:* http://127.0.0.1:*"
"""Pages that may show the studio in a frame, if it was started in a notebook."""


class Access:
    """Checks every request, and adds the headers that keep a browser strict.

    Attributes:
        app: what answers requests that pass.
        token: in the address that is printed at the start.
        hosts: values of the Host header that are this machine's.
        in_notebook: whether the page is shown in a frame of a notebook.
    """

    def __init__(
        self, app: ASGIApp, token: str, hosts: frozenset[str], *, in_notebook: bool = False
    ) -> None:
        self.app, self.token, self.hosts = app, token, hosts
        self.ancestors = NOTEBOOKS if in_notebook else "'none'"
        self._session = secrets.token_urlsafe(32)
        # Browsers send cookies of one port to all: each studio has its own name.
        self._cookie = f"lucid_{secrets.token_hex(4)}"

    def exchange(self, token: str) -> str | None:
        """The cookie that a token buys; None for a wrong one."""
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        return f"{self._cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        if problem := self._problem(scope):
            if scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": problem})
                return
            await PlainTextResponse(f"{problem}\n", 403)(scope, receive, self._strict(send))
            return
        scope["lucid.session"] = self._has_session(Headers(scope=scope))
        needs = not (scope["path"] in OPEN or scope["path"].startswith("/page/"))
        if needs and scope["type"] == "http" and not scope["lucid.session"]:
            answer = PlainTextResponse("open the address that `lucid studio` printed\n", 403)
            await answer(scope, receive, self._strict(send))
            return
        await self.app(scope, receive, self._strict(send))

    def _problem(self, scope: Scope) -> str:
        """Why a request is refused; empty if it is not."""
        headers = Headers(scope=scope)
        if headers.getlist("host") not in [[host] for host in self.hosts]:
            return "this studio has another address"
        origins = headers.getlist("origin")
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if origins and origins != [f"http://{headers['host']}"]:
            return "requests come from the studio's own page only"
        if changes and not origins:
            return "requests come from a browser only"
        return ""

    def _has_session(self, headers: Headers) -> bool:
        found = cookie_parser("; ".join(headers.getlist("cookie"))).get(self._cookie, "")
        return secrets.compare_digest(found.encode(), self._session.encode())

    def _strict(self, send: Send) -> Send:
        """Add headers to every response."""

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = f"{CSP}; frame-ancestors {self.ancestors}"
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
                headers["Cross-Origin-Resource-Policy"] = "same-origin"
                headers["Cross-Origin-Opener-Policy"] = "same-origin"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        return strict
