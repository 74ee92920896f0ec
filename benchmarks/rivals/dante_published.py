"""DANTE as published: Cohen et al., ESORICS 2020 (arXiv 2003.02575; US patent 11,695,794).

Time is cut into fixed windows that overlap; in each, the ports a sender sends to are a sentence;
Word2Vec learns ports as words; a sentence's vector is the mean of its ports' vectors; a window's
vectors are clustered by DBSCAN (the patent's claim 8); clusters of neighbouring windows that share
members are one.

Left open in what can be read of the paper: the length of windows and their overlap, Word2Vec's
settings and when it is trained, DBSCAN's eps and minPts, how much must be shared, and what becomes
of a cluster that is gone for a while. Chosen in its favour:
- Windows of two days, one day apart. A sentence is a sender's day, so neighbouring windows have a
  whole day of sentences in common, and a campaign that renews all its senders is still followed.
- A word is port and protocol, and the replies to forged packets are left out, as for all.
- Skip-gram, trained anew every day on the last five days up to today (as many as DarkVec's authors
  could run DANTE on), so that today's new ports are known. Vectors of different days need no
  comparing, since members are compared.
- Sentences of one packet count too (DarkVec's authors, when they ran DANTE, left out those of less
  than three ports, which would leave most senders out).
- eps (of unit vectors) and the share are the best found on `hard`, on seeds that are not judged.
- A cluster with no predecessor in the window before is held against all clusters of the last 30
  days by the addresses they had, so that returns on the same senders are found.
"""

import datetime as dt
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.rivals.door import Day, DayAnswer, scans
from benchmarks.rivals.follow import Memory, follow, groups
from benchmarks.rivals.trivial import FEWEST
from benchmarks.rivals.words import unit, word2vec

__all__ = ["Settings", "dante_published"]


@dataclass(frozen=True)
class Settings:
    """What the paper leaves open; see the module.

    `eps` is Euclidean, between unit vectors; `train_days` and `memory` are days; `share` is of the
    smaller cluster's members.
    """

    dimensions: int = 50
    context: int = 5
    epochs: int = 5
    train_days: int = 5
    eps: float = 0.15
    least: int = FEWEST
    share: float = 0.3
    memory: int = 30


def dante_published(days: Iterable[Day], settings: Settings | None = None) -> Iterator[DayAnswer]:
    """Tracks of each day's senders, by clusters of the window that ends with the day."""
    wanted = settings or Settings()
    past: deque[tuple[dt.date, pl.DataFrame]] = deque(maxlen=wanted.train_days)
    memory = Memory()
    for day in days:
        past.append((day.day, _sentences(scans(day.packets))))
        vectors = word2vec(
            [sentence for _, said in past for sentence in said["spoken"].to_list()],
            dimensions=wanted.dimensions, context=wanted.context, epochs=wanted.epochs,
        )  # fmt: skip
        window = [entry for entry in past if (day.day - entry[0]).days <= 1]
        rows = pl.concat(
            [said.with_columns(day=pl.lit(when, dtype=pl.Date)) for when, said in window]
        )
        labels = _clustered(rows["word"].to_list(), vectors, wanted).tolist()
        today = (rows["day"] == day.day).to_list()
        sources = rows["src"].to_list()
        clusters, before = (
            groups(
                [src for src, now in zip(sources, today, strict=True) if now == of_today],
                [label for label, now in zip(labels, today, strict=True) if now == of_today],
            )
            for of_today in (True, False)
        )
        found = follow(
            clusters, memory, day.day, share=wanted.share, days=wanted.memory, before=before
        )
        memory = found.memory
        yield DayAnswer(
            {src: found.tracks[label] for label, members in clusters.items() for src in members}
        )


def _sentences(seen: pl.DataFrame) -> pl.DataFrame:
    """Each sender's `word`s in order of time, and as `spoken`: a word after itself told once.

    A run of one word would only teach that word its own company.
    """
    another = pl.col("word") != pl.col("word").shift(1)
    return seen.group_by("src", maintain_order=True).agg(
        "word", spoken=pl.col("word").filter(another.fill_null(True))
    )


def _clustered(
    sentences: list[list[int]], vectors: dict[int, NDArray[np.float32]], wanted: Settings
) -> NDArray[np.int64]:
    """DBSCAN's label of each sentence, -1 for noise, (n,) int64."""
    from sklearn.cluster import DBSCAN

    if not sentences:
        return np.empty(0, dtype=np.int64)
    means = unit(
        np.stack([np.mean([vectors[word] for word in said], axis=0) for said in sentences])
    )
    # Sentences with one vector are one point of more weight: the same clusters, sooner.
    points, place, weight = np.unique(means, axis=0, return_inverse=True, return_counts=True)
    found = DBSCAN(eps=wanted.eps, min_samples=wanted.least).fit(points, sample_weight=weight)
    return np.asarray(found.labels_[place.ravel()], dtype=np.int64)
