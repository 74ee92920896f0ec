"""Senders' vectors as Parquet."""

from pathlib import Path
from typing import Final

import polars as pl

from dante.store.home import write_whole

__all__ = ["VECTORS", "write_vectors"]

VECTORS: Final[dict[str, pl.DataType]] = {
    "src": pl.String(),
    "packets": pl.UInt64(),
    "vector": pl.List(pl.Float32()),
}


def write_vectors(vectors: pl.DataFrame, out: Path) -> None:
    """Write a frame that has the columns of `VECTORS`, whole or not at all."""
    with write_whole(out) as path:
        vectors.select(pl.col(name).cast(dtype) for name, dtype in VECTORS.items()).write_parquet(
            path, compression="zstd"
        )
