"""Publication: `lineage.duckdb`, a copy of the state for people to query, replaced atomically."""

# Annotations stay text: Prefect keeps flows alive beyond the end of the interpreter, and DuckDB's
# types, kept alive with them, would make its bindings complain of leaks on stderr.
from __future__ import annotations

import shutil

import duckdb

from dante.errors import DanteError, NotEnoughDataError
from dante.store.home import Home, write_whole
from dante.store.state import closed_state

__all__ = ["PUBLISHED", "publish", "read_lineage"]

PUBLISHED = (
    "memberships",
    "tracks",
    "lineage",
    "track_days",
    "threats",
    "daily",
    "models",
    "quality",
    "ingests",
    "runs",
)

# Made when published, so that a reader does not pay for the count of distinct senders.
_TRACKS = """
    CREATE TABLE tracks AS
    WITH newest AS (
        SELECT * FROM pipeline.track_states
        QUALIFY row_number() OVER (PARTITION BY track_id ORDER BY day DESC) = 1),
    members AS (
        SELECT track_id, count(DISTINCT address) AS senders
        FROM memberships WHERE track_id IS NOT NULL GROUP BY track_id),
    ports AS (
        SELECT track_id, arg_max(top_ports, day) AS top_ports FROM track_days GROUP BY track_id)
    SELECT track_id, name, state, first_day, last_day, days_active,
           coalesce(members.senders, 0) AS senders, packets, top_ports,
           CAST(NULL AS VARCHAR) AS label, peak_senders
    FROM newest LEFT JOIN members USING (track_id) LEFT JOIN ports USING (track_id)
    ORDER BY track_id
"""


def publish(home: Home, *, wait: float = 0.0) -> None:
    """Replace the published database by a copy of the state as it is now.

    Readers that have the old file open keep seeing it whole; new ones see the new.

    Raises:
        BusyError: another process holds the state after `wait` seconds.
    """
    with closed_state(home, wait=wait) as state, write_whole(home.lineage) as copy:
        # A publication that was cut off may have left a log, which would be replayed.
        log = copy.with_name(f"{copy.name}.wal")
        log.unlink(missing_ok=True)
        shutil.copyfile(state, copy)
        try:
            con = duckdb.connect(copy)
            try:
                con.execute(_TRACKS)
                con.execute("DROP SCHEMA pipeline CASCADE")
                con.execute("DROP TABLE migrations")
                con.execute("CHECKPOINT")
            finally:
                con.close()
        except duckdb.Error as error:
            raise DanteError(
                f"a copy of {home.state} cannot be made for people to query "
                f"({str(error).splitlines()[0][:200]}); if the disk is well, move it away and run "
                "the backfill again"
            ) from None
        finally:
            log.unlink(missing_ok=True)


def read_lineage(home: Home) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the published database, with no way to files or network.

    Raises:
        NotEnoughDataError: nothing was published yet.
        DanteError: it cannot be opened.
    """
    if not home.lineage.is_file():
        raise NotEnoughDataError(
            f"nothing is published in {home.root} yet; ingest packets and run `dante backfill`"
        )
    try:
        return duckdb.connect(
            home.lineage,
            read_only=True,
            config={
                "enable_external_access": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "lock_configuration": "true",
            },
        )
    except duckdb.Error as error:
        raise DanteError(
            f"{home.lineage} cannot be opened ({str(error).splitlines()[0][:200]}); "
            "delete it and run `dante backfill`, which publishes it anew"
        ) from None
