"""What a cluster does: its port histogram, and how alike two histograms are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from dante.clustering.histogram import Histogram
from dante.embedding.model import PortModel
from dante.embedding.profiles import rarity

__all__ = ["Behaviour", "behaviour_of", "similarity", "top_word"]


@dataclass(frozen=True)
class Behaviour:
    """A port histogram: (k,) sorted uint32 words and (k,) float64 weights, in any measure."""

    words: NDArray[np.uint32]
    weights: NDArray[np.float64]


def behaviour_of(group: Histogram) -> Behaviour:
    """The ports a group is known by."""
    return Behaviour(group.words.keys.astype(np.uint32), group.words.weights)


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
    said = whole.toarray() + telling.toarray() + np.maximum(cosine, 0)
    return np.asarray(np.clip(said / 3, 0, 1))


def _weighted(
    items: Sequence[Behaviour], words: NDArray[np.uint32], weights: NDArray[np.float64]
) -> sparse.csr_array:
    """Rows that sum to 1: what each item does of each word, by these weights."""
    place = np.searchsorted(words, np.concatenate([item.words for item in items]))
    rows = np.repeat(np.arange(len(items)), [len(item.words) for item in items])
    data = np.concatenate([item.weights for item in items]) * weights[place]
    data /= np.bincount(rows, data, minlength=len(items))[rows]
    return sparse.csr_array((data, (rows, place)), shape=(len(items), len(words)))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))


def top_word(item: Behaviour, model: PortModel, *, everyday_share: float) -> int:
    """The word that says most about a behaviour: often used by it, seldom by others."""
    said = item.weights * rarity(model, item.words, everyday_share=everyday_share)
    return int(item.words[np.lexsort((item.words, -said))[0]])
