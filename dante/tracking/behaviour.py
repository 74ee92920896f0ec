"""What a cluster does: its port histogram, and how alike two histograms are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.embedding.model import PortModel
from dante.embedding.profiles import rarity

__all__ = ["Behaviour", "cluster_behaviours", "learn", "similarity", "top_word"]

# More words than this say nothing more about a campaign; a full sweep has 65,536.
LONGEST = 256
# Histograms are summed as integers, whose sums do not depend on the order.
_UNIT = 1_000_000_000


@dataclass(frozen=True)
class Behaviour:
    """A port histogram: (k,) sorted uint32 words and (k,) float64 weights that sum to 1."""

    words: NDArray[np.uint32]
    weights: NDArray[np.float64]


def _normalised(words: NDArray[np.uint32], weights: NDArray[np.float64]) -> Behaviour:
    if len(words) > LONGEST:
        keep = np.sort(np.lexsort((words, -weights))[:LONGEST])
        words, weights = words[keep], weights[keep]
    return Behaviour(words, weights / weights.sum())


def cluster_behaviours(senders: pl.DataFrame, members: pl.DataFrame) -> list[Behaviour]:
    """The behaviour of each cluster, by cluster_id.

    Every sender counts alike; within a sender a word counts by the logarithm of its packets.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        members: frame of `dante.clustering.day.CLUSTERED`.
    """
    loud = (pl.col("counts") + 1).log(2)
    used = (
        members.filter(pl.col("cluster_id").is_not_null())
        .select("src", "cluster_id")
        .join(senders.select("src", "words", "counts"), on="src")
        .explode("words", "counts", empty_as_null=False)
        .sort("src", "words")
        .with_columns(share=(loud / loud.sum().over("src") * _UNIT).round().cast(pl.Int64))
        .group_by("cluster_id", "words")
        .agg(pl.col("share").sum())
        .sort("cluster_id", "words")
    )
    return [
        _normalised(part["words"].to_numpy(), part["share"].to_numpy().astype(np.float64))
        for part in used.partition_by("cluster_id", maintain_order=True)
    ]


def learn(old: Behaviour, new: Behaviour, share: float) -> Behaviour:
    """The old behaviour with `share` of the new one mixed in."""
    words = np.union1d(old.words, new.words)
    weights = np.zeros(len(words))
    weights[np.searchsorted(words, old.words)] += (1 - share) * old.weights
    weights[np.searchsorted(words, new.words)] += share * new.weights
    return _normalised(words, weights)


def similarity(
    ours: Sequence[Behaviour],
    theirs: Sequence[Behaviour],
    model: PortModel,
    *,
    everyday_share: float,
) -> NDArray[np.float64]:
    """How alike behaviours are in the eyes of a model, (len(ours), len(theirs)) in 0..1.

    The mean of three: the Bhattacharyya coefficient of the histograms as they are; the same with
    words weighted by how seldom they are used, so that two activities that share only an
    everyday port are not alike; and the cosine of their so weighted vectors in this model (below
    0 counts as 0), so that a port may give way to one of the same trade.
    """
    if not ours or not theirs:
        return np.zeros((len(ours), len(theirs)))
    words = np.unique(np.concatenate([item.words for item in [*ours, *theirs]]))
    weights = rarity(model, words, everyday_share=everyday_share)
    vectors = model.word_vectors(words)
    plain = np.ones(len(words))
    whole = np.sqrt(_weighted(ours, words, plain)) @ np.sqrt(_weighted(theirs, words, plain)).T
    left, right = _weighted(ours, words, weights), _weighted(theirs, words, weights)
    telling = np.sqrt(left) @ np.sqrt(right).T
    cosine = _unit(left @ vectors) @ _unit(right @ vectors).T
    return np.asarray(np.clip((whole + telling + np.maximum(cosine, 0)) / 3, 0, 1))


def _weighted(
    items: Sequence[Behaviour], words: NDArray[np.uint32], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows = np.zeros((len(items), len(words)))
    for row, item in enumerate(items):
        place = np.searchsorted(words, item.words)
        rows[row, place] = item.weights * weights[place]
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def top_word(item: Behaviour, model: PortModel, *, everyday_share: float) -> int:
    """The word that says most about a behaviour: often used by it, seldom by others."""
    said = item.weights * rarity(model, item.words, everyday_share=everyday_share)
    return int(item.words[np.lexsort((item.words, -said))[0]])
