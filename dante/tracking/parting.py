"""Which tracks of a day are parted, and what each part has shown before.

A track is looked at when its senders are in several clusters or use ports it was not known by, and
once a week in any case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering.evidence import COUNTED, Evidence, evidence_of
from dante.clustering.histogram import Counts, Histogram, counts_on, histogram, mixed, scaled
from dante.clustering.mixture import told_apart
from dante.config import Settings
from dante.embedding import PortModel
from dante.sequences import SENDERS
from dante.tracking.assign import Assigned
from dante.tracking.behaviour import behaviour_of
from dante.tracking.match import Overlap, probabilities
from dante.tracking.parts import Company, Parts, company_of, find_parts
from dante.tracking.shapes import is_sweep
from dante.tracking.track import Memory, Track

__all__ = ["EARLIER", "WINDOW", "Earlier", "Parted", "nothing_earlier", "part_tracks"]

EARLIER: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    **{name: SENDERS[name] for name in ("src", "words", "hours", *COUNTED)},
}
"""What is read of the days before: one row a sender and day."""

Earlier = Callable[[pl.Series], pl.DataFrame]
"""The rows (`EARLIER`) of some senders, by src, on the `WINDOW` - 1 days before."""

_WINDOWS: Final = (1, 3, 7)  # days, today the last, that are looked at together
WINDOW: Final = max(_WINDOWS)
"""Days, today with them, that say whether a track is two."""

_SAMPLE: Final = 2048  # senders of a track that decide whether it is looked at closer
_FIRST: Final = 3  # days a track is known before it is looked at
_KNOWN: Final = 2.5  # what memory holds of a word used alike for three days, in its users of a day
_SOME: Final = 0.02  # the share of a track's senders that makes a word new to it
_HALF: Final = 0.5  # of its senders of today: a part that had less a day before was not there
_IS: Final = 0.5  # how probably a part is another track that it goes there


def nothing_earlier(src: pl.Series) -> pl.DataFrame:
    """The rows where nothing is kept of earlier days: no track is parted then."""
    return pl.DataFrame(schema=EARLIER)


@dataclass(frozen=True)
class Parted:
    """A part of a track that is a track of its own from today on, or one that slept.

    Attributes:
        parent: position of the track it was in.
        track: position of the track asleep that it is, -1 for none.
        mine, theirs: what it and the rest showed on the days before; None for nothing.
        new: whether most of its senders were not seen in the track before, and it had not half as
            many on the days before.
    """

    parent: int
    track: int
    mine: Histogram | None
    theirs: Histogram | None
    new: bool


@dataclass(frozen=True)
class _Ground:
    """What all tracks of a day are parted by."""

    day: date
    senders: pl.DataFrame
    evidence: Evidence
    labels: NDArray[np.int64]
    memory: Memory
    model: PortModel
    settings: Settings

    @property
    def least(self) -> int:
        return self.settings.cluster.min_senders


def part_tracks(
    day: date,
    senders: pl.DataFrame,
    evidence: Evidence,
    labels: NDArray[np.int64],
    assigned: Assigned,
    memory: Memory,
    model: PortModel,
    earlier: Earlier,
    settings: Settings,
) -> tuple[Assigned, dict[int, Parted]]:
    """The day's activities after tracks that are two actors were parted.

    A part that is another track of today goes there; one that is a track asleep is its return; any
    other begins a track.

    Args:
        day: the day.
        senders: its frame of `dante.sequences.SENDERS`, the rows of `evidence`.
        evidence: the day's senders.
        labels: (n,) their clusters, -1 for noise.
        assigned: the day's activities.
        memory: what was known before.
        model: the day's.
        earlier: what senders did before.
        settings: of all.

    Returns:
        The activities, with one at the end for each new part; and those parts by activity.
    """
    ground = _Ground(day, senders, evidence, labels, memory, model, settings)
    due = _due(ground, assigned)
    if not due:
        return assigned, {}
    known = _known(ground, [memory.tracks[int(assigned.tracks[a])].track_id for a in due])
    companies = [
        np.union1d(evidence.src[assigned.labels == activity], before)
        for activity, before in zip(due, known, strict=True)
    ]
    samples = [company[:: -(-len(company) // _SAMPLE)] for company in companies]
    old = np.intersect1d(np.concatenate(samples), np.concatenate(known))
    past = earlier(pl.Series("src", old, pl.UInt64)).sort("src", "day")
    now = assigned.labels.copy()
    parted: dict[int, Parted] = {}
    place = {column: a for a, column in enumerate(assigned.tracks.tolist()) if column >= 0}
    asleep = [c for c, track in enumerate(memory.tracks) if track.state == "asleep"]
    candidates = sorted({*place, *asleep})
    for activity, before, company, sample in zip(due, known, companies, samples, strict=True):
        parent = int(assigned.tracks[activity])
        rows = _rows(ground, past, sample, before, now, activity)
        other = _other(ground, rows, [])
        if other is not None and len(sample) < len(company):
            everybody = earlier(pl.Series("src", before, pl.UInt64)).sort("src", "day")
            rows = _rows(ground, everybody, company, before, now, activity)
            other = _other(ground, rows, [other])
        if other is None:
            continue
        mine = np.flatnonzero(now == activity)
        earlier_rows = rows.filter(pl.col("day") < day)
        left = _leaving(evidence.src[mine], earlier_rows, other, ground.least)
        if left is None:
            continue
        leaves = np.zeros(evidence.n, dtype=np.bool_)
        leaves[mine] = left.now
        track = _track_of(ground, leaves, [c for c in candidates if c != parent])
        if track in place:
            now[leaves] = place[track]
            continue
        # Who comes from other tracks makes no new one: it is a merge, or a mistake of today.
        if 2 * np.isin(evidence.src[leaves], _elsewhere(ground, parent)).sum() >= leaves.sum():
            continue
        fresh = len(assigned.tracks) + len(parted)
        now[leaves] = fresh
        if track >= 0:
            place[track] = fresh
        unseen = leaves.sum() - np.isin(evidence.src[leaves], before).sum()
        parted[fresh] = Parted(
            parent=parent,
            track=track,
            mine=_shown(earlier_rows.filter(left.before), settings.track.keep),
            theirs=_shown(earlier_rows.filter(~left.before), settings.track.keep),
            new=bool(2 * unseen > leaves.sum() and left.fresh),
        )
    tracks = [part.track for part in parted.values()]
    added = replace(
        assigned,
        tracks=np.append(assigned.tracks, np.array(tracks, dtype=np.int64)),
        clusters=np.append(assigned.clusters, np.full(len(tracks), -1, dtype=np.int64)),
        labels=now,
    )
    return added, parted


def _due(ground: _Ground, assigned: Assigned) -> list[int]:
    """Activities that are looked at today."""
    due = []
    for activity, column in enumerate(assigned.tracks.tolist()):
        mine = assigned.labels == activity
        if column < 0 or mine.sum() < 2 * ground.least:
            continue
        track = ground.memory.tracks[column]
        if is_sweep(behaviour_of(track.shown)):
            continue
        clusters = ground.labels[mine]
        several = (np.bincount(clusters[clusters >= 0]) >= ground.least).sum() > 1
        age = track.days_active + 1 - _FIRST
        if several or (age >= 0 and (age % WINDOW == 0 or _changed(ground, mine, track))):
            due.append(activity)
    return due


def _changed(ground: _Ground, mine: NDArray[np.bool_], track: Track) -> bool:
    """Whether senders of a track use words it has not been known by for some days."""
    evidence = ground.evidence
    users = np.asarray(evidence.uses[mine].sum(axis=0)).ravel()
    often = np.flatnonzero(users >= max(ground.least, _SOME * mine.sum()))
    words = evidence.words[often].astype(np.uint64)
    known = counts_on(words, [track.shown], lambda group: Counts(group.words.keys, group.users))
    return bool((known.toarray()[0] < _KNOWN * users[often]).any())


def _known(ground: _Ground, track_ids: list[int]) -> list[NDArray[np.uint64]]:
    """Senders that were of each track when they were last of any, in the days looked at."""
    lately = ground.memory.newest.filter(
        (pl.lit(ground.day) - pl.col("last_day")).dt.total_days() < WINDOW,
        pl.col("track_id").is_in(track_ids),
    )
    by_track = lately.partition_by("track_id", as_dict=True)
    nobody = lately.clear()
    return [by_track.get((each,), nobody)["src"].to_numpy() for each in track_ids]


def _elsewhere(ground: _Ground, track: int) -> NDArray[np.uint64]:
    """Senders that were last of other tracks than the one at this position."""
    track_id = ground.memory.tracks[track].track_id
    return ground.memory.newest.filter(pl.col("track_id") != track_id)["src"].to_numpy()


def _rows(
    ground: _Ground,
    past: pl.DataFrame,
    company: NDArray[np.uint64],
    before: NDArray[np.uint64],
    now: NDArray[np.int64],
    activity: int,
) -> pl.DataFrame:
    """What a company did today and before.

    Who is of another activity today says nothing about this one, nor does what newcomers did
    before they came.
    """
    old = np.intersect1d(company, before, assume_unique=True)
    place = ground.evidence.places(old)
    elsewhere = (place >= 0) & (now[place] >= 0) & (now[place] != activity)
    old = old[~elsewhere]
    today = np.flatnonzero(now == activity)
    today = today[np.isin(ground.evidence.src[today], company, assume_unique=True)]
    rows = [
        past[_places(past["src"].to_numpy(), old)],
        ground.senders[today].with_columns(day=pl.lit(ground.day)).select(EARLIER.keys()),
    ]
    return pl.concat(rows).sort("src", "day")


def _places(src: NDArray[np.uint64], senders: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where some senders, (s,) sorted, are in a sorted column."""
    first, end = np.searchsorted(src, senders, "left"), np.searchsorted(src, senders, "right")
    many = end - first
    return np.asarray(np.arange(many.sum()) + np.repeat(first - np.cumsum(many) + many, many))


