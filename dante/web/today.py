"""What is new on a day: threats with their reasons, what grew, what came back, data quality."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from dante.errors import NotEnoughDataError
from dante.web.faults import NotFoundError
from dante.web.news import (
    RECENT,
    Change,
    Flood,
    Held,
    Threat,
    called_threats,
    day_floods,
    grown_tracks,
    held_threats,
)
from dante.web.publication import Reader

__all__ = [
    "Activity",
    "Figures",
    "Happening",
    "Issue",
    "Today",
    "published_day",
    "today",
]

_USUAL: Final = 28
_HAPPENINGS: Final = 40
_ACTIVITIES: Final = 200
_ISSUES: Final = 20
_BEGAN: Final = ("birth", "split", "recur")
_HELD: Final = 50
_FLOODS: Final = 50


@dataclass(frozen=True)
class Figures:
    """A day's counts, and beside each what is usual: the median of up to 28 days before."""

    day: date
    packets: int
    backscatter_packets: int
    senders: int
    noise_senders: int
    clusters: int
    tracks_active: int
    births: int
    usual_packets: float | None
    usual_senders: float | None
    usual_noise_senders: float | None
    usual_tracks_active: float | None
    days_before: int


@dataclass(frozen=True)
class Happening:
    """A birth, return, split, merge, sleep or end; `away` is the days a returned track was gone."""

    day: date
    track_id: int
    name: str
    event: str
    related_track_id: int | None
    related_name: str | None
    similarity: float | None
    shared_senders: int | None
    senders: int | None
    top_ports: str | None
    away: int | None


@dataclass(frozen=True)
class Activity:
    """What one track did on the day; `event` is how it came to be at work."""

    track_id: int
    name: str
    label: str | None
    first_day: date
    senders: int
    packets: int
    top_ports: str
    top_networks: str
    event: str | None


@dataclass(frozen=True)
class Issue:
    """A failed check, or with check `run` a day that stopped."""

    day: date
    check: str
    severity: str
    observed: str


@dataclass(frozen=True)
class Today:
    """The page of a day.

    Attributes:
        first_day, newest_day: of all published days.
        previous, following: the published days before and after, if any.
        held: of these 7 days, what was held back; `held_left_out` more are not listed.
        floods: of the day; `floods_left_out` more are not listed.
        activities_left_out: tracks at work that are not listed, of those with fewest senders.
        rows, quarantined: of the day's sources.
    """

    day: date
    first_day: date
    newest_day: date
    previous: date | None
    following: date | None
    figures: Figures
    threats: list[Threat]
    held: list[Held]
    held_left_out: int
    floods: list[Flood]
    floods_left_out: int
    grown: list[Change]
    happenings: list[Happening]
    activities: list[Activity]
    activities_left_out: int
    issues: list[Issue]
    checks: int
    rows: int
    quarantined: int


def published_day(reader: Reader, day: date | None) -> tuple[date, date, date]:
    """The day asked for, or the newest, and the first and newest there are.

    Raises:
        NotEnoughDataError: no day is published.
        NotFoundError: this one is not.
    """
    first, newest, known = reader.con.execute(
        "SELECT min(day), max(day), bool_or(day = ?) FROM daily", [day]
    ).fetchall()[0]
    if newest is None:
        raise NotEnoughDataError(
            "no day is published yet; ingest packets and run `dante backfill` first"
        )
    if day is None:
        return newest, first, newest
    if not known:
        raise NotFoundError(f"{day} is not published; the days are {first} to {newest}")
    return day, first, newest


def today(reader: Reader, day: date | None = None) -> Today:
    """Everything of a day, or of the newest.

    Raises:
        NotEnoughDataError: no day is published.
        NotFoundError: this one is not.
    """
    day, first, newest = published_day(reader, day)
    activities = _activities(reader, day)
    held, floods = held_threats(reader, day), day_floods(reader, day)
    rows, quarantined = reader.con.execute(
        "SELECT coalesce(sum(rows), 0), coalesce(sum(quarantined), 0) FROM ingests WHERE day = ?",
        [day],
    ).fetchall()[0]
    return Today(
        day=day,
        first_day=first,
        newest_day=newest,
        previous=reader.one("SELECT max(day) FROM daily WHERE day < ?", day),
        following=reader.one("SELECT min(day) FROM daily WHERE day > ?", day),
        figures=_figures(reader, day),
        threats=called_threats(reader, day),
        held=held[:_HELD],
        held_left_out=max(0, len(held) - _HELD),
        floods=floods[:_FLOODS],
        floods_left_out=max(0, len(floods) - _FLOODS),
        grown=grown_tracks(reader, day),
        happenings=_happenings(reader, day),
        activities=activities[:_ACTIVITIES],
        activities_left_out=max(0, len(activities) - _ACTIVITIES),
        issues=_issues(reader, day, newest),
        checks=reader.one("SELECT count(*) FROM quality WHERE day = ?", day),
        rows=int(rows),
        quarantined=int(quarantined),
    )


