"""An address or a network: which tracks its senders took part in, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from dante.errors import UsageError
from dante.web.addresses import AddressRange, read_range
from dante.web.members import Sender, as_senders
from dante.web.news import Flood
from dante.web.publication import Reader

__all__ = [
    "NOISE",
    "SenderFlood",
    "SenderLabel",
    "SenderTrack",
    "SenderView",
    "asked_range",
    "sender",
]

NOISE: Final = 0
"""Stands for the days in no track, where a track's number stands; tracks count from 1."""

_WIDEST_IPV4: Final = 1 << 16
_WIDEST_IPV6: Final = 1 << 32
_TOP: Final = 100
_TRACKS: Final = 200
_LABELS: Final = 10
_FLOODS: Final = 100


@dataclass(frozen=True)
class SenderTrack:
    """A track's part; `track_id` is None for days in no track.

    Attributes:
        senders: distinct ones of the address or network in it.
        days, senders_by_day, packets_by_day: each day it has any.
    """

    track_id: int | None
    name: str
    label: str | None
    senders: int
    packets: int
    first_day: date
    last_day: date
    days: list[date]
    senders_by_day: list[int]
    packets_by_day: list[int]


@dataclass(frozen=True)
class SenderLabel:
    """What lists call so many of the senders: their `country`, `asn` or, of `scanners`, who."""

    kind: str
    name: str
    senders: int


@dataclass(frozen=True)
class SenderFlood(Flood):
    """A day one of the senders flooded a port, or swept very many; as in `floods`."""

    day: date


@dataclass(frozen=True)
class SenderView:
    """What is known of an address or network; with `senders` 0 it never reached the telescope.

    Attributes:
        single: it is one sender.
        labels: by the lists as of the newest day, the commonest of each kind.
        floods: newest first.
        top: its senders with most packets; empty for a single one.
    """

    text: str
    single: bool
    senders: int
    packets: int
    days: int
    first_day: date | None
    last_day: date | None
    tracks: list[SenderTrack]
    tracks_left_out: int
    labels: list[SenderLabel]
    floods: list[SenderFlood]
    top: list[Sender]


def asked_range(text: str) -> AddressRange:
    """The range a person asks for.

    Raises:
        UsageError: it is no address and no network, or one too wide for a page.
    """
    found = read_range(text)
    if found is None:
        raise UsageError(
            f"{text[:60]!r} is no address and no network; write 203.0.113.7, 203.0.113.0/24, "
            "203.0.113 or 2001:db8::/48"
        )
    widest = _WIDEST_IPV4 if found.last < 1 << 32 else _WIDEST_IPV6
    if found.last - found.first >= widest:
        raise UsageError(f"{found.text} is too wide; ask for a /16 (IPv6: a /32) or less")
    return found


def sender(reader: Reader, within: AddressRange) -> SenderView:
    """The senders of a range over all days."""
    # Asked once of all memberships, which takes most of the time, and the rest of what it gives.
    reader.con.execute(
        "CREATE OR REPLACE TEMP TABLE these AS SELECT day, track_id, address, packets "
        "FROM memberships WHERE address BETWEEN CAST(? AS UBIGINT) AND CAST(? AS UBIGINT)",
        [within.first, within.last],
    ).fetchall()
    found = reader.frame(
        """
        WITH
        days AS (
            SELECT track_id, day, count(*) AS senders, CAST(sum(packets) AS BIGINT) AS packets
            FROM these GROUP BY track_id, day),
        tracks_of AS (
            SELECT track_id, count(DISTINCT address) AS senders FROM these GROUP BY track_id)
        SELECT days.track_id, any_value(coalesce(name, 'track-' || days.track_id)) AS name,
               any_value(label) AS label, any_value(tracks_of.senders) AS senders,
               CAST(sum(days.packets) AS BIGINT) AS packets,
               min(day) AS first_day, max(day) AS last_day, list(day ORDER BY day) AS days,
               list(days.senders ORDER BY day) AS senders_by_day,
               list(days.packets ORDER BY day) AS packets_by_day
        FROM days JOIN tracks_of ON days.track_id IS NOT DISTINCT FROM tracks_of.track_id
             LEFT JOIN tracks ON tracks.track_id = days.track_id
        GROUP BY days.track_id
        ORDER BY days.track_id IS NULL, packets DESC, days.track_id
        """
    )
    distinct = int(reader.one("SELECT count(DISTINCT address) FROM these"))
    tracks = [SenderTrack(**{**row, "name": row["name"] or "no track"}) for row in found.to_dicts()]
    every = found["days"].explode() if found.height else pl.Series("days", [], dtype=pl.Date)
    return SenderView(
        text=within.text,
        single=within.single,
        senders=distinct,
        packets=int(found["packets"].sum()),
        days=every.n_unique(),
        first_day=every.min(),  # type: ignore[arg-type]
        last_day=every.max(),  # type: ignore[arg-type]
        tracks=tracks[:_TRACKS],
        tracks_left_out=max(0, len(tracks) - _TRACKS),
        labels=_labels(reader, within),
        floods=reader.rows(
            SenderFlood,
            "SELECT day, src, shape, port, ports, packets, usual, times FROM floods "
            "WHERE address BETWEEN CAST(? AS UBIGINT) AND CAST(? AS UBIGINT) "
            "ORDER BY day DESC, packets DESC, address, shape, port LIMIT ?",
            within.first,
            within.last,
            _FLOODS,
        ),
        top=[] if within.single else _top(reader),
    )


def _labels(reader: Reader, within: AddressRange) -> list[SenderLabel]:
    # Only the list's networks that reach into the range are joined.
    return reader.rows(
        SenderLabel,
        """
        WITH near AS (
            SELECT * FROM label_networks
            WHERE last >= CAST($first AS UBIGINT) AND first <= CAST($last AS UBIGINT)),
        asked AS (SELECT DISTINCT address FROM these)
        SELECT kind, name, count(*) AS senders FROM asked JOIN near
             ON address BETWEEN near.first AND near.last
        GROUP BY kind, name
        QUALIFY row_number() OVER (PARTITION BY kind ORDER BY senders DESC, name) <= $most
        ORDER BY kind, senders DESC, name
        """,
        first=within.first,
        last=within.last,
        most=_LABELS,
    )


def _top(reader: Reader) -> list[Sender]:
    rows = reader.con.execute(
        "SELECT address, min(day), max(day), count(*), CAST(sum(packets) AS BIGINT) AS packets "
        "FROM these GROUP BY address ORDER BY packets DESC, address LIMIT ?",
        [_TOP],
    ).fetchall()
    return as_senders(rows)
