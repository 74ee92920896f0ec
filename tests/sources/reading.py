"""A capture read whole, as plain rows."""

from pathlib import Path
from typing import Any

import polars as pl

from dante.schema import PACKETS
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

Row = tuple[Any, ...]
FIELDS = [name for name in PACKETS if name not in ("sensor", "packets")]


def read(path: Path, data: bytes, limit: int = 1_000_000) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All packets and all refused rows."""
    path = path / "capture"
    path.write_bytes(data)
    batches = list(read_batches(path, Reading(), rows_per_batch=limit))
    assert all(batch.rows <= limit for batch in batches)
    whole = joined(batches)
    return whole.packets, whole.refused


def rows_of(packets: pl.DataFrame) -> list[Row]:
    """Packets as plain tuples, `ts` in µs."""
    return packets.select(pl.col(FIELDS)).with_columns(pl.col("ts").to_physical()).rows()


def merged(packets: pl.DataFrame, refused: pl.DataFrame) -> list[Row]:
    """All rows in the order of the file: packets, and refused rows with their reasons."""
    lost = dict(zip(refused["row"], refused.select("raw", "reason").rows(), strict=True))
    rows = iter(rows_of(packets))
    return [
        lost[at] if at in lost else next(rows)
        for at in range(1, packets.height + refused.height + 1)
    ]
