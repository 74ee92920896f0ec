"""Vectors of a span's senders, for researchers."""

from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from dante.embedding.model import PortModel, load_model
from dante.embedding.profiles import rarity
from dante.errors import NotEnoughDataError, UsageError
from dante.pipeline.context import Context
from dante.pipeline.stages import day_senders, model
from dante.schema import address_text

__all__ = ["span_vectors"]

# A word weighs by the logarithm of how often a sender used it, and no more than this.
_MOST_WEIGHT = 6.0
_NOTHING = 1e-9


def span_vectors(context: Context, first: date, last: date) -> pl.DataFrame:
    """The senders of a span, and each as the average of all its ports' vectors.

    The model is the one that would judge the day after the span: it has seen nothing later.

    Returns:
        src String, packets UInt64, vector List(Float32) of unit length; in order of addresses.

    Raises:
        UsageError: the span ends before it begins.
        NotEnoughDataError: no day of it has packets, or no packet of it has intent.
    """
    if last < first:
        raise UsageError(f"{last} is before {first}; name the first day first")
    days = [day for day in context.days if first <= day <= last]
    if not days:
        raise NotEnoughDataError(
            f"there are no packets from {first} to {last} in {context.home.root}; ingest some"
        )
    used = _used(context, days)
    if not used.height:
        raise NotEnoughDataError(f"nobody but victims' replies was seen from {first} to {last}")
    folder = context.home.models / model(context, last + timedelta(days=1))
    src, vectors = _averages(used, load_model(folder), context.settings.cluster.everyday_share)
    packets = used.group_by("src", maintain_order=True).agg(pl.col("n").sum())["n"]
    return pl.DataFrame({"src": address_text(src), "packets": packets}).with_columns(
        vector=pl.Series(vectors, dtype=pl.Array(pl.Float32, vectors.shape[1])).cast(
            pl.List(pl.Float32)
        )
    )


def _used(context: Context, days: list[date]) -> pl.DataFrame:
    """src, word and n, how many packets of the span each sender sent of it; in this order."""
    summed = pl.DataFrame(schema={"src": pl.UInt64, "word": pl.UInt32, "n": pl.UInt64})
    for day in days:
        today = (
            day_senders(context, day)
            .select("src", "words", "counts")
            .explode("words", "counts", empty_as_null=False)
            .select("src", word="words", n=pl.col("counts").cast(pl.UInt64))
        )
        summed = pl.concat([summed, today]).group_by("src", "word").agg(pl.col("n").sum())
    return summed.sort("src", "word")


def _averages(
    used: pl.DataFrame, ports: PortModel, everyday_share: float
) -> tuple[pl.Series, NDArray[np.float32]]:
    """The senders in order, and their (s, dimensions) unit vectors."""
    words = used["word"].unique().sort().to_numpy()
    weights = rarity(ports, words, everyday_share=everyday_share)
    directions = ports.word_vectors(words) * weights[:, None]
    src = used["src"].unique().sort()
    rows = np.searchsorted(src.to_numpy(), used["src"].to_numpy())
    columns = np.searchsorted(words, used["word"].to_numpy())
    use = np.minimum(1 + np.log2(used["n"].to_numpy()), _MOST_WEIGHT)
    vectors = sparse.csr_array((use, (rows, columns)), shape=(src.len(), len(words))) @ directions
    lengths = np.linalg.norm(vectors, axis=1)
    # Opposite ports may cancel out: then the one that says most speaks for all.
    for row in np.flatnonzero(lengths < _NOTHING):
        mine = columns[rows == row]
        vectors[row] = directions[mine[weights[mine].argmax()]]
        lengths[row] = np.linalg.norm(vectors[row])
    return src, (vectors / lengths[:, None]).astype(np.float32)
