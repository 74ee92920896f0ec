"""Packets that a Linux firewall logged: lines of iptables, nftables and UFW in a system log."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import PACKETS, QUARANTINE
from dante.sources.batch import Batch, gather
from dante.sources.csv import names_packets
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, rules
from dante.sources.logfronts import FIRST_YEAR, LAST_YEAR, Times, in_years
from dante.sources.logged import Repeats, as_text, judge_records
from dante.sources.loglines import Part, Shapes
from dante.sources.netfilter import packet_fields
from dante.sources.reading import Reading
from dante.sources.streams import first_bytes
from dante.sources.syslog import begin_with_time, calendar_time, local_zones, read_heads
from dante.sources.text import TextSource, cut_row, parts, read_lines
from dante.sources.years import Years, bare_dates, first_year
from dante.store.ahead import side_by_side

__all__ = ["FORMAT", "read_firewall"]

_Ints = npt.NDArray[np.int64]

_BLOCK: Final = 1 << 22
_LINES: Final = 1 << 17  # of lines that are next to empty, a block holds millions


def read_firewall(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a system log with a firewall's lines, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
        ConfigError: its times have no year, and that is neither given nor told by the file's date.
    """
    rule = rules(reading)
    return gather(_batches(path, reading, rule, rows_per_batch), rows_per_batch)


def _batches(path: Path, reading: Reading, rule: Rules, limit: int) -> Iterator[Batch]:
    @cache
    def year() -> int:
        given = reading.year
        return first_year(path, rule.tz, _heads(path)) if given is None else given

    source = TextSource(path)
    years, repeats, row = Years(year), Repeats(), 0
    # A mapping may say that values are written in other ways.
    read = _Reader(rule if reading.mapping is None else None)
    # Lines are taken apart ahead of what depends on the lines before them.
    with closing(side_by_side(read, _pieces(source, limit))) as taken:
        for part, records in taken:
            yield _judged(part, records, row, years, rule, repeats)
            row += part.rows
    if source.damage is not None:
        yield cut_row(source, row + 1)


def _settle(path: Path, reading: Reading) -> Reading:
    """The reading with the year that would be guessed, if the log's start has lines without one."""
    if reading.year is not None:
        return reading
    start = next(_heads(path), None)
    bare = pl.col("time").is_null() & pl.col("month").is_not_null()
    if start is None or not start.select(bare.any()).item():
        return reading
    return replace(reading, year=first_year(path, rules(reading).tz, _heads(path)))


@dataclass(frozen=True)
class _Records:
    """Lines as `judge_records` takes them, with their numbers among all of a part, from 1."""

    frame: pl.DataFrame
    odd: pl.DataFrame


def _pieces(source: TextSource, limit: int) -> Iterator[bytes]:
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 256))):
        yield from parts(as_text(block), min(limit, _LINES))


class _Reader:
    """Takes lines apart, in several threads: each learns the shapes of lines by itself."""

    def __init__(self, rule: Rules | None) -> None:
        self._rule = rule
        self._own = threading.local()

    def __call__(self, piece: bytes) -> tuple[Part, _Records]:
        """Some lines, and what can be said of those that are left by itself."""
        if not hasattr(self._own, "shapes"):
            self._own.shapes = Shapes(self._rule)
        part: Part = self._own.shapes.read(piece)
        text, number = part.lines.text(part.rest), part.number[part.rest]
        return part, _records(text, number) if number.size else _no_records()


@cache
def _no_records() -> _Records:
    return _records(b"", np.zeros(0, dtype=np.int64))


def _records(text: bytes, number: _Ints) -> _Records:
    """Lines as text, none of them blank, by their numbers."""
    lines = read_lines(text)
    named = lines.frame.select("row", raw="line", message="line")
    heads, fields = read_heads(named["message"]), packet_fields(named["message"])
    frame = pl.concat([named, heads, fields], how="horizontal")
    numbers = pl.Series(number.astype(np.uint64))
    return _Records(
        *(one.with_columns(row=numbers.gather(one["row"] - 1)) for one in (frame, lines.odd))
    )


def _judged(
    part: Part, records: _Records, before: int, years: Years, rule: Rules, repeats: Repeats
) -> Batch:
    """The packets and refused rows of a part, `before` rows being in front of it."""
    known = years.last
    read, rest = part.number[part.read], records.frame["row"].to_numpy().astype(np.int64)
    year = _years(read, part.dates, rest, bare_dates(records.frame), years)
    packets = _in_years(part, year[: read.size], rule)
    if packets is None:  # some of those that were read are no times there
        years.last = known
        part = part.unread()
        records = _records(part.lines.text(part.rest), part.number[part.rest])
        return _judged(part, records, before, years, rule, repeats)
    batch = Batch(packets, pl.DataFrame(schema=QUARANTINE))
    if part.rest.size:
        frame = _dated(records.frame, pl.Series(year[read.size :]), rule)
        numbered = pl.col("row") + before
        left = judge_records(
            frame.with_columns(numbered), records.odd.with_columns(numbered), rule, repeats
        )
        batch = _together(packets, read, left, part.number[part.rest], before)
    if read.size and read[-1] == part.rows:
        line, number = part.lines.text(part.read[-1:]), read[-1:]
        repeats.remember(lambda: _records(line, number).frame)
    return batch