def _figures(reader: Reader, day: date) -> Figures:
    return reader.rows(
        Figures,
        """
        WITH before AS (
            SELECT * FROM daily WHERE day < $day AND day >= $day - CAST($usual AS INTEGER)),
        usual AS (
            SELECT median(packets) AS usual_packets, median(senders) AS usual_senders,
                   median(noise_senders) AS usual_noise_senders,
                   median(tracks_active) AS usual_tracks_active, count(*) AS days_before
            FROM before)
        SELECT daily.* EXCLUDE model_id, usual.* FROM daily, usual WHERE day = $day LIMIT 1
        """,
        day=day,
        usual=_USUAL,
    )[0]


def _happenings(reader: Reader, day: date) -> list[Happening]:
    return reader.rows(
        Happening,
        """
        SELECT day, track_id, coalesce(tracks.name, 'track-' || track_id) AS name, event,
               related_track_id, others.name AS related_name, similarity, shared_senders,
               track_days.senders, track_days.top_ports,
               CASE event WHEN 'recur' THEN CAST(day - (
                   SELECT max(earlier.day) FROM track_days AS earlier
                   WHERE earlier.track_id = lineage.track_id AND earlier.day < lineage.day)
                   AS INTEGER) END AS away
        FROM lineage LEFT JOIN tracks USING (track_id) LEFT JOIN track_days USING (day, track_id)
             LEFT JOIN tracks AS others ON others.track_id = related_track_id
        WHERE event <> 'continue' AND (day = $day
              OR event = 'recur' AND day <= $day AND day > $day - CAST($recent AS INTEGER))
        ORDER BY day DESC,
                 list_position(['recur', 'birth', 'split', 'merge', 'sleep', 'end'], event),
                 track_days.senders DESC NULLS LAST, track_id, related_track_id
        LIMIT $most
        """,
        day=day,
        recent=RECENT,
        most=_HAPPENINGS,
    )


def _activities(reader: Reader, day: date) -> list[Activity]:
    return reader.rows(
        Activity,
        """
        WITH came AS (
            SELECT track_id, min_by(event, list_position($began, event)) AS event
            FROM lineage WHERE day = $day AND list_contains($began, event) GROUP BY track_id)
        SELECT track_id, coalesce(tracks.name, 'track-' || track_id) AS name, tracks.label,
               coalesce(tracks.first_day, day) AS first_day, track_days.senders,
               track_days.packets, track_days.top_ports, top_networks, came.event
        FROM track_days LEFT JOIN tracks USING (track_id) LEFT JOIN came USING (track_id)
        WHERE day = $day ORDER BY track_days.senders DESC, track_days.packets DESC, track_id
        """,
        day=day,
        began=list(_BEGAN),
    )


def _issues(reader: Reader, day: date, newest: date) -> list[Issue]:
    # A day that stopped is never a published one: it shows with the newest before it.
    until = date.max if day == newest else day
    return reader.rows(
        Issue,
        """
        SELECT * FROM (
            SELECT day, 'run' AS "check", 'error' AS severity,
                   max_by(coalesce(error, 'no reason was kept'), (started_at, run_id)) AS observed
            FROM runs WHERE status = 'failed' AND day NOT IN (SELECT day FROM daily)
                  AND day > $day - CAST($recent AS INTEGER) AND day <= $until GROUP BY day
            UNION ALL
            SELECT day, "check", severity, observed FROM quality
            WHERE NOT passed AND day = $day)
        ORDER BY day DESC, severity, "check", observed LIMIT $most
        """,
        day=day,
        until=until,
        recent=RECENT,
        most=_ISSUES,
    )
