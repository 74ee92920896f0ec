"""What a report asks the published database: small functions of a connection, frames out.

Every frame is sorted on a total key. Nothing after the span's last day is looked at, so that a
report of a past span stays what it was when more days are committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import polars as pl

from dante.errors import NotEnoughDataError, UsageError

__all__ = [
    "Span",
    "activities",
    "check_counts",
    "daily",
    "events",
    "failed_checks",
    "find_span",
    "floods",
    "held",
    "models",
    "origins",
    "sources",
    "stopped_days",
    "threats",
    "track_days",
    "tracks",
]

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class Span:
    """The days that are looked at.

    Attributes:
        first, last: both inclusive; `last` is committed.
        until: last day for which failures count: a day that failed is after the last committed
            one as often as not. `date.max` when no last day was asked for.
    """

    first: date
    last: date
    until: date

    @property
    def days(self) -> int:
        """Calendar days from first to last."""
        return (self.last - self.first).days + 1


def find_span(con: Connection, *, last: date | None = None, days: int | None = None) -> Span:
    """The span that ends with the newest committed day, not after `last`.

    Args:
        con: the published database.
        last: leave later days out; None for all there are.
        days: calendar days to look back over; None for all there are.

    Raises:
        UsageError: `days` is less than 1.
        NotEnoughDataError: no day is committed, or none by `last`.
    """
    if days is not None and days < 1:
        raise UsageError(f"a span of {days} days holds none; ask for 1 or more")
    rows = con.execute(
        "SELECT min(day), max(day) FILTER (day <= ?), max(day) FROM daily", [last or date.max]
    ).fetchall()
    first, newest, end = rows[0]
    if end is None:
        raise NotEnoughDataError(
            "no day is published yet; ingest packets and run `dante backfill` first"
        )
    if newest is None:
        raise NotEnoughDataError(f"no day up to {last} is published; the days are {first} to {end}")
    if days is not None and days <= (newest - first).days:
        first = newest - timedelta(days=days - 1)
    return Span(first, newest, last or date.max)


def _frame(con: Connection, sql: str, *parameters: object, **named: object) -> pl.DataFrame:
    frame: pl.DataFrame = con.sql(sql, params=named or list(parameters)).pl()
    return frame


def daily(con: Connection, span: Span) -> pl.DataFrame:
    """The rows of `daily` in the span, in order of days."""
    return _frame(
        con, "SELECT * FROM daily WHERE day BETWEEN ? AND ? ORDER BY day", span.first, span.last
    )


def threats(con: Connection, span: Span) -> pl.DataFrame:
    """Threats of the span, newest first and the highest score first within a day.

    Returns:
        The columns of `threats` and the track's name, packets, top_ports and top_networks of
        the day; those are null where the day has none.
    """
    return _frame(
        con,
        """
        SELECT threats.*, tracks.name, track_days.packets, track_days.top_ports,
               track_days.top_networks
        FROM threats LEFT JOIN tracks USING (track_id) LEFT JOIN track_days USING (day, track_id)
        WHERE day BETWEEN ? AND ? ORDER BY day DESC, score DESC, track_id, kind, reasons
        """,
        span.first,
        span.last,
    )


def held(con: Connection, span: Span) -> int:
    """How many passed the test for a threat in the span and were not told of by its last day."""
    rows = con.execute(
        """
        SELECT count(DISTINCT key) FROM threats_held WHERE day BETWEEN $1 AND $2
        AND key NOT IN (SELECT key FROM threats WHERE day <= $2)
        """,
        [span.first, span.last],
    ).fetchall()
    return int(rows[0][0])


def floods(con: Connection, span: Span) -> pl.DataFrame:
    """The rows of `floods` in the span, newest first, most packets first within a day."""
    return _frame(
        con,
        "SELECT * EXCLUDE address FROM floods WHERE day BETWEEN ? AND ? "
        "ORDER BY day DESC, packets DESC, address, shape, port",
        span.first,
        span.last,
    )


def origins(con: Connection, span: Span) -> pl.DataFrame:
    """What lists call the senders of tracks that had no day after the span.

    Returns:
        track_id, kind (country, asn, scanners), name and share; the commonest first.
    """
    return _frame(
        con,
        """
        SELECT track_id, kind, track_labels.name, share
        FROM track_labels JOIN tracks USING (track_id) WHERE last_day <= ?
        ORDER BY track_id, kind, share DESC, track_labels.name
        """,
        span.last,
    )


def tracks(con: Connection, span: Span) -> pl.DataFrame:
    """The tracks with a cluster in the span, as they were on its last day.

    Returns:
        track_id, name, born (of all days there are), first_day, last_day, days_active,
        peak_senders, packets (of the span), state on the last day, and score: the highest of
        its threats in the span, null if it has none; in order of track_id.
    """
    return _frame(
        con,
        """
        WITH seen AS (
            SELECT track_id, min(day) AS first_day, max(day) AS last_day,
                   count(*) AS days_active, max(senders) AS peak_senders,
                   CAST(sum(packets) AS BIGINT) AS packets
            FROM track_days WHERE day BETWEEN $first AND $last GROUP BY track_id),
        newest AS (
            SELECT track_id, max_by(CASE event WHEN 'sleep' THEN 'asleep' WHEN 'end' THEN 'ended'
                                    WHEN 'merge' THEN 'ended' ELSE 'active' END, day) AS state
            FROM lineage WHERE day <= $last GROUP BY track_id),
        scores AS (
            SELECT track_id, max(score) AS score FROM threats
            WHERE day BETWEEN $first AND $last GROUP BY track_id)
        SELECT track_id, coalesce(tracks.name, 'track-' || track_id) AS name,
               coalesce(tracks.first_day, seen.first_day) AS born, seen.first_day, seen.last_day,
               seen.days_active, seen.peak_senders, seen.packets,
               coalesce(newest.state, 'active') AS state, score
        FROM seen LEFT JOIN tracks USING (track_id) LEFT JOIN newest USING (track_id)
             LEFT JOIN scores USING (track_id)
        ORDER BY track_id
        """,
        first=span.first,
        last=span.last,
    )


def track_days(con: Connection, span: Span, track_ids: Sequence[int]) -> pl.DataFrame:
    """Day, track_id, senders and packets of these tracks, in order of track_id and day."""
    return _frame(
        con,
        """
        SELECT day, track_id, senders, packets FROM track_days
        WHERE day BETWEEN ? AND ? AND list_contains(?::INTEGER[], track_id)
        ORDER BY track_id, day
        """,
        span.first,
        span.last,
        list(track_ids),
    )


def events(con: Connection, span: Span) -> pl.DataFrame:
    """The rows of `lineage` in the span that are not `continue`, in order."""
    return _frame(
        con,
        """
        SELECT * FROM lineage WHERE day BETWEEN ? AND ? AND event <> 'continue'
        ORDER BY day, track_id, event, related_track_id NULLS FIRST
        """,
        span.first,
        span.last,
    )


def activities(con: Connection, day: date) -> pl.DataFrame:
    """What a day's tracks did, most senders first.

    Returns:
        The columns of `track_days`, and the track's name and born, its first day.
    """
    return _frame(
        con,
        """
        SELECT track_days.*, coalesce(tracks.name, 'track-' || track_id) AS name,
               coalesce(tracks.first_day, day) AS born
        FROM track_days LEFT JOIN tracks USING (track_id)
        WHERE day = ? ORDER BY track_days.senders DESC, track_days.packets DESC, track_id
        """,
        day,
    )


def check_counts(con: Connection, span: Span) -> pl.DataFrame:
    """One row: made, the checks of the span, and failed, those that did."""
    return _frame(
        con,
        "SELECT count(*) AS made, count(*) FILTER (NOT passed) AS failed FROM quality "
        "WHERE day BETWEEN ? AND ?",
        span.first,
        span.until,
    )


def failed_checks(con: Connection, span: Span) -> pl.DataFrame:
    """Failed checks with the columns of `quality`, newest first, errors before warnings."""
    return _frame(
        con,
        """
        SELECT * FROM quality WHERE NOT passed AND day BETWEEN ? AND ?
        ORDER BY day DESC, severity, "check", contract, observed
        """,
        span.first,
        span.until,
    )


def stopped_days(con: Connection, span: Span) -> pl.DataFrame:
    """Days whose newest run failed and that are not committed: day and error, newest first."""
    return _frame(
        con,
        """
        SELECT day, max_by(coalesce(error, 'no reason was kept'), (started_at, run_id)) AS error
        FROM runs
        WHERE day BETWEEN ? AND ? AND status = 'failed' AND day NOT IN (SELECT day FROM daily)
        GROUP BY day ORDER BY day DESC
        """,
        span.first,
        span.until,
    )


def sources(con: Connection, span: Span) -> pl.DataFrame:
    """What each source gave for the span, and the rows refused; most refused first.

    Returns:
        source, files, days, rows, quarantined. Rows whose day could not be read count too.
    """
    return _frame(
        con,
        """
        SELECT source, count(DISTINCT digest) AS files, count(DISTINCT day) AS days,
               CAST(sum(rows) AS BIGINT) AS rows, CAST(sum(quarantined) AS BIGINT) AS quarantined
        FROM ingests WHERE day BETWEEN ? AND ? OR day IS NULL
        GROUP BY source ORDER BY quarantined DESC, rows DESC, source
        """,
        span.first,
        span.until,
    )


def models(con: Connection, span: Span) -> pl.DataFrame:
    """The models the span's days were judged with, newest first.

    Returns:
        The columns of `models` and days, how many of the span's days each judged.
    """
    return _frame(
        con,
        """
        WITH used AS (SELECT model_id, count(*) AS days FROM daily
                      WHERE day BETWEEN ? AND ? GROUP BY model_id)
        SELECT models.*, used.days FROM models JOIN used USING (model_id)
        ORDER BY trained_on DESC, model_id
        """,
        span.first,
        span.last,
    )
