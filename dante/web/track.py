"""One track: what it does, since when, and whom it resembles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from dante.report.words import read_ports
from dante.web.faults import NotFoundError
from dante.web.life import Decision, Step, decisions, track_life
from dante.web.news import Sighting
from dante.web.publication import Reader

__all__ = [
    "Kin",
    "Label",
    "Network",
    "Port",
    "Track",
    "TrackDay",
    "Trait",
    "find_track",
    "service_of",
    "track",
]

_WINDOW: Final = 28
"""Days before a track's newest whose ports it is compared by."""

_STEPS: Final = 400
_SIMILAR: Final = 8
_PORTS: Final = 256
_NETWORKS: Final = 12
_SIGHTINGS: Final = 100
_LABELS: Final = 10
_MOST: Final = 0.5


@dataclass(frozen=True)
class TrackDay:
    """A day it was at work."""

    day: date
    senders: int
    packets: int


@dataclass(frozen=True)
class Label:
    """What lists call senders: how many of a track's newest 7 days have the name, and what share.

    Attributes:
        kind: of list: `country`, `asn` or `scanners`.
    """

    kind: str
    name: str
    senders: int
    share: float


@dataclass(frozen=True)
class Port:
    """A port it uses.

    Attributes:
        service: a name for it, or empty.
        share: of its senders that tried it, in its newest 28 days; None if it was never among
            the top ports of a day in them.
        usual: the same share among all tracks' senders on the same days.
        lift: share / usual: how much more it does so than others.
        weight: in the histogram the track is known by.
    """

    port: str
    service: str
    share: float | None
    usual: float | None
    lift: float | None
    weight: float | None


@dataclass(frozen=True)
class Network:
    """A network among the day's three largest, on `days` days, with at most `share` of senders."""

    network: str
    days: int
    share: float


@dataclass(frozen=True)
class Trait:
    """What its senders show of themselves, as in `track_traits`."""

    trait: str
    value: str
    share: float


@dataclass(frozen=True)
class Kin:
    """A track that behaves alike: the Bhattacharyya coefficient of both port histograms."""

    track_id: int
    name: str
    label: str | None
    state: str
    first_day: date
    last_day: date
    senders: int
    top_ports: str | None
    similarity: float


@dataclass(frozen=True)
class Track:
    """The page of a track; `days` and `life` in order, `networks` by days among the largest.

    Attributes:
        shape: what form it had when it last passed the test for a threat; None: it never did.
        tool: whose mark the packets of half of its senders or more bear; None: of none.
        decisions: why it was continued, or born, on the days something happened to it and on its
            newest 5, newest first.
        labels: countries, networks' owners and scanners its senders are of, by lists that were
            imported; commonest first.
    """

    track_id: int
    name: str
    label: str | None
    label_share: float | None
    state: str
    shape: str | None
    tool: str | None
    first_day: date
    last_day: date
    days_active: int
    senders: int
    packets: int
    peak_senders: int
    top_ports: str | None
    top_networks: str | None
    days: list[TrackDay]
    life: list[Step]
    life_left_out: int
    decisions: list[Decision]
    ports: list[Port]
    networks: list[Network]
    labels: list[Label]
    traits: list[Trait]
    threats: list[Sighting]
    similar: list[Kin]


def find_track(reader: Reader, which: str) -> int:
    """The id of a track by its number or name.

    Raises:
        NotFoundError: there is none.
    """
    found = reader.one(
        "SELECT track_id FROM tracks WHERE CAST(track_id AS VARCHAR) = $1 OR name = $1 "
        "ORDER BY CAST(track_id AS VARCHAR) = $1 DESC LIMIT 1",
        which,
    )
    if found is None:
        raise NotFoundError("there is no such track; the timeline lists them all")
    return int(found)


