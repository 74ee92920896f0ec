"""Looking something up: a port or service, a track's name or label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from dante.labels.ports import SERVICES
from dante.schema import word_text
from dante.web.publication import Reader

__all__ = ["NameHit", "PortDay", "PortHit", "Search", "ports_meant", "search"]

_HITS: Final = 100
_PORT: Final = re.compile(r"([0-9]{1,5})(?:/([a-z0-9]{1,10}))?")


@dataclass(frozen=True)
class PortHit:
    """A track that has the port among the top ports of its days.

    Attributes:
        days: how many of them.
        share: of its senders that tried it, on the newest of them; `most` on any.
    """

    track_id: int
    name: str
    label: str | None
    state: str
    port: str
    days: int
    first_day: date
    last_day: date
    share: float | None
    most: float | None


@dataclass(frozen=True)
class PortDay:
    """How many senders of all tracks tried the ports on a day, about: from rounded shares."""

    day: date
    senders: int


@dataclass(frozen=True)
class NameHit:
    """A track whose name or label has the words in it."""

    track_id: int
    name: str
    label: str | None
    state: str
    first_day: date
    last_day: date
    senders: int
    top_ports: str | None


@dataclass(frozen=True)
class Search:
    """What was found; `ports` are those the words mean."""

    q: str
    ports: list[str]
    by_port: list[PortHit]
    port_days: list[PortDay]
    by_name: list[NameHit]


def ports_meant(q: str) -> list[str]:
    """The ports that words mean: `23`, `23/tcp`, or a service such as `telnet`; maybe none."""
    q = q.strip().lower()
    found = _PORT.fullmatch(q)
    if found:
        return (
            [f"{int(found[1])}/{found[2]}"]
            if found[2]
            else ([f"{int(found[1])}/{kind}" for kind in ("tcp", "udp", "icmp", "sctp")])
        )
    return sorted(word_text(word) for word, name in SERVICES.items() if name == q)


def search(reader: Reader, q: str) -> Search:
    """Tracks by port and by name, newest first."""
    q = q.strip()
    ports = ports_meant(q)
    return Search(
        q=q,
        ports=ports,
        by_port=_by_port(reader, ports) if ports else [],
        port_days=_port_days(reader, ports) if ports else [],
        by_name=_by_name(reader, q) if q else [],
    )


def _by_port(reader: Reader, ports: list[str]) -> list[PortHit]:
    return reader.rows(
        PortHit,
        """
        WITH found AS (
            SELECT track_id, port, count(*) AS days, min(day) AS first_day, max(day) AS last_day,
                   max_by(share, day) AS share, max(share) AS most
            FROM track_ports WHERE list_contains(CAST($1 AS VARCHAR[]), port)
            GROUP BY track_id, port)
        SELECT track_id, coalesce(name, 'track-' || track_id) AS name, label,
               coalesce(state, 'ended') AS state, port, days, found.first_day, found.last_day,
               share, most
        FROM found LEFT JOIN tracks USING (track_id)
        ORDER BY found.last_day DESC, most DESC, track_id, port LIMIT $2
        """,
        ports,
        _HITS,
    )


def _port_days(reader: Reader, ports: list[str]) -> list[PortDay]:
    return reader.rows(
        PortDay,
        """
        SELECT day, CAST(round(sum(share * senders)) AS BIGINT) AS senders
        FROM (SELECT day, track_id, max(share) AS share FROM track_ports
              WHERE list_contains(CAST($1 AS VARCHAR[]), port) GROUP BY day, track_id)
             JOIN track_days USING (day, track_id)
        GROUP BY day ORDER BY day
        """,
        ports,
    )


def _by_name(reader: Reader, q: str) -> list[NameHit]:
    return reader.rows(
        NameHit,
        """
        SELECT track_id, name, label, state, first_day, last_day, senders, top_ports FROM tracks
        WHERE contains(lower(name), lower($1)) OR contains(lower(label), lower($1))
              OR CAST(track_id AS VARCHAR) = $1
        ORDER BY lower(name) <> lower($1), last_day DESC, senders DESC, track_id LIMIT $2
        """,
        q,
        _HITS,
    )
