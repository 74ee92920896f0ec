"""`dante serve`: the pages."""

from typing import Annotated

import typer

from dante.cli.options import HomeOption
from dante.cli.output import say

__all__ = ["serve"]


def serve(
    home: HomeOption = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = 8300,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen on; any but this machine's own needs a --token."
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="DANTE_WEB_TOKEN",
            help="What one must know to look; better as DANTE_WEB_TOKEN, which `ps` does not show.",
            show_default=False,
            show_envvar=False,
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name people reach this machine by.", show_default=False),
    ] = None,
) -> None:
    """Show what was found in a browser: pages and a JSON API, until Ctrl-C."""
    from dante.config import load_settings
    from dante.store.home import Home
    from dante.web.serve import check_listening
    from dante.web.serve import serve as listen

    check_listening(host, token)
    where = f"[{host}]" if ":" in host else host
    say(f"http://{where}:{port} shows {load_settings(home).home}; Ctrl-C ends it")
    listen(Home(load_settings(home).home), host=host, port=port, token=token, names=name or [])