def track(reader: Reader, which: str) -> Track:
    """A track by its number or name.

    Raises:
        NotFoundError: there is none.
    """
    track_id = find_track(reader, which)
    head = reader.frame(
        """
        SELECT tracks.track_id, name, label, label_share, state, first_day, last_day, days_active,
               tracks.senders, tracks.packets, peak_senders, tracks.top_ports, top_networks
        FROM tracks LEFT JOIN track_days
             ON track_days.track_id = tracks.track_id AND track_days.day = tracks.last_day
        WHERE tracks.track_id = ?
        """,
        track_id,
    ).to_dicts()[0]
    life = track_life(reader, track_id)
    traits = _traits(reader, track_id)
    return Track(
        **head,
        shape=reader.one(
            "SELECT max_by(shape, day) FROM (SELECT day, shape, track_id FROM threats UNION ALL "
            "SELECT day, shape, track_id FROM threats_held) WHERE track_id = ?",
            track_id,
        ),
        tool=next(
            (
                one.value
                for one in traits
                if (one.trait == "tool" and one.value != "none" and one.share >= _MOST)
            ),
            None,
        ),
        days=reader.rows(
            TrackDay,
            "SELECT day, senders, packets FROM track_days WHERE track_id = ? ORDER BY day",
            track_id,
        ),
        life=life[-_STEPS:],
        life_left_out=max(0, len(life) - _STEPS),
        decisions=decisions(reader, track_id, head["first_day"], life),
        ports=_ports(reader, track_id, head["last_day"]),
        networks=_networks(reader, track_id),
        labels=reader.rows(
            Label,
            "SELECT kind, name, senders, share FROM track_labels WHERE track_id = ? "
            "QUALIFY row_number() OVER (PARTITION BY kind ORDER BY senders DESC, name) <= ? "
            "ORDER BY kind, senders DESC, name",
            track_id,
            _LABELS,
        ),
        traits=traits,
        threats=reader.rows(
            Sighting,
            "SELECT day, kind, score, shape, key, reasons, senders FROM threats WHERE track_id = ? "
            "ORDER BY day DESC, score DESC, kind, reasons LIMIT ?",
            track_id,
            _SIGHTINGS,
        ),
        similar=_similar(reader, track_id),
    )


def _traits(reader: Reader, track_id: int) -> list[Trait]:
    return reader.rows(
        Trait,
        "SELECT trait, value, share FROM track_traits WHERE track_id = ? "
        "QUALIFY row_number() OVER (PARTITION BY trait ORDER BY share DESC, value) <= 24 "
        "ORDER BY trait, share DESC, value",
        track_id,
    )


def _ports(reader: Reader, track_id: int, last: date) -> list[Port]:
    rows = reader.con.execute(
        """
        WITH worked AS (
            SELECT day, track_id, senders FROM track_days
            WHERE day <= $last AND day > $last - CAST($window AS INTEGER)),
        mine AS (SELECT day, senders FROM worked WHERE track_id = $track),
        every AS (SELECT sum(senders) AS n FROM worked WHERE day IN (SELECT day FROM mine)),
        -- The days are named twice, so that DuckDB passes over the others' rows.
        used AS (
            SELECT port, sum(share * senders) AS n,
                   sum(share * senders) FILTER (track_id = $track) AS ours
            FROM track_ports JOIN worked USING (day, track_id)
            WHERE day <= $last AND day > $last - CAST($window AS INTEGER)
                  AND day IN (SELECT day FROM mine)
            GROUP BY port HAVING ours > 0),
        recent AS (
            SELECT port, ours / (SELECT sum(senders) FROM mine) AS share,
                   n / (SELECT n FROM every) AS usual FROM used),
        known AS (SELECT port, weight FROM histograms WHERE track_id = $track)
        SELECT port, share, usual, share / usual AS lift, weight
        FROM recent FULL JOIN known USING (port)
        ORDER BY share DESC NULLS LAST, weight DESC NULLS LAST, port LIMIT $most
        """,
        {"track": track_id, "last": last, "window": _WINDOW, "most": _PORTS},
    ).fetchall()
    return [Port(port, service_of(port), *numbers) for port, *numbers in rows]


def service_of(port: str) -> str:
    """The service of a port as `23/tcp`, empty where none is known."""
    named = read_ports(port)
    return named[0].service if named else ""


def _networks(reader: Reader, track_id: int) -> list[Network]:
    rows = reader.con.execute(
        """
        WITH parts AS (
            SELECT unnest(string_split(top_networks, ', ')) AS part FROM track_days
            WHERE track_id = ?)
        SELECT split_part(part, ' ', 1) AS network, count(*) AS days,
               max(TRY_CAST(rtrim(split_part(part, ' ', 2), '%') AS DOUBLE)) / 100 AS share
        FROM parts WHERE part <> '' GROUP BY network
        ORDER BY days DESC, share DESC, network LIMIT ?
        """,
        [track_id, _NETWORKS],
    ).fetchall()
    return [Network(network, days, share or 0.0) for network, days, share in rows]


def _similar(reader: Reader, track_id: int) -> list[Kin]:
    return reader.rows(
        Kin,
        """
        WITH alike AS (
            SELECT theirs.track_id, least(1, sum(sqrt(mine.weight * theirs.weight))) AS similarity
            FROM histograms AS mine JOIN histograms AS theirs USING (port)
            WHERE mine.track_id = $1 AND theirs.track_id <> $1 GROUP BY theirs.track_id)
        SELECT tracks.track_id, name, label, state, first_day, last_day, senders, top_ports,
               round(similarity, 4) AS similarity
        FROM alike JOIN tracks USING (track_id) WHERE round(similarity, 4) >= 0.05
        ORDER BY 9 DESC, track_id LIMIT $2
        """,
        track_id,
        _SIMILAR,
    )
