"""Commands that keep a home well: `backup`, `restore`, `prune`."""

from pathlib import Path
from typing import Annotated

import typer

from dante.cli.options import HomeOption, home_words
from dante.cli.output import say

__all__ = ["backup", "prune", "restore"]


def backup(
    out: Annotated[Path, typer.Argument(metavar="OUT.duckdb", help="The file to write.")],
    home: HomeOption = None,
) -> None:
    """Copy the state to a file, whole and of one moment, also while days are run."""
    from dante.pipeline.context import open_context
    from dante.store.backup import backup as backup_state

    days = backup_state(open_context(home).home, out)
    say(f"wrote {out}: the state of {days} days")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that backup wrote.")],
    home: HomeOption = None,
) -> None:
    """Put a backup in the place of the state, and publish it; the old one is kept beside it."""
    from dante.pipeline.backfill import day_states, publish_if_needed
    from dante.pipeline.context import open_context
    from dante.store.backup import restore as restore_state

    context = open_context(home)
    days = restore_state(context.home, file)
    publish_if_needed(context)
    say(f"the state is that of {file}, with {days} days")
    redo = [day for day, state in day_states(context).items() if state not in ("done", "broken")]
    if redo:
        say(f"next: dante backfill {redo[0]} {redo[-1]}{home_words(home)}")


def prune(home: HomeOption = None) -> None:
    """Remove packets and refused rows older than `[retention]` says, and what killed runs left."""
    from dante.pipeline.context import open_context
    from dante.pipeline.retention import prune as prune_home

    gone = prune_home(open_context(home))
    days = f" of {len(gone.days)} days, {gone.days[0]} to {gone.days[-1]}" if gone.days else ""
    say(
        f"removed {gone.packets} files of packets{days}, {gone.quarantine} of refused rows, "
        f"{gone.left} left by runs that were killed"
    )
