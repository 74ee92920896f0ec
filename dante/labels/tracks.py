"""Whose each track is: the analysts' word, or what lists say of most of its senders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb
import polars as pl

from dante.labels.analyst import track_key
from dante.labels.book import Book

__all__ = ["label_tracks"]

# A track is judged by its senders of so many days, its newest: who it was is not who it is.
_DAYS: Final = 7
_ENOUGH: Final = 0.5
# A scanner list knows better than the owner of the network.
_KINDS: Final = ("scanners", "asn")


def label_tracks(con: duckdb.DuckDBPyConnection, book: Book, analyst: Mapping[str, str]) -> None:
    """Fill `label` and `label_share` of the table `tracks` that is about to be published.

    Args:
        con: the copy that will be published.
        book: imported labels; each day's senders are matched as of their day.
        analyst: analysts' labels by track key; they come first.
    """
    labels = {}
    if book.cards:
        labels = _by_senders(con, book)
    if analyst:
        rows = con.execute("SELECT track_id, name, first_day FROM tracks").fetchall()
        for track_id, name, first_day in rows:
            text = analyst.get(track_key(name, first_day))
            if text is not None:
                labels[track_id] = (text, None)
    if labels:
        con.executemany(
            "UPDATE tracks SET label = ?, label_share = ? WHERE track_id = ?",
            [[*label, track_id] for track_id, label in sorted(labels.items())],
        )


def _by_senders(con: duckdb.DuckDBPyConnection, book: Book) -> dict[int, tuple[str, float | None]]:
    members: pl.DataFrame = con.sql(
        "SELECT track_id, day, address AS src FROM memberships JOIN tracks USING (track_id) "
        "WHERE day > last_day - $1",
        params=[_DAYS],
    ).pl()
    if not members.height:
        return {}
    labels: dict[int, tuple[str, float | None]] = {}
    for kind in reversed(_KINDS):
        parts = []
        for (day,), part in members.group_by("day"):
            cards = book.as_of(kind, day)
            if cards:
                name = book.match(kind, day, part["src"]).alias("who")
                parts.append(part.with_columns(name))
        if not parts:
            continue
        sizes = members.group_by("track_id").agg(size=pl.col("src").n_unique())
        votes = (
            pl.concat(parts)
            .drop_nulls("who")
            .sort("day")
            .group_by("track_id", "src")
            .agg(pl.col("who").last())
            .group_by("track_id", "who")
            .agg(n=pl.len())
            .join(sizes, on="track_id")
            .with_columns(share=pl.col("n") / pl.col("size"))
            .filter(pl.col("share") >= _ENOUGH)
            .sort("share", "who", descending=[False, True])
        )
        for track_id, who, share in votes.select("track_id", "who", "share").iter_rows():
            labels[track_id] = (f"{who} ({share:.0%})", share)
    return labels
