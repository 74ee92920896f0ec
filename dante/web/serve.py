"""Listening: on this machine alone, unless somebody says otherwise and names a token."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from dante.errors import DanteError, UsageError
from dante.store.home import Home
from dante.web.guard import is_loopback

__all__ = ["LOOPBACK", "check_listening", "serve"]

LOOPBACK: Final = "127.0.0.1"
_SHORTEST_TOKEN: Final = 16


def check_listening(host: str, token: str | None) -> None:
    """Whether it may be listened there.

    Raises:
        UsageError: others could reach it and there is no token, or the token is too short.
    """
    if token is not None and (len(token) < _SHORTEST_TOKEN or not token.isprintable()):
        raise UsageError(
            f"a token needs {_SHORTEST_TOKEN} printable characters or more: "
            "`openssl rand -hex 16` makes one"
        )
    if token is None and not is_loopback(host):
        raise UsageError(
            f"on {host} others can reach the server: give a --token (or DANTE_WEB_TOKEN) that "
            "they must know, or leave --host out and listen on this machine alone"
        )


def serve(
    home: Home, *, host: str = LOOPBACK, port: int = 8300, token: str | None, names: Sequence[str]
) -> None:
    """Serve a home's publication until interrupted.

    Args:
        home: whose `lineage.duckdb` is shown; it need not be there yet.
        host: address to listen on.
        port: TCP port to listen on.
        token: what one must know to look; needed where `host` is not of this machine alone.
        names: further names people may reach the server by.

    Raises:
        UsageError: as `check_listening`.
        DanteError: it cannot be listened there.
    """
    import socket

    import uvicorn

    from dante.web.app import create_app

    check_listening(host, token)
    app = create_app(home, token=token, names=[host, *names])
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(kind, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise DanteError(
            f"{host} port {port} cannot be listened on ({error.strerror}); choose another --port"
        ) from None
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=64,
        timeout_keep_alive=10,
        ws="none",
    )
    # Ctrl-C is how it is meant to end.
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])
