"""What a file gives in all, however it was handed over; and the simplest file there is."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from dante.schema import PACKETS, QUARANTINE
from dante.sources import Batch, Reading, read_batches

HEADER = "ts,src,proto,dport,ttl\n"
GOOD = "2025-03-01T10:00:00Z,203.0.113.7,tcp,23,64\n"


def joined(batches: Sequence[Batch]) -> Batch:
    """All packets and all refused rows."""
    return Batch(
        pl.concat([pl.DataFrame(schema=PACKETS), *(batch.packets for batch in batches)]),
        pl.concat([pl.DataFrame(schema=QUARANTINE), *(batch.refused for batch in batches)]),
    )


def read_file(path: Path, reading: Reading | None = None, rows_per_batch: int = 1_000_000) -> Batch:
    """All of a file."""
    return joined(list(read_batches(path, reading, rows_per_batch=rows_per_batch)))


def read_text(
    folder: Path, text: str | bytes, reading: Reading | None = None, rows_per_batch: int = 1_000_000
) -> Batch:
    """All of a file of this text."""
    path = folder / "source"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_file(path, reading, rows_per_batch)
