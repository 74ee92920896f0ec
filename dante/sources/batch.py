"""What every reader yields: packets, and a reason for every row that is none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from dante.schema import QUARANTINE
from dante.store.records import Packed

__all__ = ["MAX_RAW", "Batch", "gather", "refuse"]

MAX_RAW: Final = 4096
"""Characters of a refused row that are kept."""

_MAX_BYTES: Final = 1 << 27
# Rows that are worth what a batch costs by itself, and still fit into a processor's cache.
_ENOUGH: Final = 1 << 14


@dataclass(frozen=True)
class Batch:
    """A run of consecutive rows of one source: `given.height + refused.height` rows were read.

    Attributes:
        given: packets in the order of the file, with exactly the schema `PACKETS`; or the same
            as records, for that is what they are stored as.
        refused: rows in the order of the file, with exactly the schema `QUARANTINE`.
    """

    given: pl.DataFrame | Packed
    refused: pl.DataFrame

    @cached_property
    def packets(self) -> pl.DataFrame:
        """The packets as a frame."""
        return self.given.frame() if isinstance(self.given, Packed) else self.given

    @property
    def rows(self) -> int:
        """How many rows of the source this batch accounts for."""
        return self.given.height + self.refused.height

    def behind(self, rows: int) -> "Batch":
        """The same, numbered as so many rows stand in front of it."""
        if not rows or not self.refused.height:
            return self
        return Batch(self.given, self.refused.with_columns(pl.col("row") + rows))


def refuse(day: pl.Series, row: pl.Series, raw: list[str], reason: pl.Series) -> pl.DataFrame:
    """Quarantine rows from their parts, with `raw` cut to `MAX_RAW` characters."""
    return pl.DataFrame(
        {
            "day": day,
            "row": row,
            "raw": pl.Series([text[:MAX_RAW] for text in raw], dtype=pl.String),
            "reason": reason,
        },
        schema=QUARANTINE,
    )


def gather(batches: Iterable[Batch], limit: int) -> Iterator[Batch]:
    """Join consecutive small batches as long as they hold at most `limit` rows and 128 MiB."""
    held: list[Batch] = []
    rows = size = 0
    for batch in batches:
        if not batch.rows:
            continue
        if not held and batch.rows >= min(_ENOUGH, limit):
            yield batch
            continue
        # Hostile rows are kilobytes each: counted in rows alone, a batch could be gigabytes.
        more = int(batch.packets.estimated_size() + batch.refused.estimated_size())
        if held and (rows + batch.rows > limit or size + more > _MAX_BYTES):
            yield _joined(held)
            held, rows, size = [], 0, 0
        held.append(batch)
        rows += batch.rows
        size += more
    if held:
        yield _joined(held)


def _joined(batches: list[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    return Batch(
        pl.concat([b.packets for b in batches], rechunk=True),
        pl.concat([b.refused for b in batches], rechunk=True),
    )
