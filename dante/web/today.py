"""What is new on a day: threats with their reasons, what grew, what came back, data quality."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from dante.errors import NotEnoughDataError
from dante.web.faults import NotFoundError
from dante.web.publication import Reader

__all__ = [
    "Activity",
    "Change",
    "Figures",
    "Flood",
    "Happening",
    "Held",
    "Issue",
    "Threat",
    "Today",
    "today",
]

RECENT: Final = 7
"""Days a threat, a return or a failed day stays on the page."""

_USUAL: Final = 28
_THREATS: Final = 50
_GROWN: Final = 8
_HAPPENINGS: Final = 40
_ACTIVITIES: Final = 200
_ISSUES: Final = 20
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
class Threat:
    """A threat as it was last called one, and how often it was in the days shown.

    Attributes:
        shape: `campaign`, `worm`, `flood` or `sweep`; None where it was not told.
        key: names the threat in every run: its track's name and the day of its birth or return.
        senders_by_day: of each day shown, oldest first, 0 where the track was not at work.
    """

    day: date
    track_id: int
    name: str
    label: str | None
    kind: str
    score: float
    shape: str | None
    key: str
    reasons: str
    sightings: int
    first_called: date
    senders: int
    packets: int | None
    top_ports: str | None
    top_networks: str | None
    senders_by_day: list[int]


@dataclass(frozen=True)
class Held:
    """What passed the test for a threat on a day that had its threats, and was none by the day."""

    day: date
    track_id: int
    name: str
    label: str | None
    kind: str
    score: float
    shape: str | None
    key: str
    reasons: str
    senders: int


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
    held, floods = _held(reader, day), day_floods(reader, day)
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
        threats=_threats(reader, day),
        held=held[:_HELD],
        held_left_out=max(0, len(held) - _HELD),
        floods=floods[:_FLOODS],
        floods_left_out=max(0, len(floods) - _FLOODS),
        grown=_grown(reader, day),
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


_BY_DAY: Final = """
    SELECT track_id, map_from_entries(list((day, senders))) AS by_day FROM track_days
    WHERE day BETWEEN $first AND $day GROUP BY track_id
"""


def _counts(by_day: dict[date, int] | None, first: date, day: date) -> list[int]:
    span = (day - first).days + 1
    return [int((by_day or {}).get(first + timedelta(days=n), 0)) for n in range(span)]


def _threats(reader: Reader, day: date) -> list[Threat]:
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


def _held(reader: Reader, day: date) -> list[Held]:
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


def _grown(reader: Reader, day: date) -> list[Change]:
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
            SELECT track_id, min_by(event, list_position(['birth', 'recur'], event)) AS event
            FROM lineage WHERE day = $day AND event IN ('birth', 'recur') GROUP BY track_id)
        SELECT track_id, coalesce(tracks.name, 'track-' || track_id) AS name, tracks.label,
               coalesce(tracks.first_day, day) AS first_day, track_days.senders,
               track_days.packets, track_days.top_ports, top_networks, came.event
        FROM track_days LEFT JOIN tracks USING (track_id) LEFT JOIN came USING (track_id)
        WHERE day = $day ORDER BY track_days.senders DESC, track_days.packets DESC, track_id
        """,
        day=day,
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
