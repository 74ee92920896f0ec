"""Copies of the state, and putting one back."""

# Annotations stay text: see `dante.store.state`.
from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import duckdb

from dante.errors import UsageError
from dante.store.home import Home, write_whole
from dante.store.migrations import MIGRATIONS
from dante.store.state import closed_state, open_state

__all__ = ["backup", "restore"]


def backup(home: Home, target: Path) -> int:
    """Copy the state, complete and closed, to a file; how many days it has.

    Raises:
        UsageError: there is no state, or the file is the state's own.
        BusyError: another process holds the state.
    """
    if not home.state.is_file():
        raise UsageError(f"{home.root} has no state to back up; run a backfill first")
    if target.resolve() in (home.state.resolve(), home.lineage.resolve()):
        raise UsageError(f"{target} is the home's own; name another file to back up to")
    with closed_state(home, wait=60) as state, write_whole(target) as copy:
        shutil.copyfile(state, copy)
    with closing(duckdb.connect(target, read_only=True)) as con:
        return _days(con)


def restore(home: Home, source: Path) -> int:
    """Put a backup in the place of the state, which is kept beside it; how many days it has.

    Days that were done after the backup are done again by the next backfill.

    Raises:
        UsageError: the file is no backup, or of a newer version of dante.
        BusyError: another run is at work on this home.
    """
    if not source.is_file():
        raise UsageError(f"{source}: no such file")
    try:
        with closing(duckdb.connect(source, read_only=True)) as con:
            days = _days(con)
            applied = {name for (name,) in con.execute("SELECT name FROM migrations").fetchall()}
    except duckdb.Error as error:
        reason = str(error).splitlines()[0][:200]
        raise UsageError(f"{source} is no backup of a state ({reason})") from None
    if newer := applied - {name for name, _ in MIGRATIONS}:
        raise UsageError(
            f"{source} was made by a newer version of dante ({', '.join(sorted(newer))}); update"
        )
    log = home.state.with_name(f"{home.state.name}.wal")
    with home.lock("pipeline"), home.lock("state", wait=60):
        for old in (log, home.state):
            if old.exists():
                old.replace(old.with_name(f"{old.name}.before-restore"))
        with write_whole(home.state) as copy:
            shutil.copyfile(source, copy)
    with open_state(home, wait=60):  # brought up to this version
        return days


def _days(con: duckdb.DuckDBPyConnection) -> int:
    row = con.execute("SELECT count(*) FROM pipeline.days").fetchone()
    return row[0] if row else 0
