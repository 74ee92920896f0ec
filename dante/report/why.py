"""Why clusters of a day continued a track, or did not: its decisions, each with a sentence."""

from collections.abc import Mapping, Sequence
from datetime import date

import duckdb
import polars as pl

from dante.tracking.explain import Candidate, explain

__all__ = ["reasons"]

# The clusters a track was held against, or was born as, each with the track's own row, those that
# were likelier, and the one that was taken.
_TRIED = """
    WITH held AS (
        SELECT day, cluster_id, max(probability) AS least FROM (
            SELECT day, cluster_id, probability FROM decisions
            WHERE track_id = $track AND list_contains($days::DATE[], day)
            UNION ALL
            SELECT $born_on::DATE, unnest($born_as::INTEGER[]), 0)
        GROUP BY day, cluster_id)
    SELECT decisions.*, coalesce(name, 'track-' || track_id) AS track
    FROM decisions JOIN held USING (day, cluster_id) LEFT JOIN tracks USING (track_id)
    WHERE decisions.probability >= held.least OR taken
    ORDER BY day, cluster_id, decisions.probability DESC, track_id
"""


def reasons(
    con: duckdb.DuckDBPyConnection, track_id: int, days: Sequence[date], births_of: date
) -> pl.DataFrame:
    """The decisions of these days that a track was part of.

    Args:
        con: the published database.
        track_id: the track.
        days: the days wanted.
        births_of: of which of them it is said who was born; only this day's memberships are read.

    Returns:
        The columns of `decisions`, track (its name) and why; in order of days, clusters and
        probabilities, the likeliest first. Of each cluster the track was held against, or was
        born as, there are its own row, those of likelier tracks, and that of the one it
        continued.
    """
    born: dict[int, str] = {}
    mine: list[int] = []
    if births_of in days:
        rows = con.execute(
            "SELECT mode(cluster_id), name, track_id FROM memberships JOIN tracks USING (track_id) "
            "WHERE day = $1 AND first_day = $1 AND cluster_id IS NOT NULL "
            "GROUP BY name, track_id ORDER BY name",
            [births_of],
        ).fetchall()
        born = {cluster: name for cluster, name, _ in rows}
        mine = [cluster for cluster, _, number in rows if number == track_id]
    asked = {"track": track_id, "days": list(days), "born_on": births_of, "born_as": mine}
    tried: pl.DataFrame = con.sql(_TRIED, params=asked).pl()
    taken: dict[date, dict[str, int]] = {}
    for day, name, cluster in con.execute(
        "SELECT day, name, min(cluster_id) FROM decisions JOIN tracks USING (track_id) "
        "WHERE taken AND list_contains($1::DATE[], day) GROUP BY day, name",
        [list(days)],
    ).fetchall():
        taken.setdefault(day, {})[name] = cluster
    merged: dict[date, dict[str, str]] = {}
    for day, name, heir in con.execute(
        "SELECT day, gone.name, heir.name FROM lineage JOIN tracks gone USING (track_id) "
        "JOIN tracks heir ON heir.track_id = related_track_id "
        "WHERE event = 'merge' AND list_contains($1::DATE[], day)",
        [list(days)],
    ).fetchall():
        merged.setdefault(day, {})[name] = heir
    parts = [
        _explained(part, taken.get(day, {}), born if day == births_of else {}, merged.get(day, {}))
        for (day,), part in tried.group_by("day", maintain_order=True)
    ]
    return pl.concat(parts) if parts else tried.with_columns(why=pl.lit("")).clear()


def _explained(
    tried: pl.DataFrame,
    elsewhere: Mapping[str, int],
    born: Mapping[int, str],
    merged: Mapping[str, str],
) -> pl.DataFrame:
    rows = tried.drop("day", "track_id").iter_rows(named=True)
    words = explain([Candidate(**row) for row in rows], elsewhere, born, merged)
    return tried.with_columns(why=pl.Series(words, dtype=pl.String))
