"""Distinct profiles of a day's senders, and their vectors.

Half a million senders have some thousand distinct profiles, once the words are left out that
fewer senders use than a cluster needs (they cannot make one). A sender's vector is the average of
its words' vectors (DANTE), each weighted by how seldom it is used (smooth inverse frequency,
Arora, Liang, Ma: "A simple but tough-to-beat baseline for sentence embeddings", ICLR 2017) and
by the logarithm of how often this sender used it: 58 senders that try 8000/tcp beside everyday
1433/tcp lie together, and away from those that try 1433/tcp alone. Where the source has headers,
those that come from another tool or system lie apart although their ports are the same.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import sparse

from dante.embedding.model import PortModel

__all__ = ["HEADER", "Profiles", "day_profiles", "embed_profiles", "rarity"]

HEADER: Final = ("tool", "ttl", "tcp_length")
"""Traits (`dante.sequences.TRAITS`) by which profiles of the same ports are told apart: those
that a tool or system always writes alike."""

# Counts are told apart by powers of two, and no word outweighs another by more than this.
_STEPS = 6
# Shorter than this a sum of weighted unit vectors is rounding.
_NOTHING = 1e-9
# After three rounds two words of which half the senders use both are 0.98 alike.
_ROUNDS = 3


@dataclass(frozen=True)
class Profiles:
    """The distinct profiles of a day.

    Attributes:
        words: (w,) uint32, sorted: the words that matter.
        use: (p, w) sparse float64: how strongly each profile uses each word, 1 the weakest.
        header: (p, h) float64: a place for each value of each of `HEADER`, 1/√3 where the profile
            has it; without columns where the source has no headers.
        senders: (p,) int64: how many senders have the profile.
        src: (s,) uint64: the senders that have one, sorted.
        profile: (s,) int64: the profile of each.
    """

    words: NDArray[np.uint32]
    use: sparse.csr_array
    header: NDArray[np.float64]
    senders: NDArray[np.int64]
    src: NDArray[np.uint64]
    profile: NDArray[np.int64]


def day_profiles(senders: pl.DataFrame, *, min_senders: int) -> Profiles:
    """The distinct profiles of a day's senders.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        min_senders: words that fewer senders use are left out; a sender left without words has
            no profile.
    """
    used = senders.select("src", "words", "counts").explode("words", "counts", empty_as_null=False)
    matter = (
        used.group_by("words").agg(n=pl.len()).filter(pl.col("n") >= min_senders)["words"].sort()
    )
    # Relative to the sender's least used word: doubling all its packets changes nothing.
    step = pl.col("counts").log(2).floor().cast(pl.Int64)
    used = (
        used.filter(pl.col("words").is_in(matter.implode()))
        .with_columns(step=step)
        .with_columns(
            use=(pl.col("step") - pl.col("step").min().over("src")).clip(0, _STEPS - 1) + 1
        )
    )
    kept = (
        used.sort("src", "words")
        .group_by("src", maintain_order=True)
        .agg("words", pl.col("use").cast(pl.UInt32))
        .join(senders.select("src", *HEADER), on="src", how="left", maintain_order="left")
    )
    distinct = (
        kept.group_by("words", "use", *HEADER)
        .agg(n=pl.len(), first=pl.col("src").min())
        .sort("first")
        .with_row_index("profile")
    )
    rows = kept.join(
        distinct.select("words", "use", *HEADER, "profile"),
        on=["words", "use", *HEADER],
        how="left",
        maintain_order="left",
        nulls_equal=True,
    )
    words = matter.cast(pl.UInt32).to_numpy()
    lengths = distinct["words"].list.len().to_numpy()
    columns = np.searchsorted(words, distinct["words"].explode(empty_as_null=False).to_numpy())
    use = sparse.csr_array(
        (
            distinct["use"].explode(empty_as_null=False).to_numpy().astype(np.float64),
            columns,
            np.concatenate([[0], np.cumsum(lengths)]),
        ),
        shape=(distinct.height, len(words)),
    )
    return Profiles(
        words=words,
        use=use,
        header=_header(distinct),
        senders=distinct["n"].to_numpy().astype(np.int64),
        src=rows["src"].to_numpy(),
        profile=rows["profile"].to_numpy().astype(np.int64),
    )


def _header(distinct: pl.DataFrame) -> NDArray[np.float64]:
    columns = [
        (distinct[name] == value).fill_null(False).to_numpy() / np.sqrt(len(HEADER))
        for name in HEADER
        for value in distinct[name].drop_nulls().unique().sort().to_list()
    ]
    return np.column_stack(columns) if columns else np.empty((distinct.height, 0))


def rarity(
    model: PortModel, words: NDArray[np.uint32], *, everyday_share: float
) -> NDArray[np.float64]:
    """How much each word says, (len(words),) in 0..1: 1 never seen, 0.5 at `everyday_share`."""
    return np.asarray(everyday_share / (everyday_share + model.share(words)), dtype=np.float64)


def _by_company(
    profiles: Profiles, model: PortModel, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Unit vectors of the day's words, (w, dimensions) float64.

    A word the model has not learnt starts from its own direction and moves towards the words that
    its senders also use today, seldom words drawing more: the ports of a campaign born today come
    to lie together before any model has seen them.
    """
    vectors = model.word_vectors(profiles.words)
    new = np.flatnonzero(~model.learnt(profiles.words))
    if not len(new):
        return vectors
    used = sparse.csc_array((profiles.use > 0).astype(np.float64))
    ours = used[:, new]
    # Senders that use both a new word and another, drawing by how seldom the other is.
    draw = (ours.T @ sparse.diags_array(profiles.senders.astype(np.float64)) @ used).tocsr()
    draw = draw @ sparse.diags_array(weights)
    for _ in range(_ROUNDS):
        moved = draw @ vectors
        vectors[new] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return vectors


def embed_profiles(
    profiles: Profiles, model: PortModel, *, everyday_share: float, header_weight: float
) -> NDArray[np.float64]:
    """Vectors of profiles, (p, dimensions + h) float64, of length 1 where all headers are known.

    Args:
        profiles: the day's.
        model: of its ports.
        everyday_share: a word this share of senders use counts half.
        header_weight: what part of the squared length is the header's. Where no profile has any
            header, vectors are those of the ports alone.
    """
    ports = _embed_ports(profiles, model, everyday_share=everyday_share)
    if not profiles.header.shape[1]:
        return ports
    return np.hstack([np.sqrt(1 - header_weight) * ports, np.sqrt(header_weight) * profiles.header])


def _embed_ports(
    profiles: Profiles, model: PortModel, *, everyday_share: float
) -> NDArray[np.float64]:
    weights = rarity(model, profiles.words, everyday_share=everyday_share)
    directions = _by_company(profiles, model, weights) * weights[:, None]
    vectors = profiles.use @ directions
    lengths = np.linalg.norm(vectors, axis=1)
    # Opposite words may cancel out: then the one that says most speaks for all.
    for row in np.flatnonzero(lengths < _NOTHING):
        said = profiles.use[[row]].toarray()[0] * weights
        vectors[row] = directions[int(said.argmax())]
        lengths[row] = np.linalg.norm(vectors[row])
    return np.asarray(vectors / lengths[:, None])
