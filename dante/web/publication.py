"""The published database, held open for many requests, and opened anew when it is replaced.

DuckDB shares one database among all connections of a process that name the same file, so a
second connection would still see the old publication: all of them have to be closed before the
new one can be opened. Requests are short and bounded, so the one that finds the file replaced
waits for the others to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, TypeVar

import duckdb
import polars as pl

from dante.errors import BusyError, DanteError, NotEnoughDataError
from dante.store.home import Home
from dante.store.publish import PUBLISHED, read_lineage
from dante.web.faults import TooLongError

__all__ = ["Publication", "Reader"]

_T = TypeVar("_T")
_MEMORY: Final = "1GB"
_SECONDS: Final = 10.0
_EVERY: Final = 1.0
_AT_ONCE: Final = 4
"""Questions answered at the same time: more would only wait for each other."""


@dataclass(frozen=True)
class Reader:
    """What one request asks the publication with; not to be kept after the request.

    Attributes:
        con: a read-only connection of its own.
        stamp: names this publication among all.
        published: when it was made, UTC.
        kept: answers that took long to work out, for the next who asks the same of it.
    """

    con: duckdb.DuckDBPyConnection
    stamp: str
    published: datetime
    kept: dict[tuple[str, date], Any]

    def rows(self, kind: type[_T], sql: str, *parameters: object, **named: object) -> list[_T]:
        """The rows of a query, each as a `kind` that takes the query's columns by name."""
        found = self.con.execute(sql, named or list(parameters))
        names = [column[0] for column in found.description or []]
        return [kind(**dict(zip(names, row, strict=True))) for row in found.fetchall()]

    def frame(self, sql: str, *parameters: object, **named: object) -> pl.DataFrame:
        """The rows of a query as a frame."""
        frame: pl.DataFrame = self.con.sql(sql, params=named or list(parameters)).pl()
        return frame

    def one(self, sql: str, *parameters: object) -> Any:
        """The first value of a query's first row; None where there is no row."""
        # All rows are fetched: a connection with an unfinished result takes no other question.
        rows = self.con.execute(sql, list(parameters)).fetchall()
        return rows[0][0] if rows else None


@dataclass(frozen=True)
class _Opened:
    con: duckdb.DuckDBPyConnection
    stamp: str
    published: datetime
    kept: dict[tuple[str, date], Any]


class Publication:
    """The publication of a home as it is now, for any number of threads."""

    def __init__(self, home: Home, *, seconds: float = _SECONDS) -> None:
        """Of `home`; a question may take so many `seconds`. Nothing is opened yet."""
        self.home = home
        self._seconds = seconds
        self._changed = threading.Condition()
        self._opened: _Opened | None = None
        self._readers = 0

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """A reader of the newest publication, for the length of one request.

        Raises:
            NotEnoughDataError: nothing is published yet.
            TooLongError: the block's questions took too long and were stopped.
            BusyError: other requests were in the way for too long.
            DanteError: the publication cannot be read.
        """
        opened = self._enter()
        try:
            con = opened.con.cursor()
            watch = threading.Timer(self._seconds, con.interrupt)
            watch.daemon = True
            watch.start()
            try:
                yield Reader(con, opened.stamp, opened.published, opened.kept)
            except duckdb.InterruptException:
                raise TooLongError(
                    f"the answer took more than {self._seconds:g} seconds and was given up; "
                    "ask for less"
                ) from None
            except duckdb.Error as error:
                raise DanteError(
                    f"{self.home.lineage.name} is damaged or not ours "
                    f"({str(error).splitlines()[0][:200]}); delete it and run `dante backfill`, "
                    "which publishes it anew"
                ) from None
            finally:
                watch.cancel()
                con.close()
        finally:
            self._leave()

    def stamp(self) -> str:
        """What names the publication there is now, without opening it.

        Raises:
            NotEnoughDataError: there is none.
        """
        try:
            stat = self.home.lineage.stat()
        except FileNotFoundError:
            raise NotEnoughDataError(
                "nothing is published in this home yet; ingest packets and run `dante backfill`"
            ) from None
        return f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"

    @property
    def opened(self) -> str | None:
        """What names the publication that is held open; None while none is."""
        opened = self._opened
        return None if opened is None else opened.stamp

    def follow(self, warm: Callable[[Reader], object], over: threading.Event) -> None:
        """Open each new publication and `warm` it before anybody asks, until it is `over`.

        So nobody waits for the first reading of a large file, and the old one, which is deleted
        by now but takes its room until it is closed, is let go of.
        """
        while not over.wait(_EVERY):
            with suppress(DanteError):  # whoever asks is told
                if self.stamp() != self.opened:
                    with self.reading() as reader:
                        warm(reader)

    def close(self) -> None:
        """Let go of the file once no request is reading it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._readers, timeout=self._seconds)
            self._shut()

    def _enter(self) -> _Opened:
        with self._changed:
            if not self._changed.wait_for(self._free, timeout=2 * self._seconds):
                raise BusyError("the server is busy; try again in a moment")
            stamp = self.stamp()
            if self._opened is None or self._opened.stamp != stamp:
                self._shut()
                self._opened = self._open(stamp)
            self._readers += 1
            return self._opened

    def _free(self) -> bool:
        """Whether one more may read: there is room, and nobody still reads an older one."""
        if not self._readers:
            return True
        current = self._opened is not None and self._opened.stamp == self.stamp()
        return current and self._readers < _AT_ONCE

    def _leave(self) -> None:
        with self._changed:
            self._readers -= 1
            self._changed.notify_all()

    def _shut(self) -> None:
        if self._opened is not None:
            self._opened.con.close()
            self._opened = None

    def _open(self, stamp: str) -> _Opened:
        con = read_lineage(self.home, memory=_MEMORY)
        try:
            rows = con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            if missing := [table for table in PUBLISHED if (table,) not in rows]:
                raise DanteError(
                    f"{self.home.lineage.name} was published by another version of DANTE: it has "
                    f"no {missing[0]}; delete it and run `dante backfill`, which publishes it anew"
                )
        except BaseException:
            con.close()
            raise
        published = datetime.fromtimestamp(self.home.lineage.stat().st_mtime, UTC)
        return _Opened(con, stamp, published.replace(microsecond=0), {})
