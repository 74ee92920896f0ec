"""`dante up`: a Prefect server and a worker on this machine, with everything deployed."""

from typing import Annotated

import typer

from dante.cli.options import HomeOption
from dante.cli.output import say

__all__ = ["up"]


def up(
    home: HomeOption = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="Port of the server.")
    ] = 4200,
) -> None:
    """Have days run by themselves: server, pool, limit, deployments, worker, until Ctrl-C."""
    from dante.pipeline.context import open_context
    from flows.standing import standing

    context = open_context(home)
    if not context.settings.sources:
        say(f"no source is declared in {context.home.root / 'dante.toml'}: nothing will arrive")
    standing(context.home.root, port, say)
