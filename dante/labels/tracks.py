"""Whose each track is: the analysts' word, or what lists say of its senders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import duckdb
import polars as pl

from dante.labels.analyst import track_key
from dante.labels.book import Book
from dante.labels.networks import NETWORKS

__all__ = ["label_tracks"]

# A track is judged by its senders of so many days, its newest: who it was is not who it is.
_DAYS: Final = 7
_ENOUGH: Final = 0.5
# A scanner list knows better than the owner of the network; a country is nobody's name.
_KINDS: Final = ("scanners", "asn")
_TOLD: Final = ("scanners", "asn", "country")
_NAMES: Final = 20


def label_tracks(con: duckdb.DuckDBPyConnection, book: Book, analyst: Mapping[str, str]) -> None:
    """Fill what is about to be published with what is known of senders' addresses.

    That is `label` and `label_share` of `tracks`, the tables `track_labels` (of each track and
    kind of list the commonest names of its senders, at most 20) and `label_networks` (the lists
    themselves, as of the newest day).

    Args:
        con: the copy that will be published.
        book: imported labels; each day's senders are matched as of their day.
        analyst: analysts' labels by track key; they come first.
    """
    labels: dict[int, tuple[str, float | None]] = {}
    if book.cards:
        votes = _votes(con, book)
        _fill(con, "track_labels", votes.filter(pl.col("place") < _NAMES).drop("place"))
        _fill(con, "label_networks", _networks(con, book))
        labels = _majorities(votes)
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


def _fill(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
    con.register("rows_to_publish", rows.to_arrow())
    con.execute(f"INSERT INTO {table} BY NAME SELECT * FROM rows_to_publish")
    con.unregister("rows_to_publish")


def _networks(con: duckdb.DuckDBPyConnection, book: Book) -> pl.DataFrame:
    """The disjoint ranges of each kind of list as of the newest day: kind, first, last, name."""
    ((newest,),) = con.execute("SELECT max(day) FROM daily").fetchall()
    if newest is None:
        return pl.DataFrame(schema={"kind": pl.String, **NETWORKS})
    return pl.concat(
        [
            book.ranges(kind, newest).select(pl.lit(kind).alias("kind"), pl.all())
            for kind in sorted(_TOLD)
        ]
    )


def _votes(con: duckdb.DuckDBPyConnection, book: Book) -> pl.DataFrame:
    """Whose each track's senders are.

    Returns:
        track_id, kind, name, senders, share (of the track's senders of its newest days) and
        place, the name's rank in its kind from 0; in order of track, kind and place.
    """
    schema = {
        "track_id": pl.Int32, "kind": pl.String, "name": pl.String, "senders": pl.Int64,
        "share": pl.Float64, "place": pl.Int64,
    }  # fmt: skip
    members: pl.DataFrame = con.sql(
        "SELECT track_id, day, address AS src FROM memberships JOIN tracks USING (track_id) "
        "WHERE day > last_day - $1",
        params=[_DAYS],
    ).pl()
    sizes = members.group_by("track_id").agg(size=pl.col("src").n_unique())
    votes = [pl.DataFrame(schema=schema)]
    for kind in _TOLD:
        parts = [
            part.with_columns(name=book.match(kind, day, part["src"]))
            for (day,), part in members.group_by("day")
            if book.as_of(kind, day)
        ]
        if not parts:
            continue
        counted = (
            pl.concat(parts)
            .drop_nulls("name")
            .sort("day")
            .group_by("track_id", "src")
            .agg(pl.col("name").last())
            .group_by("track_id", "name")
            .agg(senders=pl.len())
            .join(sizes, on="track_id")
            .sort("track_id", "senders", "name", descending=[False, True, False])
            .with_columns(
                kind=pl.lit(kind),
                share=pl.col("senders") / pl.col("size"),
                place=pl.int_range(pl.len()).over("track_id"),
            )
        )
        votes.append(counted.select(pl.col(name).cast(type_) for name, type_ in schema.items()))
    return pl.concat(votes).sort("track_id", "kind", "place")


def _majorities(votes: pl.DataFrame) -> dict[int, tuple[str, float | None]]:
    """Each track's label: the name most of its senders have, of the best kind that has one."""
    labels: dict[int, tuple[str, float | None]] = {}
    for kind in reversed(_KINDS):
        most = votes.filter(
            (pl.col("kind") == kind) & (pl.col("place") == 0) & (pl.col("share") >= _ENOUGH)
        )
        for track_id, who, share in most.select("track_id", "name", "share").iter_rows():
            labels[track_id] = (f"{who} ({share:.0%})", share)
    return labels
