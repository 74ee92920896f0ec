"""Rows of flow records, some of which a format's own rule refuses, → packets and refused rows."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from dante.schema import PACKETS, QUARANTINE
from dante.sources.batch import Batch, refuse
from dante.sources.interpret import Rules, interpret
from dante.sources.lines import Dialect, read_block
from dante.sources.text import BLOCK, TextSource, parts, read_pieces

__all__ = [
    "NO_PACKETS",
    "Layout",
    "damage_row",
    "flow_batch",
    "judge",
    "read_flow_lines",
    "told_flags",
]

NO_PACKETS: Final = "no packet: the record counts 0 from the sender"
"""Why a record of no packets is refused."""


@dataclass(frozen=True)
class Layout:
    """How lines of fields become rows.

    Attributes:
        separator: what stands between fields.
        names: the fields' names in order.
        wanted: those that are read, at least one.
        time: the one that holds the time.
        dropped: lines, with their end, that are no records.
        packets: from the wanted fields as text, and `row`, the columns of `interpret` and `reason`.
    """

    separator: str
    names: tuple[str, ...]
    wanted: tuple[str, ...]
    time: str
    dropped: re.Pattern[bytes]
    packets: Callable[[pl.DataFrame], pl.DataFrame]


def judge(table: pl.DataFrame, rule: Rules, raw: Callable[[pl.Series], list[str]]) -> Batch:
    """`interpret`, after the rows with something in the column `reason` are refused for that."""
    lost = table["reason"].is_not_null()
    if not lost.any():
        return interpret(table, rule, raw)
    kept, gone = (~lost).arg_true(), lost.arg_true()
    batch = interpret(table.filter(~lost), rule, lambda at: raw(kept.gather(at)))
    mine = table.filter(lost)
    refused = refuse(rule.times(mine["ts"]).dt.date(), mine["row"], raw(gone), mine["reason"])
    return Batch(batch.packets, pl.concat([batch.refused, refused]).sort("row"))


def damage_row(row: int, reason: str) -> Batch:
    """A place where a file is damaged, as a refused row."""
    refused = pl.DataFrame(
        {"day": [None], "row": [row], "raw": [""], "reason": [reason]}, schema=QUARANTINE
    )
    return Batch(pl.DataFrame(schema=PACKETS), refused)


def told_flags(flags: pl.Expr) -> pl.Expr:
    """Whether packets that have these TCP flags together are all of one kind: asking or answering.

    A SYN and an ACK are taken for an answer: in a darknet nobody gets to follow a SYN by an ACK.
    """
    asks = (flags & 0x02 == 0) | (flags & 0x14 == 0)
    return asks | (flags & 0x2D == 0)


def read_flow_lines(source: TextSource, layout: Layout, rule: Rules, limit: int) -> Iterator[Batch]:
    """Batches of a file of lines, at most `limit` rows each."""
    dialect = Dialect(len(layout.names), layout.separator, None, None)
    blocks = source.blocks(min(BLOCK, max(1 << 16, limit * 64)))
    pieces = (part for block in blocks for part in parts(layout.dropped.sub(b"", block), limit))
    return read_pieces(source, pieces, lambda part: flow_batch(part, dialect, layout, rule))


def flow_batch(lines: bytes, dialect: Dialect, layout: Layout, rule: Rules) -> Batch:
    """The packets and refused rows of some lines, numbered from 1."""
    table = read_block(lines, dialect)
    row = (pl.col("place").cast(pl.UInt64) + 1).alias("row")
    fields = [pl.col(str(layout.names.index(name))).alias(name) for name in layout.wanted]
    places = table.frame["place"]
    batch = judge(
        layout.packets(table.frame.select(row, *fields)),
        rule,
        lambda at: table.text(places.gather(at).to_list(), dialect),
    )
    if not table.odd:
        return batch
    index = layout.names.index(layout.time)
    texts = [odd.fields[index].strip() if index < len(odd.fields) else None for odd in table.odd]
    odd = refuse(
        rule.times(pl.Series("ts", texts, dtype=pl.String)).dt.date(),
        pl.Series([o.place + 1 for o in table.odd], dtype=pl.UInt64),
        table.text([o.place for o in table.odd], dialect),
        pl.Series([o.reason for o in table.odd], dtype=pl.String),
    )
    return Batch(batch.packets, pl.concat([batch.refused, odd]).sort("row"))
