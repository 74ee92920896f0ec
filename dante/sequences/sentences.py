"""A day's packets as one port sequence a sender.

Ports are words and a sender's packets of one day, in order of time, are a sentence (DANTE, arXiv
2003.02575). Replies to forged packets say nothing about their sender's intent and are counted,
not read.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from dante.schema import backscatter, packet_count, word_id
from dante.sequences.traits import TRAIT_INPUTS, TRAITS, day_traits

__all__ = ["SENDERS", "DaySequences", "day_sequences", "typed"]

SENDERS: Final[dict[str, pl.DataType]] = {
    "src": pl.UInt64(),
    "packets": pl.UInt32(),
    "sentence": pl.List(pl.UInt32()),
    "words": pl.List(pl.UInt32()),
    "counts": pl.List(pl.UInt32()),
    **TRAITS,
}

_MOST: Final = 2**32 - 1


@dataclass(frozen=True)
class DaySequences:
    """The senders of one day.

    Attributes:
        senders: frame of `SENDERS`, one row a sender with intent, sorted by src. `sentence` has
            the words in order of time, a run of one word counted once, cut to the longest
            sentence wanted; `words` (sorted) and `counts` have every packet; then its traits.
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
        packets.select(
            "src", "ts", "proto", *TRAIT_INPUTS, word_id(), backscatter(), packet_count()
        )
        .collect(engine="in-memory")
        .sort("src", "ts", maintain_order=True)
    )
    intent = narrow.filter(~pl.col("backscatter"))
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
    senders = counted.join(sentences, on="src", how="left", maintain_order="left").join(
        day_traits(intent), on="src", how="left", maintain_order="left"
    )
    everything, meant = (int(frame["packets"].sum()) for frame in (narrow, intent))
    return DaySequences(typed(senders), everything, everything - meant)


def _counted(name: str) -> pl.Expr:
    # Rows that each stand for billions of packets must not overflow, nor fail, the narrow column.
    return pl.col(name).cast(pl.UInt64).sum().clip(upper_bound=_MOST).cast(pl.UInt32)


def typed(senders: pl.DataFrame) -> pl.DataFrame:
    """The columns of `SENDERS`, in order and of their types."""
    return senders.select(pl.col(name).cast(dtype) for name, dtype in SENDERS.items())
