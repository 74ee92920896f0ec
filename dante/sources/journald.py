"""Packets that a Linux firewall logged, as `journalctl -o json` writes the journal.

One JSON object a line. Every value is text, but for a field that holds other bytes than UTF-8
(an array of numbers), that stands in the entry more than once (an array of values) or that is
too long to be shown (null).
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from dante.sources.batch import Batch, gather, refuse
from dante.sources.format import Format, Head
from dante.sources.interpret import Rules, rules
from dante.sources.logged import Repeats, as_text, judge_records
from dante.sources.ndjson import first_objects
from dante.sources.netfilter import packet_fields
from dante.sources.reading import Reading
from dante.sources.text import TextSource, cut_row, parts, read_lines

__all__ = ["FORMAT", "read_journald"]

_BLOCK: Final = 1 << 22
_LINES: Final = 1 << 17  # of lines that are next to empty, a block holds millions
_TIME: Final = "__REALTIME_TIMESTAMP"
_KEYS: Final = (_TIME, "MESSAGE", "_HOSTNAME", "SYSLOG_IDENTIFIER")
_Entry = tuple[str | None, str | None, str | None, str | None]


def read_journald(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a journal's entries, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
    """
    rule = replace(rules(reading), ts_format="epoch_us")
    return gather(_batches(path, rule, rows_per_batch), rows_per_batch)


def _batches(path: Path, rule: Rules, limit: int) -> Iterator[Batch]:
    source = TextSource(path)
    repeats, row = Repeats(), 0
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 1024))):
        for part in parts(as_text(block), min(limit, _LINES)):
            lines = read_lines(part, row)
            row += lines.rows
            records, odd = _records(lines.frame)
            yield judge_records(records, pl.concat([lines.odd, odd]).sort("row"), rule, repeats)
    if source.damage is not None:
        yield cut_row(source, row + 1)


def _records(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The entries as records to judge, and those that are no entries as quarantine rows."""
    entries: list[_Entry] = []
    reasons: list[str | None] = []
    for line in lines["line"].to_list():
        entry, why = _entry(line)
        entries.append(entry)
        reasons.append(why)
    reason = pl.Series("reason", reasons, dtype=pl.String)
    good = reason.is_null()
    frame = pl.DataFrame(
        entries,
        schema=dict.fromkeys(("ts", "message", "sensor", "program"), pl.String),
        orient="row",
    )
    fields = packet_fields(frame["message"])
    records = pl.concat([lines.select("row", raw="line"), frame, fields], how="horizontal")
    bad = lines.filter(~good)
    odd = refuse(
        pl.Series([None], dtype=pl.Date).new_from_index(0, bad.height),
        bad["row"],
        bad["line"].to_list(),
        reason.drop_nulls(),
    )
    return records.filter(good), odd


_NONE: Final[_Entry] = (None, None, None, None)


def _entry(line: str) -> tuple[_Entry, str | None]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):  # also numbers and nesting without end
        return _NONE, "not JSON"
    if not isinstance(entry, dict):
        return _NONE, "not a JSON object"
    time, message, host, program = (_text(entry.get(key)) for key in _KEYS)
    return (time, (message or "").replace("\n", " "), host or None, program or None), None


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        if value and not isinstance(value[0], int):
            value = value[0]  # a field that stands there more than once
        if isinstance(value, list):
            if not all(isinstance(n, int) and 0 <= n <= 255 for n in value):
                return None
            return bytes(value).decode("utf-8", errors="replace")
    if isinstance(value, str):
        # JSON can hold halves of characters, which are no text.
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    return str(value) if isinstance(value, int) else None


def _looks(head: Head) -> bool:
    return any(f'"{_TIME}"' in line for line in first_objects(head)[:2])


FORMAT: Final = Format("journald", _looks, f"JSON objects with {_TIME}", read_journald)
