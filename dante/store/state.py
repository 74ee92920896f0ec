"""`state.duckdb`: the pipeline's own database, one writer, one transaction a day."""

# Annotations stay text: Prefect keeps flows alive beyond the end of the interpreter, and DuckDB's
# types, kept alive with them, would make its bindings complain of leaks on stderr.
from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

import duckdb
import polars as pl

from dante.errors import BusyError, DanteError
from dante.store.home import Home, unwritable
from dante.store.migrations import apply_migrations, pending

__all__ = [
    "DAY_TABLES",
    "DayRecord",
    "RunRecord",
    "State",
    "closed_state",
    "open_state",
    "seen_state",
]

DAY_TABLES: Final = (
    "pipeline.track_states",
    "memberships",
    "lineage",
    "decisions",
    "track_days",
    "threats",
    "threats_held",
    "floods",
    "pipeline.port_days",
    "pipeline.volumes",
    "daily",
    "quality",
)
"""Tables that hold one day's rows each day; rewinding deletes from them by day."""


@dataclass(frozen=True)
class DayRecord:
    """Everything one day's run adds to the state.

    Attributes:
        day: the day.
        fingerprint: of all that the results came from.
        tables: a frame for each of `DAY_TABLES` that has rows, with its columns in any order.
        models: rows of `models` the day used, replaced by id.
        ingests: the whole of `ingests` as the lake has it now.
    """

    day: date
    fingerprint: str
    tables: Mapping[str, pl.DataFrame]
    models: pl.DataFrame
    ingests: pl.DataFrame


@dataclass(frozen=True)
class RunRecord:
    """One row of `runs`."""

    run_id: str
    flow: str
    day: date | None
    status: str
    started_at: datetime
    seconds: float
    error: str | None = None


