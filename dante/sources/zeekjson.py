"""Zeek's conn.log as JSON: an object a line, of connections or of several logs together."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from dante.sources.batch import Batch, gather
from dante.sources.format import Format, Head
from dante.sources.interpret import rules
from dante.sources.ndjson import Keys, first_objects, read_objects
from dante.sources.reading import Reading
from dante.sources.zeekrecords import FIELDS, conn_packets

__all__ = ["FORMAT", "read_zeek_json"]

_KEYS: Final[Keys] = {**dict.fromkeys(FIELDS), "conn_state": None}


def read_zeek_json(path: Path, reading: Reading, *, rows_per_batch: int) -> Iterator[Batch]:
    """Batches of a conn.log of objects, at most `rows_per_batch` rows each.

    Raises:
        SourceError: the file is empty or damaged before its first line.
        ConfigError: the reading's zone is unknown.
    """
    rule = rules(replace(reading, mapping=None))
    return gather(read_objects(path, _KEYS, _packets, rule, rows_per_batch), rows_per_batch)


def _packets(table: pl.DataFrame) -> pl.DataFrame:
    log = pl.col("_path")
    other = (
        pl.when(log.is_not_null() & (log != "conn"))
        .then(pl.format("not a log of connections, but of {}", log.str.slice(0, 40)))
        .when(log.is_null() & pl.col("conn_state").is_null())
        .then(pl.lit("not a record of a connection: it has no conn_state"))
    )
    return conn_packets(table).with_columns(
        reason=pl.coalesce(table.select(other.alias("other"))["other"], "reason")
    )


def _looks(head: Head) -> bool:
    lines = first_objects(head)
    begins = any('"ts"' in line for line in lines[:2])
    return begins and any('"id.orig_h"' in line and '"conn_state"' in line for line in lines)


FORMAT: Final = Format(
    "zeek-json", _looks, "JSON objects with id.orig_h and conn_state", read_zeek_json
)
