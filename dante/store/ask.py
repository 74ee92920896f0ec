"""Somebody's question in SQL, answered within limits of time, memory and rows."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import duckdb
import polars as pl
import pyarrow as pa

from dante.errors import UsageError
from dante.store.home import Home
from dante.store.publish import read_lineage

__all__ = ["Limits", "ask"]

_EVERY: Final = 0.05
# An interrupted query that is not over after so many seconds does not listen.
_GRACE: Final = 3.0
_BATCH: Final = 2048
_MEMORY: Final = Path("/proc/self/statm")


@dataclass(frozen=True)
class Limits:
    """What a question may cost.

    Attributes:
        seconds: until it is stopped.
        rows: of its answer.
        memory: bytes it may work with, and its answer may have.
    """

    seconds: float = 60.0
    rows: int = 1_000_000
    memory: int = 1 << 30


def ask(home: Home, sql: str, limits: Limits, give_up: Callable[[str], NoReturn]) -> pl.DataFrame:
    """The answer to a question about what is published.

    Args:
        home: whose publication; nothing can be written, and no file or network be reached.
        sql: the question.
        limits: what it may cost.
        give_up: called from another thread with a sentence, if the database neither answers nor
            listens (it allocates some lists without counting them); it must end the process.

    Raises:
        UsageError: it is no question, is refused, or costs more than `limits`.
        NotEnoughDataError: nothing is published.
    """
    with (
        read_lineage(home, memory=f"{limits.memory}B") as con,
        _watched(con, limits, give_up) as watch,
    ):
        try:
            return _answer(con.sql(sql), limits)
        except duckdb.Error as error:
            if watch.reason:
                raise UsageError(watch.reason) from None
            said = " ".join(str(error).split())[:300]
            raise UsageError(f"the query was refused: {said}") from None


def _answer(found: duckdb.DuckDBPyRelation | None, limits: Limits) -> pl.DataFrame:
    if found is None:
        raise UsageError("the query gives no rows; ask with SELECT")
    # Two columns of one name are two columns.
    names = [
        f"{name}_{n}" if name in found.columns[:n] else name for n, name in enumerate(found.columns)
    ]
    if any("INTERVAL" in str(kind) for kind in found.types):
        # Polars refuses Arrow's intervals, and takes Python's.
        rows = found.limit(limits.rows + 1).fetchall()
        _bounded(len(rows), 0, limits)
        return pl.DataFrame(rows, schema=names, orient="row")
    reader = found.to_arrow_reader(_BATCH)
    batches, height, size = [], 0, 0
    for batch in reader:
        height, size = height + batch.num_rows, size + batch.nbytes
        _bounded(height, size, limits)
        batches.append(batch)
    table = pa.Table.from_batches(batches, reader.schema).rename_columns(names)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _bounded(rows: int, size: int, limits: Limits) -> None:
    if rows > limits.rows or size > limits.memory:
        raise UsageError(
            f"the answer has more than {limits.rows:,} rows or {limits.memory >> 20} MiB; "
            "add a LIMIT, or take a whole view with `dante export parquet VIEW OUT`"
        )


class _Watch:
    """Why a query was stopped, if it was."""

    reason = ""


@contextmanager
def _watched(
    con: duckdb.DuckDBPyConnection, limits: Limits, give_up: Callable[[str], NoReturn]
) -> Iterator[_Watch]:
    """Interrupt the connection when a limit is passed, and give up if it does not listen."""
    watch, over = _Watch(), threading.Event()
    began, before = time.monotonic(), _resident()

    def work() -> None:
        while not over.wait(_EVERY):
            if time.monotonic() - began > limits.seconds:
                watch.reason = (
                    f"the query was stopped after {limits.seconds:g} s; ask for less, or give it "
                    "more with --timeout"
                )
            elif _resident() - before > 2 * limits.memory:
                watch.reason = f"the query was stopped at {limits.memory >> 19} MiB; ask for less"
            if watch.reason:
                con.interrupt()
                if not over.wait(_GRACE):
                    give_up(watch.reason)
                return

    thread = threading.Thread(target=work, name="dante-watch", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()


def _resident() -> int:
    """Bytes of memory this process holds; 0 where the system does not say."""
    try:
        return int(_MEMORY.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
