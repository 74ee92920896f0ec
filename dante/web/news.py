"""What of a day asks for a look: threats, what was held back, floods, and what grew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from dante.web.publication import Reader

__all__ = [
    "RECENT",
    "Change",
    "Flood",
    "Held",
    "Sighting",
    "Threat",
    "called_threats",
    "day_floods",
    "grown_tracks",
    "held_threats",
]

RECENT: Final = 7
"""Days a threat, a return or a failed day stays on the page."""

_THREATS: Final = 50
_GROWN: Final = 8


@dataclass(frozen=True)
class Sighting:
    """A day a track passed the test for a threat.

    Attributes:
        shape: `campaign`, `worm`, `flood` or `sweep`; None where it was not told.
        key: names the threat in every run: its track's name and the day of its news.
    """

    day: date
    kind: str
    score: float
    shape: str | None
    key: str
    reasons: str
    senders: int


@dataclass(frozen=True)
class Held(Sighting):
    """What passed the test for a threat on a day that had its threats, and was none by the day."""

    track_id: int
    name: str
    label: str | None


@dataclass(frozen=True)
class Threat(Held):
    """A threat as it was last called one, and how often it was in the days shown.

    Attributes:
        senders_by_day: of each day shown, oldest first, 0 where the track was not at work.
    """

    sightings: int
    first_called: date
    packets: int | None
    top_ports: str | None
    top_networks: str | None
    senders_by_day: list[int]


@dataclass(frozen=True)
class Flood:
    """What a few senders did that the telescope is not used to.

    Attributes:
        shape: `flood` of one port, or `sweep` of very many.
        usual: the most in the 28 days before; `times` as much it is.
    """

    src: str
    shape: str
    port: str | None
    ports: int
    packets: int
    usual: int
    times: float


@dataclass(frozen=True)
class Change:
    """A track with more senders than is usual for it.

    Attributes:
        usual: the median of its senders on the days it was at work in the 14 days before.
        grown: how many times as many there are now.
    """

    track_id: int
    name: str
    label: str | None
    senders: int
    usual: float
    grown: float
    top_ports: str
    senders_by_day: list[int]


_BY_DAY: Final = """
    SELECT track_id, map_from_entries(list((day, senders))) AS by_day FROM track_days
    WHERE day BETWEEN $first AND $day GROUP BY track_id
"""


def _counts(by_day: dict[date, int] | None, first: date, day: date) -> list[int]:
    span = (day - first).days + 1
    return [int((by_day or {}).get(first + timedelta(days=n), 0)) for n in range(span)]


def called_threats(reader: Reader, day: date) -> list[Threat]:
    """The threats of a day and the 6 before, each as it was last called one."""
    first = day - timedelta(days=4 * RECENT - 1)
    rows = reader.frame(
        f"""
        WITH called AS (
            SELECT *, count(*) OVER same AS sightings, min(day) OVER same AS first_called
            FROM threats WHERE day <= $day
            WINDOW same AS (PARTITION BY key)
            QUALIFY row_number() OVER (PARTITION BY key ORDER BY day DESC, score DESC) = 1),
        by_days AS ({_BY_DAY})
        SELECT called.day, track_id, coalesce(tracks.name, 'track-' || track_id) AS name,
               tracks.label, kind, score, shape, key, reasons, sightings, first_called,
               called.senders,
               track_days.packets, track_days.top_ports, track_days.top_networks,
               map_entries(by_day) AS by_day
        FROM called LEFT JOIN tracks USING (track_id) LEFT JOIN track_days USING (day, track_id)
             LEFT JOIN by_days USING (track_id)
        WHERE called.day > $day - CAST($recent AS INTEGER)
        ORDER BY called.day DESC, score DESC, track_id LIMIT $most
        """,
        day=day,
        first=first,
        recent=RECENT,
        most=_THREATS,
    ).to_dicts()
    return [Threat(**_with_counts(row, first, day)) for row in rows]


def held_threats(reader: Reader, day: date) -> list[Held]:
    """What was held back on a day and the 6 before, and has been called by no day since."""
    # Held on one day and told on a later one it is a threat; of several days the newest is shown.
    return reader.rows(
        Held,
        """
        SELECT day, track_id, coalesce(tracks.name, 'track-' || track_id) AS name, tracks.label,
               kind, score, shape, key, reasons, threats_held.senders
        FROM threats_held LEFT JOIN tracks USING (track_id)
        WHERE day <= $day AND day > $day - CAST($recent AS INTEGER)
              AND key NOT IN (SELECT key FROM threats WHERE day <= $day)
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY day DESC, score DESC) = 1
        ORDER BY day DESC, score DESC, track_id
        """,
        day=day,
        recent=RECENT,
    )


def day_floods(reader: Reader, day: date) -> list[Flood]:
    """The floods and sweeps of a day, most packets first."""
    return reader.rows(
        Flood,
        """
        SELECT src, shape, port, ports, packets, usual, times FROM floods
        WHERE day = ? ORDER BY packets DESC, address, shape, port
        """,
        day,
    )


def _with_counts(row: dict[str, Any], first: date, day: date) -> dict[str, Any]:
    entries = row.pop("by_day")
    by_day = {entry["key"]: entry["value"] for entry in entries or []}
    return {**row, "senders_by_day": _counts(by_day, first, day)}


def grown_tracks(reader: Reader, day: date) -> list[Change]:
    """The tracks that grew most on a day."""
    first = day - timedelta(days=4 * RECENT - 1)
    rows = reader.frame(
        f"""
        WITH before AS (
            SELECT track_id, median(senders) AS usual FROM track_days
            WHERE day < $day AND day >= $day - 14 GROUP BY track_id),
        by_days AS ({_BY_DAY})
        SELECT track_id, coalesce(tracks.name, 'track-' || track_id) AS name, tracks.label,
               track_days.senders, usual, track_days.senders / usual AS grown,
               track_days.top_ports, map_entries(by_day) AS by_day
        FROM track_days JOIN before USING (track_id) LEFT JOIN tracks USING (track_id)
             LEFT JOIN by_days USING (track_id)
        -- More than chance would make of a usual count: three standard deviations of a Poisson.
        WHERE day = $day AND track_days.senders >= 1.2 * usual
              AND track_days.senders - usual >= 3 * sqrt(usual)
        ORDER BY ln(grown) * sqrt(track_days.senders - usual) DESC, track_id LIMIT $most
        """,
        day=day,
        first=first,
        most=_GROWN,
    ).to_dicts()
    return [Change(**_with_counts(row, first, day)) for row in rows]
