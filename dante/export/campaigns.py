"""The campaigns an export tells of, read from the published database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb
import polars as pl

from dante.errors import NotEnoughDataError

__all__ = ["Campaign", "Wanted", "members", "plain", "read_campaigns", "stable_uuid"]

_NAMESPACE: Final = uuid.UUID("5f6d1b6c-3a0e-5c59-9d0e-8a4f5f0b7f11")


@dataclass(frozen=True)
class Wanted:
    """Which campaigns are told of.

    Attributes:
        since, until: first and last day they were called threats on; what is told of a campaign
            goes from its birth to `until`.
        kind: `new` or `returned`; None: either.
        min_score: the least score.
        every: all tracks, those that never were a threat too; `kind` and `min_score` then only
            say which of their threats are told.
    """

    since: date | None = None
    until: date | None = None
    kind: str | None = None
    min_score: float = 0.0
    every: bool = False


@dataclass(frozen=True)
class Campaign:
    """One campaign, and what is published of it until the last day wanted.

    Attributes:
        key: the same in every publication that knows it by the same name and day of birth.
        name: its name.
        label: what analysts or lists call it, if anything.
        track_ids: its tracks, in order.
        threats: day, kind, score, reasons: what it was called a threat for, in order of days.
        days: day, senders, packets, top_ports, top_networks: its days at work, in order.
    """

    key: str
    name: str
    label: str | None
    track_ids: tuple[int, ...]
    threats: pl.DataFrame
    days: pl.DataFrame

    @property
    def first_day(self) -> date:
        """Its first day at work."""
        first: date = self.days["day"][0]
        return first

    @property
    def last_day(self) -> date:
        """Its newest day at work that is told of."""
        last: date = self.days["day"][-1]
        return last

    @property
    def score(self) -> float | None:
        """The highest score it had as a threat; None if it never was one."""
        return float(self.threats["score"].max()) if self.threats.height else None  # type: ignore[arg-type]


def stable_uuid(*parts: object) -> str:
    """An id that is the same wherever and whenever the same parts are named."""
    return str(uuid.uuid5(_NAMESPACE, "\x1f".join(map(str, parts))))


def plain(text: str) -> str:
    """Text without control characters, line breaks or marks that turn its direction."""
    return "".join(char if char.isprintable() else "?" for char in text)


def read_campaigns(con: duckdb.DuckDBPyConnection, wanted: Wanted) -> list[Campaign]:
    """The campaigns wanted, in order of their keys' first days and names.

    Raises:
        NotEnoughDataError: there is none.
    """
    threats: pl.DataFrame = con.sql(
        "SELECT name || '@' || first_day AS key, threats.track_id, day, kind, "
        "score, reasons FROM threats JOIN tracks USING (track_id) "
        "WHERE ($1 IS NULL OR day <= $1) AND ($2 IS NULL OR kind = $2) AND score >= $3 "
        "ORDER BY ALL",
        params=[wanted.until, wanted.kind, wanted.min_score],
    ).pl()
    told = threats
    if wanted.since is not None:
        told = threats.filter(
            pl.col("key").is_in(threats.filter(pl.col("day") >= wanted.since)["key"].implode())
        )
    tracks = {key: tuple(ids) for key, ids in told.group_by("key").agg(
        pl.col("track_id").unique().sort()).sort("key").iter_rows()}  # fmt: skip
    if wanted.every:
        others = con.execute(
            "SELECT name || '@' || first_day, track_id FROM tracks "
            "WHERE ($1 IS NULL OR first_day <= $1) ORDER BY ALL",
            [wanted.until],
        ).fetchall()
        held = {track_id for ids in tracks.values() for track_id in ids}
        tracks |= {key: (track_id,) for key, track_id in others if track_id not in held}
    if not tracks:
        raise NotEnoughDataError(
            "no campaign is a threat by what was asked; ask for more days, a lower --min-score, "
            "or --every track"
        )
    names = {
        track_id: (name, label)
        for track_id, name, label in con.execute(
            "SELECT track_id, name, label FROM tracks"
        ).fetchall()
    }
    found = [
        Campaign(
            key,
            plain(names[ids[0]][0]),
            None if names[ids[0]][1] is None else plain(names[ids[0]][1]),
            ids,
            threats.filter(pl.col("key") == key).select("day", "kind", "score", "reasons"),
            _days(con, ids, wanted.until),
        )
        for key, ids in tracks.items()
    ]
    return sorted(
        (campaign for campaign in found if campaign.days.height),
        key=lambda campaign: (campaign.first_day, campaign.key),
    )


def _days(
    con: duckdb.DuckDBPyConnection, track_ids: tuple[int, ...], until: date | None
) -> pl.DataFrame:
    days: pl.DataFrame = con.sql(
        "SELECT day, CAST(sum(senders) AS BIGINT) AS senders, "
        "CAST(sum(packets) AS BIGINT) AS packets, "
        "arg_max(top_ports, (senders, -track_id)) AS top_ports, "
        "arg_max(top_networks, (senders, -track_id)) AS top_networks FROM track_days "
        "WHERE list_contains($1, track_id) AND ($2 IS NULL OR day <= $2) "
        "GROUP BY day ORDER BY day",
        params=[list(track_ids), until],
    ).pl()
    return days


def members(
    con: duckdb.DuckDBPyConnection, campaign: Campaign, *, most: int, daily: bool
) -> pl.DataFrame:
    """The campaign's senders with the most packets, in the order of their addresses.

    Args:
        con: the published database.
        campaign: whose.
        most: at most so many, of each day if `daily`, else of all its days together.
        daily: a row a day and sender: day, src, packets; else a row a sender: src, packets, days,
            first_day, last_day.
    """
    rows = (
        "SELECT day, src, address, sum(packets) AS packets FROM memberships "
        "WHERE list_contains($1, track_id) AND day <= $2 GROUP BY day, src, address"
    )
    if daily:
        sql = (
            f"WITH rows AS ({rows}) SELECT day, src, CAST(packets AS BIGINT) AS packets FROM rows "
            "QUALIFY row_number() OVER (PARTITION BY day ORDER BY packets DESC, address) <= $3 "
            "ORDER BY day, address"
        )
    else:
        sql = (
            f"WITH rows AS ({rows}), every AS (SELECT src, address, sum(packets) AS packets, "
            "count(*) AS days, min(day) AS first_day, max(day) AS last_day FROM rows "
            "GROUP BY src, address ORDER BY packets DESC, address LIMIT $3) "
            "SELECT src, CAST(packets AS BIGINT) AS packets, days, first_day, last_day "
            "FROM every ORDER BY address"
        )
    found: pl.DataFrame = con.sql(
        sql, params=[list(campaign.track_ids), campaign.last_day, most]
    ).pl()
    return found
