"""Cowrie's JSON log: each connection is a SYN to the port that Cowrie listened on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.schema import TCP
from dante.sources.batch import Batch, gather
from dante.sources.format import Format, Head
from dante.sources.interpret import rules
from dante.sources.ndjson import Keys, first_objects, read_objects
from dante.sources.reading import Reading

__all__ = ["FORMAT", "read_cowrie"]

_KEYS: Final[Keys] = dict.fromkeys(
    ("eventid", "timestamp", "src_ip", "src_port", "dst_ip", "dst_port", "sensor")
)
_CONNECT: Final = "cowrie.session.connect"
_SYN: Final = 0x02


def read_cowrie(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a Cowrie log, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    return gather(read_objects(path, _KEYS, _packets, rule, rows_per_batch), rows_per_batch)


def _packets(table: pl.DataFrame) -> pl.DataFrame:
    event = pl.col("eventid")
    return table.select(
        "row",
        ts="timestamp",
        src="src_ip",
        dst="dst_ip",
        sensor="sensor",
        proto=pl.lit(TCP, dtype=pl.UInt8),
        dport="dst_port",
        sport="src_port",
        # Who is connected sent one, and nothing is known of what else it sent.
        tcp_flags=pl.lit(_SYN, dtype=pl.UInt8),
        reason=pl.when(event.is_null())
        .then(pl.lit("not a connection: no eventid"))
        .when(event != _CONNECT)
        .then(
            pl.format("not a connection: {}", event.str.slice(0, 60).str.replace_all(r"\p{C}", "?"))
        ),
    )


def _looks(head: Head) -> bool:
    return any('"eventid"' in line and '"cowrie.' in line for line in first_objects(head)[:2])


FORMAT: Final = Format("cowrie", _looks, "JSON objects with an eventid cowrie.…", read_cowrie)
