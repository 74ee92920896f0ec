"""NovTrack: Huang, Gioacchini, Mellia, Vassio (arXiv 2405.10545), and its published code.

Senders are embedded by i-DarkVec, updated daily; the day's senders are clustered by HDBSCAN on
cosine distances; MONIC-like transitions say which cluster of yesterday goes on in which of today
(0.6 and 0.35 in the code, 0.65 and 0.3 in the paper); a cluster that follows none is held against
those of the last 15 days and takes up the old id if it has its addresses.

Left open, or contradictory between paper and code, and chosen in its favour:
- It is judged from the first day on, without the 30 days of warming up that its code has.
- Of several old clusters that match, the youngest is taken (the code's loop keeps the oldest).
- Senders not seen for a month are not removed from the model: that only saves memory.
- Sentences longer than what gensim reads go on in a next one instead of being cut off.
- Replies to forged packets are left out, as for all.

`novtrack` has the settings of its code: senders of ten packets or more, context 5, 200 dimensions,
one epoch, clusters of ten. `novtrack-best` has the best found for it on `hard`, on seeds that are
not judged; see `BEST`.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.rivals.door import Day, DayAnswer, scans
from benchmarks.rivals.follow import groups
from benchmarks.rivals.monic import Transitions, transitions
from benchmarks.rivals.senders import SenderModel, sentences_by
from benchmarks.rivals.words import unit

__all__ = ["BEST", "Settings", "novtrack", "novtrack_best"]


@dataclass(frozen=True)
class Settings:
    """NovTrack's, as its code has them; `memory` and `backmatch` are days."""

    least_packets: int = 10
    top_ports: int = 2500
    dimensions: int = 200
    context: int = 5
    epochs: int = 1
    least: int = 10
    epsilon: float = 0.0
    strong: float = 0.6
    loose: float = 0.35
    memory: int = 15
    backmatch: int = 5


BEST = Settings(least_packets=1, dimensions=50, epochs=20, least=5)
"""The best found for it."""


@dataclass(frozen=True)
class _Past:
    """A day's clusters by id, for those after it."""

    day: dt.date
    members: Mapping[int, Set[int]]


def novtrack(days: Iterable[Day], settings: Settings | None = None) -> Iterator[DayAnswer]:
    """Tracks and their events, day by day."""
    wanted = settings or Settings()
    model = SenderModel(
        dimensions=wanted.dimensions, context=wanted.context, epochs=wanted.epochs
    )  # fmt: skip
    past: list[_Past] = []  # the youngest first
    born = 0
    for day in days:
        senders, labels = _clustered(day.packets, model, wanted)
        clusters = groups(senders, labels)
        noise = {src for src, label in zip(senders, labels, strict=True) if label < 0}
        yesterday = past[0] if past and past[0].day == day.day - dt.timedelta(days=1) else None
        became = (
            Transitions()
            if yesterday is None
            else transitions(
                yesterday.members, clusters, noise, strong=wanted.strong, loose=wanted.loose
            )
        )
        ids = {new: old for old, new in became.survived.items()}
        events: list[tuple[int, str, int | None]] = []
        for label in sorted(clusters):
            again = None
            if label not in ids:
                again = _again(clusters[label], past, set(ids.values()), day.day, wanted)
                if again is None:
                    ids[label] = born
                    events.append((born, "birth", None))
                    born += 1
                else:
                    ids[label] = again
                    events.append((again, "recur", None))
            if again is None:
                ids[label] = _corrected(ids, label, clusters[label], past, day.day, wanted)
        for old, parts in became.split.items():
            events += [(ids[new], "split", old) for new in parts if ids[new] != old]
        for old, new in became.absorbed.items():
            if ids[new] != old:
                events.append((old, "merge", ids[new]))
        members = {ids[label]: found for label, found in clusters.items()}
        past = [_Past(day.day, members), *past][: wanted.memory]
        yield DayAnswer({src: track for track, them in members.items() for src in them}, events)


def novtrack_best(days: Iterable[Day]) -> Iterator[DayAnswer]:
    """NovTrack with the best settings found."""
    return novtrack(days, BEST)


def _again(
    members: Set[int], past: list[_Past], alive: Set[int], today: dt.date, wanted: Settings
) -> int | None:
    """The id of a cluster before yesterday that is back: most of its addresses are."""
    for day in past:
        if not 2 <= (today - day.day).days < wanted.memory:
            continue
        for track, them in sorted(day.members.items()):
            if track not in alive and len(members & them) >= wanted.strong * len(them):
                return track
    return None


def _corrected(
    ids: Mapping[int, int],
    label: int,
    members: Set[int],
    past: list[_Past],
    today: dt.date,
    wanted: Settings,
) -> int:
    """The id, or an older one whose cluster of some days ago had most of these members.

    For a cluster that was new only because it was missed for a day or two.
    """
    for day in past:
        if not 2 <= (today - day.day).days < wanted.backmatch or ids[label] in day.members:
            continue
        for track, them in sorted(day.members.items()):
            if track not in ids.values() and len(members & them) >= wanted.strong * len(members):
                return track
    return ids[label]


def _clustered(
    packets: pl.DataFrame, model: SenderModel, wanted: Settings
) -> tuple[list[int], list[int]]:
    """The day's senders that send enough, and their labels (-1: noise)."""
    seen = scans(packets).filter(pl.col("packets").sum().over("src") >= wanted.least_packets)
    if seen.is_empty():
        return [], []
    ranked = seen.group_by("word").len().sort("len", "word", descending=[True, False])
    top = ranked.head(wanted.top_ports)["word"]
    service = pl.when(pl.col("word").is_in(top.implode())).then("word").alias("service")
    model.learn(sentences_by(seen.select("src", "ts", service.fill_null(0)), "service"))
    senders = seen["src"].unique().sort().to_list()
    return senders, _hdbscan(unit(model.vectors(senders)), wanted).tolist()


def _hdbscan(points: NDArray[np.float64], wanted: Settings) -> NDArray[np.int64]:
    """HDBSCAN's label of each unit vector, on cosine distances, (n,) int64."""
    import hdbscan

    if len(points) <= wanted.least:
        return np.full(len(points), -1)
    distances = np.clip(1 - points @ points.T, 0, 2)
    found = hdbscan.HDBSCAN(
        min_cluster_size=wanted.least,
        cluster_selection_epsilon=wanted.epsilon,
        metric="precomputed",
    ).fit(distances)
    return np.asarray(found.labels_, dtype=np.int64)