def _years(read: _Ints, read_dates: _Ints, rest: _Ints, rest_dates: _Ints, years: Years) -> _Ints:
    """The years of lines that are read and of the rest, given in their common order; 0: none."""
    dates = np.concatenate([read_dates, rest_dates])
    year = np.zeros_like(dates)
    if dates.any():
        order = np.argsort(np.concatenate([read, rest]), kind="stable")
        bare = order[dates[order] > 0]
        year[bare] = years.of_dates(dates[bare])
    return year


def _in_years(part: Part, year: _Ints, rule: Rules) -> pl.DataFrame | None:
    """The packets that are read, each in its year; None if one of them has no time there."""
    bare = part.dates > 0
    if not bare.any():
        return part.packets
    if year[bare].min() < FIRST_YEAR or year[bare].max() > LAST_YEAR:
        return None
    micros = part.packets["ts"].to_physical().to_numpy()
    dated = in_years(Times(micros[bare], part.dates[bare]), year[bare])
    times = rule.times(pl.Series(dated).cast(pl.Datetime("us")))
    if times.null_count():
        return None
    if not bare.all():
        micros = micros.copy()
        micros[bare] = times.to_physical().to_numpy()
        times = pl.Series(micros).cast(PACKETS["ts"])
    return part.packets.with_columns(times.alias("ts"))


def _together(packets: pl.DataFrame, read: _Ints, left: Batch, rest: _Ints, before: int) -> Batch:
    """Packets that are read and those of the rest, in the order of their lines."""
    # A line is a packet or refused: those of the rest that are not refused are its packets.
    lost = left.refused["row"].to_numpy().astype(np.int64) - before
    kept = np.delete(rest, np.searchsorted(rest, lost))
    if not read.size:
        return left
    if not kept.size:
        return Batch(packets, left.refused)
    order = np.argsort(np.concatenate([read, kept]), kind="stable")
    every = pl.concat([packets, left.packets], rechunk=True)
    return Batch(every[pl.Series(order)], left.refused)


def _heads(path: Path) -> Iterator[pl.DataFrame]:
    for block in TextSource(path).blocks(_BLOCK):
        for part in parts(as_text(block), _LINES):
            yield read_heads(read_lines(part).frame["line"])


def _dated(records: pl.DataFrame, year: pl.Series, rule: Rules) -> pl.DataFrame:
    """Records with `ts`, their whole time; `year` is of those that have none."""
    given = records.select("time", "month", "day", "clock", year.cast(pl.String).alias("year"))
    time = given.select(pl.coalesce("time", calendar_time(pl.col("year")))).to_series()
    named = records["zone"].str.contains(r"^[A-Z]{2,6}$").fill_null(False)
    if named.any():
        time = time.zip_with(~named, local_zones(time, rule.tz))
    return records.with_columns(time.alias("ts"))


def _looks(head: Head) -> bool:
    # Not `head.lines`: a crash can leave zero bytes in a log, which is text all the same.
    lines = [line for line in as_text(head.data[:_START]).decode().split("\n") if line.strip()][:20]
    if names_packets(head):
        return False
    if not (any(_UPTIME.match(line) for line in lines) or begin_with_time(lines)):
        return False
    # The firewall may have been silent for the first thousands of lines of a log.
    return bool(_LINE.search(head.data) or _LINE.search(first_bytes(head.path, _DEEP)))


_START: Final = 1 << 14
_DEEP: Final = 1 << 22
_UPTIME: Final = re.compile(r"(?:<[0-9]{1,3}>)?\[ *[0-9]+\.[0-9]+\] ")
_LINE: Final = re.compile(
    rb"IN=[^ \n]{0,64} (?:PHYSIN=[^ \n]{0,64} )?OUT=[^ \n]{0,64} "
    rb"(?:[A-Z]{1,16}=[^ \n]{0,99} ){0,8}?SRC=[0-9A-Fa-f.:]{2,45} DST="
)

FORMAT: Final = Format(
    "firewall",
    _looks,
    "log lines that begin with a time and hold IN=… OUT=… SRC=…",
    read_firewall,
    _settle,
)
