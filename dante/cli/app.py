"""The commands, put together."""

import logging
from typing import Annotated

import typer

from dante import __version__
from dante.cli import (
    data,
    demo,
    export,
    keep,
    labels,
    look,
    measure,
    quarantine,
    simulated,
    up,
    web,
    work,
)
from dante.errors import UsageError

__all__ = ["app"]

app = typer.Typer(
    name="dante",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Who is scanning the Internet, for what, since when, and what is new today.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dante {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")] = False,
    log_format: Annotated[
        str,
        typer.Option(
            "--log-format",
            envvar="DANTE_LOG_FORMAT",
            metavar="text|json",
            help="How to say it: json is an object a line, with day and run.",
            show_envvar=False,
        ),
    ] = "text",
) -> None:
    # What libraries say is for their developers; what we say is for the user.
    logging.getLogger().addHandler(logging.NullHandler())
    ours = logging.getLogger("dante")
    handler = logging.StreamHandler()
    if log_format == "json":
        from dante.pipeline.logs import JsonLines

        handler.setFormatter(JsonLines())
    elif log_format == "text":
        handler.setFormatter(logging.Formatter("dante: %(message)s"))
    else:
        raise UsageError(f"there is no log format {log_format!r}; choose text or json")
    ours.handlers[:] = [handler]
    ours.setLevel(
        logging.DEBUG if verbose else logging.INFO if log_format == "json" else logging.WARNING
    )


_START, _WORK, _LOOK, _MORE = "Start", "Work", "Look", "More"
for panel, command in (
    (_START, demo.demo),
    (_START, data.init),
    (_START, data.ingest),
    (_WORK, work.backfill),
    (_WORK, work.run),
    (_WORK, work.train),
    (_WORK, work.rewind),
    (_WORK, up.up),
    (_LOOK, look.status),
    (_LOOK, quarantine.quarantine),
    (_LOOK, look.threats),
    (_LOOK, look.floods),
    (_LOOK, look.tracks),
    (_LOOK, look.lineage),
    (_LOOK, look.query),
    (_LOOK, look.report),
    (_LOOK, web.serve),
    (_MORE, labels.label),
    (_MORE, simulated.simulate),
    (_MORE, measure.evaluate),
    (_MORE, measure.doctor),
    (_MORE, keep.backup),
    (_MORE, keep.restore),
    (_MORE, keep.prune),
):
    own = data.IngestCommand if command is data.ingest else None
    app.command(rich_help_panel=panel, cls=own)(command)

app.add_typer(labels.app, name="labels", rich_help_panel=_MORE)
app.add_typer(export.app, name="export", rich_help_panel=_MORE)
