"""A track's life: its events, the decisions behind them, and the tracks it came from or gave to."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Final

from dante.report.why import reasons
from dante.tracking.explain import Candidate
from dante.web.publication import Reader

__all__ = ["Decision", "Step", "decisions", "family", "track_life"]

_KIN: Final = 24
_DECISIONS: Final = 100
_LATELY: Final = 5
_EVENTS: Final = 12


@dataclass(frozen=True)
class Step:
    """An event of its life; of a split or merge, `other` is the track on the other side.

    Attributes:
        event: as in `lineage`, or `split off` and `merged in` where the other track has the row.
    """

    day: date
    event: str
    other: int | None
    other_name: str | None
    similarity: float | None
    shared_senders: int | None
    probability: float | None
    senders: int | None
    top_ports: str | None


@dataclass(frozen=True)
class Decision(Candidate):
    """How probably a day's cluster was this track, or another that was likelier or was taken.

    Attributes:
        probability: that the cluster is the track `track_id`; `taken`: it continued that one.
        why: all of it in words.
    """

    day: date
    track_id: int
    why: str


def track_life(reader: Reader, track_id: int) -> list[Step]:
    """The events of a track, in order."""
    return reader.rows(
        Step,
        """
        WITH mine AS (
            SELECT day, event, related_track_id AS other, similarity, shared_senders, probability
            FROM lineage WHERE track_id = $1 AND event <> 'continue'
            UNION ALL
            SELECT day, CASE event WHEN 'split' THEN 'split off' ELSE 'merged in' END, track_id,
                   similarity, shared_senders, probability
            FROM lineage WHERE related_track_id = $1 AND event IN ('split', 'merge'))
        SELECT mine.day, mine.event, mine.other, others.name AS other_name, mine.similarity,
               mine.shared_senders, mine.probability, track_days.senders, track_days.top_ports
        FROM mine LEFT JOIN track_days ON track_days.day = mine.day AND track_days.track_id = $1
             LEFT JOIN tracks AS others ON others.track_id = mine.other
        ORDER BY mine.day, mine.event, mine.other
        """,
        track_id,
    )


def decisions(reader: Reader, track_id: int, born: date, life: list[Step]) -> list[Decision]:
    """Why it was continued, or born, on the days something happened and on its newest 5."""
    newest = reader.con.execute(
        "SELECT DISTINCT day FROM decisions WHERE track_id = ? AND taken ORDER BY day DESC LIMIT ?",
        [track_id, _LATELY],
    ).fetchall()
    told = ("birth", "recur", "split", "merge", "split off", "merged in")
    events = list(dict.fromkeys(step.day for step in reversed(life) if step.event in told))
    days = sorted({born, *events[:_EVENTS], *(day for (day,) in newest)})
    rows = reasons(reader.con, track_id, days, births_of=born).select(
        list(Decision.__dataclass_fields__)
    )
    found = [Decision(**row) for row in rows.iter_rows(named=True)]
    return sorted(found, key=lambda one: one.day, reverse=True)[:_DECISIONS]


def family(reader: Reader, track_id: int) -> list[int]:
    """The tracks it came from, gave to or took from, by splits and merges, nearest first.

    At most 24, itself among them; each is reached from the one before by one split or merge.
    """
    edges = reader.con.execute(
        "SELECT DISTINCT track_id, related_track_id FROM lineage "
        "WHERE event IN ('split', 'merge') AND related_track_id IS NOT NULL ORDER BY 1, 2"
    ).fetchall()
    near: dict[int, set[int]] = defaultdict(set)
    for one, other in edges:
        near[one].add(other)
        near[other].add(one)
    found = [track_id]
    for one in found:
        found += [other for other in sorted(near[one]) if other not in found]
        if len(found) >= _KIN:
            break
    return found[:_KIN]
