"""Who may ask, and what every answer tells the browser it must not do."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["COOKIE", "Guard", "cookie_value", "is_loopback", "local_path", "token_fits"]

COOKIE: Final = "dante_session"

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_METHODS: Final = ("GET", "HEAD")
_OPEN: Final = ("/login", "/static/")
_LONGEST_QUERY: Final = 4000


class Guard:
    """Middleware that is asked before any route.

    A browser lets any web site ask a server on this machine, and a site can have its own name
    answer with 127.0.0.1 (DNS rebinding): so a request must name a host that is ours. Where a
    token is wanted, an address is as good: no site can send our cookie there.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str | None) -> None:
        """Guard `app`, known as `hosts` (lower case, no ports), with a token if there is one."""
        self._app = app
        self._hosts = frozenset(hosts)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, sending)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._knows(headers.get("host", "")):
            return PlainTextResponse(
                "This server is not known by that name: open it by the address `dante serve` "
                "printed, or start it with --name.\n",
                421,
            )
        path = scope["path"]
        login = path == "/login" and scope["method"] == "POST"
        if scope["method"] not in _METHODS and not login:
            return PlainTextResponse("Nothing here can be changed.\n", 405, {"Allow": "GET, HEAD"})
        if len(scope["query_string"]) > _LONGEST_QUERY:
            return PlainTextResponse("That is too long a question.\n", 414)
        if self._token is None or path.startswith(_OPEN) or self._admits(headers):
            return None
        if "text/html" in headers.get("accept", ""):
            back = quote(path + ("?" + Request(scope).url.query if scope["query_string"] else ""))
            return RedirectResponse(f"/login?next={back}", 303)
        return JSONResponse(
            {"error": "send the token this server was started with: Authorization: Bearer …"},
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _knows(self, host: str) -> bool:
        name = _host_name(host)
        if name in self._hosts:
            return True
        return self._token is not None and _as_address(name) is not None

    def _admits(self, headers: Headers) -> bool:
        assert self._token is not None
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token_fits(sent.strip(), self._token):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and token_fits(cookie.value, cookie_value(self._token))


def cookie_value(token: str) -> str:
    """What the cookie of somebody who knew the token holds; the token cannot be had from it."""
    return hmac.new(token.encode(), b"dante web session", hashlib.sha256).hexdigest()


def token_fits(sent: str, wanted: str) -> bool:
    """Whether two secrets are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), wanted.encode())


def local_path(wanted: str) -> str:
    """Where to go after the login: a path of this server, whatever was asked for."""
    plain = wanted.isprintable() and "\\" not in wanted
    return wanted if plain and wanted.startswith("/") and not wanted.startswith("//") else "/"


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is only reached from this machine."""
    address = _as_address(host.strip("[]"))
    return host == "localhost" if address is None else address.is_loopback


def _host_name(header: str) -> str:
    name = header.strip().lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if name.count(":") == 1 else name


def _as_address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