class State:
    """An open `state.duckdb`."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        """Wrap a connection whose migrations are applied."""
        self.con = con

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self.con.execute("BEGIN")
        try:
            yield
            self.con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # a COMMIT that failed has ended it
                self.con.execute("ROLLBACK")
            raise

    def frame(self, sql: str, parameters: list[object] | None = None) -> pl.DataFrame:
        """The rows of a query as a frame."""
        rows: pl.DataFrame = self.con.sql(sql, params=parameters).pl()
        return rows

    def fingerprints(self, *, stale: bool = False) -> Mapping[date, str]:
        """Fingerprint of every committed day that is not marked stale (or is), in order of days."""
        rows = self.con.execute(
            "SELECT day, fingerprint FROM pipeline.days WHERE $1 OR NOT stale ORDER BY day",
            [stale],
        ).fetchall()
        return MappingProxyType(dict(rows))

    def committed_days(self) -> list[date]:
        """Every committed day, stale or not, in order."""
        rows = self.con.execute("SELECT day FROM pipeline.days ORDER BY day").fetchall()
        return [day for (day,) in rows]

    def broken(self) -> Mapping[date, str]:
        """Days that broke their contract and are not committed, each with what was judged."""
        rows = self.con.execute("SELECT day, inputs FROM pipeline.broken ORDER BY day").fetchall()
        return MappingProxyType(dict(rows))

    def fingerprint_before(self, day: date) -> str | None:
        """Fingerprint of the newest committed day before a day, stale or not."""
        row = self.con.execute(
            "SELECT fingerprint FROM pipeline.days WHERE day < ? ORDER BY day DESC LIMIT 1", [day]
        ).fetchone()
        return None if row is None else row[0]

    def version(self) -> str:
        """Digest of what is committed: another after every transaction, the same without one."""
        days = self.con.execute("SELECT * FROM pipeline.days ORDER BY day").fetchall()
        runs = self.con.execute("SELECT count(*), max(started_at) FROM runs").fetchall()
        sources = self.con.execute("SELECT * FROM ingests ORDER BY ALL").fetchall()
        text = json.dumps([days, runs, sources], default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def commit_day(self, record: DayRecord, run: RunRecord | None = None) -> None:
        """Replace one day by its record, in one transaction; the days after it become stale."""
        with self.transaction():
            for table in DAY_TABLES:
                self.con.execute(f"DELETE FROM {table} WHERE day = ?", [record.day])
                if table in record.tables:
                    self._insert(table, record.tables[table])
            for table in ("pipeline.days", "pipeline.broken"):
                self.con.execute(f"DELETE FROM {table} WHERE day = ?", [record.day])
            self.con.execute(
                "INSERT INTO pipeline.days VALUES (?, ?, false)", [record.day, record.fingerprint]
            )
            self.con.execute("UPDATE pipeline.days SET stale = true WHERE day > ?", [record.day])
            for model_id in record.models["model_id"]:
                self.con.execute("DELETE FROM models WHERE model_id = ?", [model_id])
            self._insert("models", record.models)
            self._forget_unused_models()
            self._replace_ingests(record.ingests)
            if run is not None:
                self._insert_run(run)

    def add_failure(
        self, day: date, quality: pl.DataFrame | None, run: RunRecord, broken: str | None = None
    ) -> None:
        """Keep what is known of a run that did not end in a commit: its checks and its error.

        Args:
            day: the day.
            quality: what its checks found, if they were made.
            run: of which `error` says why.
            broken: if it broke its contract, a digest of what was judged.
        """
        with self.transaction():
            self.con.execute("DELETE FROM pipeline.broken WHERE day = ?", [day])
            if broken is not None:
                self.con.execute("INSERT INTO pipeline.broken VALUES (?, ?)", [day, broken])
            if quality is not None:
                self.con.execute("DELETE FROM quality WHERE day = ?", [day])
                self._insert("quality", quality)
            self._insert_run(run)

    def set_ingests(self, ingests: pl.DataFrame) -> None:
        """Replace the rows of `ingests`."""
        with self.transaction():
            self._replace_ingests(ingests)

    def forget_day(self, day: date) -> None:
        """Take back one day alone; the days after it become stale."""
        with self.transaction():
            for table in (*DAY_TABLES, "pipeline.days"):
                self.con.execute(f"DELETE FROM {table} WHERE day = ?", [day])
            self.con.execute("UPDATE pipeline.days SET stale = true WHERE day > ?", [day])
            self._forget_unused_models()

    def rewind(self, day: date) -> list[date]:
        """Take back this day and all after it, in one transaction; the days taken back."""
        gone = [known for known in self.committed_days() if known >= day]
        with self.transaction():
            for table in (*DAY_TABLES, "pipeline.days", "pipeline.broken"):
                self.con.execute(f"DELETE FROM {table} WHERE day >= ?", [day])
            self._forget_unused_models()
        return gone

    def _forget_unused_models(self) -> None:
        self.con.execute("DELETE FROM models WHERE model_id NOT IN (SELECT model_id FROM daily)")

    def _replace_ingests(self, frame: pl.DataFrame) -> None:
        self.con.execute("DELETE FROM ingests")
        self._insert("ingests", frame)

    def _insert_run(self, run: RunRecord) -> None:
        self.con.execute(
            "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
            [run.run_id, run.flow, run.day, run.status, run.started_at, run.seconds, run.error],
        )

    def _insert(self, table: str, frame: pl.DataFrame) -> None:
        if frame.height:
            self.con.register("incoming", frame.to_arrow())
            self.con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
            self.con.unregister("incoming")


@contextmanager
def open_state(home: Home, *, wait: float = 0.0) -> Iterator[State]:
    """The state of a home, held by this process alone until the block ends.

    Args:
        home: the home; its folder is made when missing.
        wait: seconds to wait for another process to let go of it.

    Raises:
        BusyError: another process holds it after `wait`.
        DanteError: the file is no DuckDB database this version can open.
    """
    with home.lock("state", wait=wait), _connected(home) as con:
        yield State(con)


@contextmanager
def seen_state(home: Home, *, wait: float = 0.0) -> Iterator[State | None]:
    """The state only to be looked at, by those too who may not write to the home; None if none is.

    Who may write waits for his turn, as in `open_state`. For others no lock is taken, nor is
    anything brought up to date; a writer who comes meanwhile waits the moment that it takes.

    Raises:
        BusyError, DanteError: as `open_state`, or it is of another version and must be updated.
    """
    there = home.state.is_file()
    places = [home.root, home.state] if there else [home.root]
    if all(os.access(place, os.W_OK) for place in places):
        with open_state(home, wait=wait) as state:
            yield state
        return
    if not there:
        yield None
        return
    con = _connect(home, wait, read_only=True)
    try:
        if pending(con):
            raise DanteError(
                f"{home.state} is of an earlier version; have a user that may write to it run "
                "`dante status` once"
            )
        yield State(con)
    finally:
        con.close()


@contextmanager
def closed_state(home: Home, *, wait: float = 0.0) -> Iterator[Path]:
    """The state's file, complete and closed, kept from other dante processes until the block ends.

    It must be closed to be copied: reading the file would take away the lock of an open one.

    Raises:
        BusyError, DanteError: as `open_state`.
    """
    with home.lock("state", wait=wait):
        with _connected(home) as con:
            con.execute("CHECKPOINT")
        yield home.state


@contextmanager
def _connected(home: Home) -> Iterator[duckdb.DuckDBPyConnection]:
    con = _connect(home, _MOMENT)
    try:
        apply_migrations(con)
        yield con
    except duckdb.Error as error:
        known = isinstance(error, duckdb.IOException) or "orrupt" in str(error)
        if not known and unwritable(error, home.state) is None:
            raise
        raise _fault(home, error) from None
    finally:
        con.close()


# Seconds for which somebody may look at the state without a lock.
_MOMENT: Final = 1.0


def _connect(home: Home, wait: float, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A connection, after at most `wait` seconds if another program has the file open."""
    until = time.monotonic() + wait
    while True:
        try:
            return duckdb.connect(home.state, read_only=read_only)
        except duckdb.Error as error:
            fault = _fault(home, error)
        if not isinstance(fault, BusyError) or time.monotonic() >= until:
            raise fault
        time.sleep(0.05)


def _fault(home: Home, error: duckdb.Error) -> DanteError:
    """What is wrong with the state's file, and what to do."""
    told = unwritable(error, home.state)
    if told is not None:
        return told
    if isinstance(error, duckdb.IOException) and "lock" in str(error).lower():
        return BusyError(
            f"{home.state} is open in another program; close it there and try again "
            f"(people query {home.lineage.name}, which is never locked)"
        )
    return DanteError(
        f"{home.state} cannot be opened as a DuckDB database ({_first_line(error)}); "
        "put a backup in its place with `dante restore`, or move it away and run the backfill again"
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200]
