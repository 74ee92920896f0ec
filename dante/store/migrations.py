"""The tables of `state.duckdb`, as named migrations, each applied once in its own transaction.

The design after sqlite-utils' migrations: ordered named functions and a table of those applied.
A migration that has been released is never edited; a change is a new one below it.
"""

# Annotations stay text: Prefect keeps flows alive beyond the end of the interpreter, and DuckDB's
# types, kept alive with them, would make its bindings complain of leaks on stderr.
from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import duckdb

__all__ = ["MIGRATIONS", "apply_migrations", "pending"]

Migration = Callable[["duckdb.DuckDBPyConnection"], None]


def _first_tables(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        CREATE SCHEMA pipeline;
        -- Days that are committed; the fingerprint says from what.
        CREATE TABLE pipeline.days (
            day DATE PRIMARY KEY, fingerprint VARCHAR NOT NULL, stale BOOLEAN NOT NULL);
        -- What the tracker knew of a track at the end of a day, one row for each day it changed:
        -- rewinding is deleting, and the state of any day is the newest row of each track by then.
        CREATE TABLE pipeline.track_states (
            track_id INTEGER NOT NULL, day DATE NOT NULL, name VARCHAR NOT NULL,
            state VARCHAR NOT NULL, first_day DATE NOT NULL, last_day DATE NOT NULL,
            days_active INTEGER NOT NULL, packets BIGINT NOT NULL, peak_senders BIGINT NOT NULL,
            words UINTEGER[] NOT NULL, weights DOUBLE[] NOT NULL, senders UBIGINT[] NOT NULL,
            news_day DATE NOT NULL, news_away INTEGER, raised BIGINT NOT NULL,
            stability DOUBLE NOT NULL,
            PRIMARY KEY (track_id, day));

        CREATE TABLE memberships (
            day DATE NOT NULL, src VARCHAR NOT NULL, track_id INTEGER, cluster_id INTEGER,
            packets BIGINT NOT NULL, strength DOUBLE NOT NULL, address UBIGINT NOT NULL);
        CREATE TABLE lineage (
            day DATE NOT NULL, track_id INTEGER NOT NULL, event VARCHAR NOT NULL,
            related_track_id INTEGER, similarity DOUBLE, shared_senders BIGINT);
        CREATE TABLE track_days (
            day DATE NOT NULL, track_id INTEGER NOT NULL, senders BIGINT NOT NULL,
            packets BIGINT NOT NULL, top_ports VARCHAR NOT NULL, top_networks VARCHAR NOT NULL);
        CREATE TABLE threats (
            day DATE NOT NULL, track_id INTEGER NOT NULL, kind VARCHAR NOT NULL,
            score DOUBLE NOT NULL, reasons VARCHAR NOT NULL, senders BIGINT NOT NULL);
        CREATE TABLE daily (
            day DATE NOT NULL, packets BIGINT NOT NULL, backscatter_packets BIGINT NOT NULL,
            senders BIGINT NOT NULL, clusters BIGINT NOT NULL, noise_senders BIGINT NOT NULL,
            tracks_active BIGINT NOT NULL, births BIGINT NOT NULL, model_id VARCHAR NOT NULL);
        CREATE TABLE models (
            model_id VARCHAR PRIMARY KEY, trained_on DATE NOT NULL, window_start DATE NOT NULL,
            window_end DATE NOT NULL, words BIGINT NOT NULL, dimensions BIGINT NOT NULL);
        CREATE TABLE quality (
            day DATE NOT NULL, contract VARCHAR NOT NULL, "check" VARCHAR NOT NULL,
            passed BOOLEAN NOT NULL, observed VARCHAR NOT NULL, severity VARCHAR NOT NULL);
        CREATE TABLE ingests (
            day DATE, source VARCHAR NOT NULL, digest VARCHAR NOT NULL, rows BIGINT NOT NULL,
            quarantined BIGINT NOT NULL, ingested_at TIMESTAMP NOT NULL);
        CREATE TABLE runs (
            run_id VARCHAR NOT NULL, flow VARCHAR NOT NULL, day DATE, status VARCHAR NOT NULL,
            started_at TIMESTAMP NOT NULL, seconds DOUBLE NOT NULL, error VARCHAR);
    """)


def _what_tracks_show(con: duckdb.DuckDBPyConnection) -> None:
    """Tracks remember headers, hours and networks, and why each match was made is kept.

    What was known of older tracks is too little to go on with: every day is run again.
    """
    for name, kind in (
        ("size", "DOUBLE DEFAULT 0"),
        ("heard", "DOUBLE DEFAULT 0"),
        ("users", "DOUBLE[]"),
        ("traits", "UBIGINT[]"),
        ("trait_senders", "DOUBLE[]"),
        ("hours", "DOUBLE[]"),
        ("networks", "UBIGINT[]"),
        ("network_senders", "DOUBLE[]"),
        ("forgotten", "DOUBLE DEFAULT 0"),
    ):
        con.execute(f"ALTER TABLE pipeline.track_states ADD COLUMN {name} {kind}")
    con.execute("ALTER TABLE lineage ADD COLUMN probability DOUBLE")
    con.execute("""
        CREATE TABLE decisions (
            day DATE NOT NULL, cluster_id INTEGER NOT NULL, track_id INTEGER NOT NULL,
            probability DOUBLE NOT NULL, taken BOOLEAN NOT NULL, ports DOUBLE NOT NULL,
            rare_ports DOUBLE NOT NULL, headers DOUBLE NOT NULL, hours DOUBLE NOT NULL,
            networks DOUBLE NOT NULL, senders_shared DOUBLE NOT NULL)
    """)
    con.execute("UPDATE pipeline.days SET stale = true")


def _broken_days(con: duckdb.DuckDBPyConnection) -> None:
    # Days that break their contract, with a digest of what was judged: until that changes, a run
    # that skips such days need not judge them again.
    con.execute("CREATE TABLE pipeline.broken (day DATE PRIMARY KEY, inputs VARCHAR NOT NULL)")


def _threats_with_keys(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("""
        -- Columns with constraints cannot be added, so the table is made anew.
        ALTER TABLE threats RENAME TO threats_before;
        CREATE TABLE threats (
            day DATE NOT NULL, track_id INTEGER NOT NULL, kind VARCHAR NOT NULL,
            score DOUBLE NOT NULL, reasons VARCHAR NOT NULL, senders BIGINT NOT NULL,
            key VARCHAR NOT NULL, shape VARCHAR, news_day DATE NOT NULL);
        INSERT INTO threats
        SELECT before.*, coalesce(name, 'track-' || track_id) || '@' || coalesce(news_day, day),
               NULL, coalesce(news_day, day)
        FROM threats_before AS before LEFT JOIN pipeline.track_states USING (track_id, day);
        DROP TABLE threats_before;
        CREATE TABLE threats_held (
            day DATE NOT NULL, track_id INTEGER NOT NULL, kind VARCHAR NOT NULL,
            score DOUBLE NOT NULL, reasons VARCHAR NOT NULL, senders BIGINT NOT NULL,
            key VARCHAR NOT NULL, shape VARCHAR, news_day DATE NOT NULL);

        CREATE TABLE floods (
            day DATE NOT NULL, src VARCHAR NOT NULL, shape VARCHAR NOT NULL, port VARCHAR,
            ports BIGINT NOT NULL, packets BIGINT NOT NULL, usual BIGINT NOT NULL,
            times DOUBLE NOT NULL, address UBIGINT NOT NULL);
        -- What floods are held against: of each day the ports with the most packets, the
        -- packets that it took, and the most ports one sender tried.
        CREATE TABLE pipeline.port_days (
            day DATE NOT NULL, word UINTEGER NOT NULL, packets BIGINT NOT NULL);
        CREATE TABLE pipeline.volumes (
            day DATE NOT NULL, least BIGINT NOT NULL, widest BIGINT NOT NULL);
    """)


MIGRATIONS: Final[tuple[tuple[str, Migration], ...]] = (
    ("0001_first_tables", _first_tables),
    ("0002_what_tracks_show", _what_tracks_show),
    ("0003_broken_days", _broken_days),
    ("0004_threats_with_keys", _threats_with_keys),
)


def pending(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of migrations not applied yet; reads only."""
    known = con.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_name = 'migrations'"
    ).fetchone()
    applied = (
        {name for (name,) in con.execute("SELECT name FROM migrations").fetchall()}
        if known
        else set()
    )
    return [name for name, _ in MIGRATIONS if name not in applied]


def apply_migrations(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Apply what is pending, in order, each with its own record in one transaction."""
    waiting = pending(con)
    for name, migration in MIGRATIONS:
        if name not in waiting:
            continue
        con.execute("BEGIN")
        try:
            con.execute(
                "CREATE TABLE IF NOT EXISTS migrations "
                "(name VARCHAR PRIMARY KEY, applied_at TIMESTAMP NOT NULL)"
            )
            migration(con)
            con.execute(
                "INSERT INTO migrations VALUES (?, ?)",
                [name, datetime.now(UTC).replace(tzinfo=None)],
            )
            con.execute("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # a COMMIT that failed has ended it
                con.execute("ROLLBACK")
            raise
    return waiting