def _other(
    ground: _Ground, rows: pl.DataFrame, begin: list[NDArray[np.uint64]]
) -> NDArray[np.uint64] | None:
    """The senders of the smaller of two parts; None if there are no two.

    `begin` has senders of a part to begin with; without any, today's clusters are tried.
    """
    past = evidence_of(rows)
    ages = rows.select(age=(pl.lit(ground.day) - pl.col("day")).dt.total_days())["age"].to_numpy()
    if not (ages < 1).any():
        return None
    for days in _WINDOWS:
        company = company_of(past, ages < days, ground.evidence)
        seeds = [np.isin(company.src, each) for each in begin]
        if not begin:
            place = ground.evidence.places(company.src)
            clusters = np.where(place >= 0, ground.labels[place], -1)
            several = np.unique(clusters[clusters >= 0]).tolist()
            seeds = [clusters == each for each in several if len(several) > 1]
        parts = find_parts(company, seeds, least=ground.least)
        if parts is None:
            continue
        other = company.src[parts.other]
        today = company_of(past, ages < 1, ground.evidence)
        part = np.isin(today.src, other, assume_unique=True)
        if 0 < part.sum() < len(part) and parts.seen_in(told_apart(today.once, part)):
            return _with_those_before(company_of(past, ages >= 0, ground.evidence), company, parts)
    return None


