"""A day's sequences as a Parquet file: what its clustering, and any later model, needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import DanteError
from dante.labels.tools import RULES_VERSION
from dante.sequences.sentences import DaySequences, typed
from dante.store.home import write_whole

__all__ = ["PROFILES_VERSION", "read_inputs", "read_rows", "read_sequences", "write_sequences"]

PROFILES_VERSION: Final = f"2.{RULES_VERSION}"
"""Other than it was when the same packets make other profiles."""


def write_sequences(sequences: DaySequences, path: Path, *, inputs: str) -> None:
    """Write the sequences of a day as one Parquet file, whole or not at all.

    Args:
        sequences: the day's.
        path: where to.
        inputs: digest of what they were made from, kept in the file.
    """
    with write_whole(path) as temporary:
        sequences.senders.write_parquet(
            temporary,
            compression="zstd",
            metadata={
                "inputs": inputs,
                "packets": str(sequences.packets),
                "backscatter_packets": str(sequences.backscatter_packets),
            },
        )


def read_sequences(path: Path) -> tuple[DaySequences, str]:
    """The sequences written by `write_sequences`, and the digest of what they were made from.

    Raises:
        DanteError: the file is missing or damaged.
    """
    with _reading(path):
        metadata = pl.read_parquet_metadata(path)
        sequences = DaySequences(
            typed(pl.read_parquet(path, glob=False, hive_partitioning=False)),
            packets=int(metadata["packets"]),
            backscatter_packets=int(metadata["backscatter_packets"]),
        )
        return sequences, metadata["inputs"]


def read_inputs(path: Path) -> str:
    """The digest of what sequences were made from.

    Raises:
        DanteError: the file is missing or damaged.
    """
    with _reading(path):
        return pl.read_parquet_metadata(path)["inputs"]


def read_rows(path: Path, src: pl.Series) -> pl.DataFrame:
    """Some senders' rows of a day's sequences, without sentences, by src.

    Raises:
        DanteError: the file is missing or damaged.
    """
    with _reading(path):
        return (
            pl.scan_parquet(path, glob=False, hive_partitioning=False)
            .filter(pl.col("src").is_in(src.implode()))
            .drop("sentence", "counts")
            .collect(engine="in-memory")
        )


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise DanteError(
            f"the profiles {path.parent.name}/{path.name} cannot be read ({error}); delete the "
            "file and run its day again"
        ) from None
