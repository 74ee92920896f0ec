"""Port tf-idf: a sender is a document, its ports are terms; no embedding at all.

There is no one paper; weighted port vectors are the usual baseline of those above (DarkVec calls
its own "baseline", port shares of the commonest ports). Chosen in its favour:
- 1 + log of a sender's packets to a port, times the log of how seldom senders of the last seven
  days use it; unit vectors; all ports, not the commonest only.
- DBSCAN, as for DANTE as published, with the eps that does best on `hard`, on seeds that are not
  judged. HDBSCAN was tried and shatters senders with one and the same vector.
- A better tracker than DANTE's: what shares no members with an older cluster goes on as the one
  whose mean vector is most alike, if alike enough, so that returns on new senders can be found.
  Vectors of different days have the same axes and can be compared.
"""

import datetime as dt
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy import sparse

from benchmarks.rivals.door import Day, DayAnswer, scans
from benchmarks.rivals.follow import groups
from benchmarks.rivals.trivial import FEWEST

__all__ = ["Settings", "tfidf"]

Terms = dict[int, float]


@dataclass(frozen=True)
class Settings:
    """What is chosen: `idf_days` and `memory` are days, `alike` is a cosine of mean vectors."""

    eps: float = 0.85
    least: int = FEWEST
    idf_days: int = 7
    share: float = 0.3
    alike: float = 0.8
    memory: int = 30


@dataclass(frozen=True)
class _Track:
    """What is remembered: when it was last seen, on which addresses, and what they did."""

    last: dt.date
    members: Set[int]
    terms: Terms


def tfidf(days: Iterable[Day], settings: Settings | None = None) -> Iterator[DayAnswer]:
    """Tracks of each day's clusters of port vectors."""
    wanted = settings or Settings()
    past: deque[tuple[Counter[int], int]] = deque(maxlen=wanted.idf_days)
    tracks: dict[int, _Track] = {}
    born = 0
    for day in days:
        counted = scans(day.packets).group_by("src", "word").agg(pl.col("packets").sum())
        counted = counted.sort("src", "word")
        past.append((Counter(counted["word"].to_list()), counted["src"].n_unique()))
        senders, words, matrix = _weighted(counted, past)
        clusters = groups(senders, _dbscan(matrix, wanted))
        place = {src: row for row, src in enumerate(senders)}
        means = {
            label: _mean(matrix[[place[src] for src in sorted(members)]], words)
            for label, members in clusters.items()
        }
        known = {
            track: seen
            for track, seen in tracks.items()
            if (day.day - seen.last).days <= wanted.memory
        }
        ids = _matched(clusters, means, known, wanted)
        for label in sorted(set(clusters) - set(ids)):
            ids[label] = born
            born += 1
        tracks = known | {
            ids[label]: _Track(day.day, members, means[label])
            for label, members in clusters.items()
        }
        yield DayAnswer({src: ids[label] for label, them in clusters.items() for src in them})


def _weighted(
    counted: pl.DataFrame, past: Iterable[tuple[Counter[int], int]]
) -> tuple[list[int], list[int], sparse.csr_array]:
    """The day's senders, its words, and a unit row of weights for each sender."""
    if counted.is_empty():
        return [], [], sparse.csr_array((0, 0))
    used: Counter[int] = Counter()
    for counts, _ in past:
        used.update(counts)
    everyone = sum(senders for _, senders in past)
    senders = counted["src"].unique().sort()
    words = counted["word"].unique().sort()
    idf = np.log((1 + everyone) / (1 + np.array([used[word] for word in words.to_list()]))) + 1
    column = words.search_sorted(counted["word"]).to_numpy()
    row = senders.search_sorted(counted["src"]).to_numpy()
    weight = (1 + np.log(counted["packets"].to_numpy())) * idf[column]
    matrix = sparse.csr_array((weight, (row, column)), shape=(len(senders), len(words)))
    lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    return senders.to_list(), words.to_list(), sparse.csr_array(matrix / lengths[:, None])


def _dbscan(matrix: sparse.csr_array, wanted: Settings) -> list[int]:
    """DBSCAN's label of each row, by Euclidean distance of unit vectors; -1 is noise."""
    from sklearn.cluster import DBSCAN

    if not matrix.shape[0]:
        return []
    cosine = np.clip((matrix @ matrix.T).toarray(), -1, 1)
    distances = np.sqrt(np.round(2 - 2 * cosine, 9))
    found = DBSCAN(eps=wanted.eps, min_samples=wanted.least, metric="precomputed").fit(distances)
    return [int(label) for label in found.labels_]


def _mean(rows: sparse.csr_array, words: list[int]) -> Terms:
    """The mean vector's terms, of length one."""
    mean = np.asarray(rows.sum(axis=0)).ravel()
    mean /= np.linalg.norm(mean)
    return {words[column]: float(mean[column]) for column in np.flatnonzero(mean)}


def _matched(
    clusters: Mapping[int, Set[int]],
    means: Mapping[int, Terms],
    known: Mapping[int, _Track],
    wanted: Settings,
) -> dict[int, int]:
    """The track that each cluster continues: first by members in common, then by likeness."""
    pairs: list[tuple[tuple[int, float], int, int]] = []
    for label, members in clusters.items():
        for track, seen in known.items():
            common = len(members & seen.members)
            if common >= max(3, wanted.share * min(len(members), len(seen.members))):
                union = len(members) + len(seen.members) - common
                pairs.append(((seen.last.toordinal(), common / union), label, track))
            cosine = sum(w * seen.terms.get(word, 0.0) for word, w in means[label].items())
            if cosine >= wanted.alike:
                pairs.append(((0, cosine), label, track))  # after all that share members
    ids: dict[int, int] = {}
    for _, label, track in sorted(pairs, key=lambda pair: (pair[0], -pair[1]), reverse=True):
        if label not in ids and track not in ids.values():
            ids[label] = track
    return ids