def _with_those_before(everyone: Company, company: Company, parts: Parts) -> NDArray[np.uint64]:
    """The senders of the smaller part, with those of earlier days that were not in the company."""
    seen = np.isin(everyone.src, company.src, assume_unique=True)
    other = np.isin(everyone.src, company.src[parts.other], assume_unique=True)
    if not seen.all():
        likelier = np.full(len(seen), np.log(other.sum() / (seen & ~other).sum()))
        told = (parts.told.networks, parts.told.hours, parts.told.ports)
        here, there = everyone.once.kinds(other), everyone.once.kinds(seen & ~other)
        for tells, one, rest in zip(told, here, there, strict=True):
            if tells > 0:
                likelier += one - rest
        other |= ~seen & (likelier > 0)
    return everyone.src[other]


@dataclass(frozen=True)
class _Leaving:
    """The part that leaves a track: which of its senders of today, which of its rows of days
    before, and whether it had not half as many a day before as today.
    """

    now: NDArray[np.bool_]
    before: NDArray[np.bool_]
    fresh: bool


def _leaving(
    today: NDArray[np.uint64], earlier: pl.DataFrame, other: NDArray[np.uint64], least: int
) -> _Leaving | None:
    """Which of two parts leaves a track: the fewer of today, unless only they were there before;
    None if today one of them has too few.

    Args:
        today: the track's senders.
        earlier: its rows of the days before.
        other: the senders of one of the parts.
        least: the fewest of a part.
    """
    now, before = np.isin(today, other), np.isin(earlier["src"].to_numpy(), other)
    if min(now.sum(), (~now).sum()) < least:
        return None
    if now.sum() > (~now).sum():
        now, before = ~now, ~before
    days = max(earlier["day"].n_unique(), 1)
    usual, of_the_rest = before.sum() / days / now.sum(), (~before).sum() / days / (~now).sum()
    if usual > of_the_rest + _HALF:
        now, before, usual = ~now, ~before, of_the_rest
    return _Leaving(now, before, bool(usual < _HALF))


def _track_of(ground: _Ground, leaves: NDArray[np.bool_], columns: Sequence[int]) -> int:
    """The position of the track, of those at some positions, that a part is; -1 for none."""
    if not columns:
        return -1
    nobody = np.zeros((1, len(columns)))
    odds, _ = probabilities(
        [histogram(ground.evidence, np.flatnonzero(leaves))],
        [ground.memory.tracks[c] for c in columns],
        Overlap(nobody.astype(np.int64), nobody, nobody),
        ground.model,
        ground.evidence,
        ground.day,
        everyday_share=ground.settings.cluster.everyday_share,
        min_senders=ground.least,
    )
    best = int(odds[0].argmax())
    return columns[best] if odds[0, best] >= _IS else -1


def _shown(rows: pl.DataFrame, keep: float) -> Histogram | None:
    """What a track with these rows of days before today would remember."""
    shown = None
    for day in rows.partition_by("day", maintain_order=True):
        evidence = evidence_of(day)
        seen = histogram(evidence, np.arange(evidence.n))
        shown = seen if shown is None else mixed(scaled(shown, keep), seen)
    return shown
