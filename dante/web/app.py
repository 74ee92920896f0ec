"""The application: the routes put together, and what becomes of errors."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from dante import __version__
from dante.errors import BusyError, DanteError, NotEnoughDataError, UsageError
from dante.store.home import Home
from dante.web import api, pages
from dante.web.faults import NotFoundError
from dante.web.guard import Guard
from dante.web.publication import Publication
from dante.web.render import Renderer
from dante.web.warm import warm

__all__ = ["create_app"]

_LOCAL = ("localhost", "127.0.0.1", "::1")


def create_app(home: Home, *, token: str | None = None, names: Sequence[str] = ()) -> FastAPI:
    """The application of a home, which need not have published anything yet.

    Args:
        home: whose publication is shown.
        token: what one must know to look; None for no token.
        names: names or addresses it is reached by, besides those of this machine.
    """
    publication = Publication(home)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        over = threading.Event()
        follower = threading.Thread(
            target=publication.follow, args=(warm, over), name="dante-follow", daemon=True
        )
        follower.start()
        yield
        over.set()
        follower.join()
        publication.close()

    app = FastAPI(
        title="DANTE",
        version=__version__,
        description="What a network telescope's tracks are and did. Read-only; times are UTC.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.publication = publication
    app.state.renderer = Renderer()
    app.state.token = token
    hosts = {*_LOCAL, *(name.strip("[]").lower() for name in names)}
    app.add_middleware(Guard, hosts=hosts, token=token)
    app.include_router(api.router)
    app.include_router(pages.router)
    for kind in (DanteError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(Exception, _bug)
    return app


def _told(request: Request, error: Exception) -> Response:
    status, sentence = _said(error)
    return _answer(request, status, sentence)


def _bug(request: Request, error: Exception) -> Response:
    # The server's log has the traceback; whoever asked need not see it.
    return _answer(request, 500, "this is a bug; the server's log has more")


def _said(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, "there is no such page" if error.status_code == 404 else (
            str(error.detail)
        )
    if isinstance(error, RequestValidationError):
        problem = error.errors()[0]
        return 400, f"{problem['loc'][-1]} is not understood: {problem['msg']}"
    if isinstance(error, NotFoundError):
        return 404, str(error)
    if isinstance(error, UsageError):
        return 400, str(error)
    if isinstance(error, NotEnoughDataError | BusyError):
        return 503, str(error)
    return 503, str(error)


def _answer(request: Request, status: int, sentence: str) -> Response:
    if request.url.path.startswith(("/api", "/openapi.json")):
        return JSONResponse({"error": sentence}, status)
    renderer: Renderer = request.app.state.renderer
    page = renderer.page(
        "error.html", request, None, status=status, title=HTTPStatus(status).phrase,
        sentence=sentence,
    )  # fmt: skip
    page.status_code = status
    return page
