"""A day's packets as one port sequence a sender.

Ports are words and a sender's packets of one day, in order of time, are a sentence (DANTE, arXiv
2003.02575). Replies to forged packets say nothing about their sender's intent and are counted,
not read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from dante.errors import DanteError
from dante.schema import backscatter, packet_count, word_id
from dante.store.home import write_whole

__all__ = ["SENDERS", "DaySequences", "day_sequences", "read_sequences", "write_sequences"]

SENDERS: Final[dict[str, pl.DataType]] = {
    "src": pl.UInt64(),
    "packets": pl.UInt32(),
    "sentence": pl.List(pl.UInt32()),
    "words": pl.List(pl.UInt32()),
    "counts": pl.List(pl.UInt32()),
}

_MOST: Final = 2**32 - 1


@dataclass(frozen=True)
class DaySequences:
    """The senders of one day.

    Attributes:
        senders: frame of `SENDERS`, one row a sender with intent, sorted by src. `sentence` has
            the words in order of time, a run of one word counted once, cut to the longest
            sentence wanted; `words` (sorted) and `counts` have every packet.
        packets: all packets of the day, backscatter included.
        backscatter_packets: replies among them.
    """

    senders: pl.DataFrame
    packets: int
    backscatter_packets: int


def day_sequences(packets: pl.LazyFrame, *, sentence_words: int) -> DaySequences:
    """The sequences of one day's canonical packets.

    Args:
        packets: canonical packets of one day; within one sender and one clock tick the order of
            rows is kept.
        sentence_words: longest sentence kept.
    """
    narrow = (
        packets.select("src", "ts", word_id(), backscatter(), packet_count())
        .collect(engine="in-memory")
        .sort("src", "ts", maintain_order=True)
    )
    intent = narrow.filter(~pl.col("backscatter")).select("src", "word", "packets")
    starts = (pl.col("word") != pl.col("word").shift(1)) | (pl.col("src") != pl.col("src").shift(1))
    sentences = (
        intent.filter(starts.fill_null(True))
        .group_by("src", maintain_order=True)
        .agg(sentence=pl.col("word").head(sentence_words))
    )
    counted = (
        intent.group_by("src", "word")
        .agg(n=_counted("packets"))
        .sort("src", "word")
        .group_by("src", maintain_order=True)
        .agg(packets=_counted("n"), words="word", counts="n")
    )
    senders = counted.join(sentences, on="src", how="left", maintain_order="left")
    everything, meant = (int(frame["packets"].sum()) for frame in (narrow, intent))
    return DaySequences(_typed(senders), everything, everything - meant)


def _counted(name: str) -> pl.Expr:
    # Rows that each stand for billions of packets must not overflow, nor fail, the narrow column.
    return pl.col(name).cast(pl.UInt64).sum().clip(upper_bound=_MOST).cast(pl.UInt32)


def _typed(senders: pl.DataFrame) -> pl.DataFrame:
    return senders.select(pl.col(name).cast(dtype) for name, dtype in SENDERS.items())


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
    try:
        metadata = pl.read_parquet_metadata(path)
        sequences = DaySequences(
            _typed(pl.read_parquet(path, glob=False, hive_partitioning=False)),
            packets=int(metadata["packets"]),
            backscatter_packets=int(metadata["backscatter_packets"]),
        )
        return sequences, metadata["inputs"]
    except (OSError, KeyError, ValueError, pl.exceptions.PolarsError) as error:
        raise DanteError(
            f"the profiles {path.parent.name}/{path.name} cannot be read ({error}); delete the "
            "file and run its day again"
        ) from None
