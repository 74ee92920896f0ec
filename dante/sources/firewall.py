"""Packets that a Linux firewall logged: lines of iptables, nftables and UFW in a system log."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.sources.batch import Batch, gather
from dante.sources.csv import names_packets
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, rules
from dante.sources.logged import Repeats, as_text, judge_records
from dante.sources.netfilter import packet_fields
from dante.sources.reading import Reading
from dante.sources.streams import first_bytes
from dante.sources.syslog import begin_with_time, calendar_time, local_zones, read_heads
from dante.sources.text import Lines, TextSource, cut_row, parts, read_lines
from dante.sources.years import Years, first_year
from dante.store.ahead import ahead

__all__ = ["FORMAT", "read_firewall"]

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
    def year() -> int:
        given = reading.year
        return first_year(path, rule.tz, _heads(path)) if given is None else given

    source = TextSource(path)
    years, repeats, row = Years(year), Repeats(), 0
    # Lines are taken apart one block ahead of what depends on the lines before them.
    for lines, records in ahead(_records(source, limit)):
        row += lines.rows
        yield judge_records(_dated(records, years, rule), lines.odd, rule, repeats)
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


def _records(source: TextSource, limit: int) -> Iterator[tuple[Lines, pl.DataFrame]]:
    """The lines of each block, and what can be said of each by itself."""
    row = 0
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 256))):
        for part in parts(as_text(block), min(limit, _LINES)):
            lines = read_lines(part, row)
            row += lines.rows
            named = lines.frame.select("row", raw="line", message="line")
            text = named["message"]
            yield lines, pl.concat([named, read_heads(text), packet_fields(text)], how="horizontal")


def _heads(path: Path) -> Iterator[pl.DataFrame]:
    for block in TextSource(path).blocks(_BLOCK):
        for part in parts(as_text(block), _LINES):
            yield read_heads(read_lines(part).frame["line"])


def _dated(records: pl.DataFrame, years: Years, rule: Rules) -> pl.DataFrame:
    """Records with `ts`, their whole time."""
    given = records.select("time", "month", "day", "clock", years.of(records).cast(pl.String))
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
