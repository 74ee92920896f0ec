"""Publication: `lineage.duckdb`, a copy of the state for people to query, replaced atomically."""

# Annotations stay text: Prefect keeps flows alive beyond the end of the interpreter, and DuckDB's
# types, kept alive with them, would make its bindings complain of leaks on stderr.
from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable

import duckdb

from dante.errors import DanteError, NotEnoughDataError
from dante.schema import PROTOCOL_NAMES
from dante.store.home import Home, unwritable, write_whole
from dante.store.state import State, closed_state

__all__ = ["PUBLISHED", "is_published", "publish", "read_lineage"]

PUBLISHED = (
    "memberships",
    "tracks",
    "lineage",
    "decisions",
    "track_days",
    "threats",
    "threats_held",
    "floods",
    "daily",
    "models",
    "quality",
    "ingests",
    "runs",
    "track_senders",
    "track_ports",
    "histograms",
    "track_traits",
    "track_labels",
    "label_networks",
)

Finish = Callable[["duckdb.DuckDBPyConnection"], None]

# Made when published, so that a reader need not read a year of memberships for one track: sorted
# by track and address, so that DuckDB passes over all other tracks' rows.
_TRACK_SENDERS = """
    CREATE TABLE track_senders (
        track_id INTEGER NOT NULL,
        src VARCHAR GENERATED ALWAYS AS (CASE WHEN address < 4294967296
            THEN concat_ws('.', address // 16777216, address // 65536 % 256,
                           address // 256 % 256, address % 256)
            ELSE regexp_replace(printf('%x:%x:%x:%x', address // 281474976710656,
                                       address // 4294967296 % 65536, address // 65536 % 65536,
                                       address % 65536), '(:0)+$', '') || '::/64' END) VIRTUAL,
        first_day DATE NOT NULL, last_day DATE NOT NULL, days INTEGER NOT NULL,
        packets BIGINT NOT NULL, address UBIGINT NOT NULL);
    INSERT INTO track_senders (track_id, first_day, last_day, days, packets, address)
    SELECT track_id, min(day), max(day), CAST(count(*) AS INTEGER),
           CAST(sum(packets) AS BIGINT), address
    FROM memberships WHERE track_id IS NOT NULL GROUP BY track_id, address
    ORDER BY track_id, address;
"""

_TRACK_PORTS = """
    CREATE TABLE track_ports AS
    WITH parts AS (
        SELECT day, track_id, unnest(string_split(top_ports, ', ')) AS part FROM track_days)
    SELECT day, track_id, split_part(part, ' ', 1) AS port,
           TRY_CAST(rtrim(split_part(part, ' ', 2), '%') AS DOUBLE) / 100 AS share
    FROM parts WHERE part <> '' ORDER BY day, track_id, share DESC, port
"""

_PROTOCOLS = " ".join(f"WHEN {number} THEN '{name}'" for number, name in PROTOCOL_NAMES.items())
_HISTOGRAMS = f"""
    CREATE TABLE histograms AS
    WITH newest AS (
        SELECT * FROM pipeline.track_states
        QUALIFY row_number() OVER (PARTITION BY track_id ORDER BY day DESC) = 1),
    parts AS (
        SELECT track_id, unnest(words) AS word, unnest(weights) AS weight FROM newest)
    SELECT track_id, (word % 65536) || '/' || CASE word // 65536 {_PROTOCOLS}
           ELSE 'ip' || (word // 65536) END AS port,
           weight / sum(weight) OVER (PARTITION BY track_id) AS weight
    FROM parts ORDER BY track_id, weight DESC, word
"""

# Codes of `dante.clustering.evidence`: the trait's place in its list · 2^32 + value + 1. The rooms
# above name their traits and tools; a test holds the names here against theirs.
TRAIT_NAMES = ("tool", "ttl", "ttl_varies", "window", "tcp_length", "ip_id", "one_sport")
TOOL_NAMES = ("none", "mirai", "zmap", "masscan")
IP_ID_NAMES = ("zero", "constant", "counts up", "random")
# Sums of decimals, for a sum of floating numbers depends on the order DuckDB's threads come in.
_TRACK_TRAITS = f"""
    CREATE TABLE track_traits AS
    WITH newest AS (
        SELECT * FROM pipeline.track_states
        QUALIFY row_number() OVER (PARTITION BY track_id ORDER BY day DESC) = 1),
    parts AS (
        SELECT track_id, unnest(traits) AS code, unnest(trait_senders) AS senders FROM newest),
    named AS (
        SELECT track_id, list_extract({list(TRAIT_NAMES)}, CAST(code // 4294967296 AS INTEGER) + 1)
                   AS trait, CAST(code % 4294967296 AS BIGINT) - 1 AS number, senders FROM parts),
    shown AS (
        SELECT track_id, trait, CASE
                   WHEN trait = 'tool' THEN coalesce({list(TOOL_NAMES)}[number + 1],
                                                     CAST(number AS VARCHAR))
                   WHEN trait = 'ip_id' THEN {list(IP_ID_NAMES)}[number + 1]
                   WHEN trait IN ('ttl_varies', 'one_sport') AND number = 0 THEN 'no'
                   WHEN trait IN ('ttl_varies', 'one_sport') THEN 'yes'
                   WHEN number < 0 THEN 'varies' ELSE CAST(number AS VARCHAR) END AS value, senders
        FROM named WHERE trait IS NOT NULL
        UNION ALL
        SELECT track_id, 'hour', lpad(CAST(hour AS VARCHAR), 2, '0'), senders
        FROM (SELECT track_id, unnest(range(len(hours))) AS hour, unnest(hours) AS senders
              FROM newest))
    SELECT track_id, trait, value,
           senders / CAST(sum(CAST(senders AS DECIMAL(38, 12)))
                          OVER (PARTITION BY track_id, trait) AS DOUBLE) AS share
    FROM shown WHERE senders > 0 ORDER BY track_id, trait, share DESC, value
"""

_TRACKS = """
    CREATE TABLE tracks AS
    WITH newest AS (
        SELECT * FROM pipeline.track_states
        QUALIFY row_number() OVER (PARTITION BY track_id ORDER BY day DESC) = 1),
    members AS (
        SELECT track_id, count(*) AS senders FROM track_senders GROUP BY track_id),
    ports AS (
        SELECT track_id, arg_max(top_ports, day) AS top_ports FROM track_days GROUP BY track_id)
    SELECT track_id, name, state, first_day, last_day, days_active,
           coalesce(members.senders, 0) AS senders, packets, top_ports,
           CAST(NULL AS VARCHAR) AS label, peak_senders, CAST(NULL AS DOUBLE) AS label_share
    FROM newest LEFT JOIN members USING (track_id) LEFT JOIN ports USING (track_id)
    ORDER BY track_id
"""

_THREATS = """
    ALTER TABLE threats RENAME TO judged;
    CREATE TABLE threats AS
    SELECT *, CAST(row_number() OVER (PARTITION BY key ORDER BY day) AS INTEGER) AS sighting
    FROM judged ORDER BY day, score DESC, track_id;
    DROP TABLE judged;
"""

# Filled in by the rooms above, which know the labels.
_LABELS = """
    CREATE TABLE track_labels (
        track_id INTEGER NOT NULL, kind VARCHAR NOT NULL, name VARCHAR NOT NULL,
        senders BIGINT NOT NULL, share DOUBLE NOT NULL);
    CREATE TABLE label_networks (
        kind VARCHAR NOT NULL, first UBIGINT NOT NULL, last UBIGINT NOT NULL,
        name VARCHAR NOT NULL);
"""

_MADE = (_TRACK_SENDERS, _TRACK_PORTS, _HISTOGRAMS, _TRACK_TRAITS, _TRACKS, _THREATS, _LABELS)


def publish(home: Home, *, wait: float = 0.0, finish: Finish | None = None) -> None:
    """Replace the published database by a copy of the state as it is now.

    Readers that have the old file open keep seeing it whole; new ones see the new.

    Args:
        home: whose state.
        wait: seconds to wait for another process to let go of it.
        finish: called with the copy before it is published, to fill in what the rooms above
            know.

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
                # In the file itself, so that it is replaced together with what it is of.
                con.execute(f"COMMENT ON TABLE daily IS '{_version(State(con))}'")
                for table in _MADE:
                    con.execute(table)
                if finish is not None:
                    finish(con)
                con.execute("DROP SCHEMA pipeline CASCADE")
                con.execute("DROP TABLE migrations")
                con.execute("CHECKPOINT")
            finally:
                con.close()
        except duckdb.Error as error:
            raise unwritable(error, home.lineage) or DanteError(
                f"a copy of {home.state} cannot be made for people to query "
                f"({str(error).splitlines()[0][:200]}); if the disk is well, move it away and run "
                "the backfill again"
            ) from None
        finally:
            log.unlink(missing_ok=True)


def is_published(home: Home, state: State) -> bool:
    """Whether the publication is there, readable, and of the state as it is now."""
    try:
        with read_lineage(home) as con:
            found = con.execute(
                "SELECT comment FROM duckdb_tables() WHERE table_name = 'daily'"
            ).fetchone()
    except (DanteError, duckdb.Error):
        return False
    return found is not None and found[0] == _version(state)


def _version(state: State) -> str:
    """What a publication is of: the state, and how its tables are made."""
    made = hashlib.sha256("".join(_MADE).encode()).hexdigest()[:8]
    return f"{state.version()}-{made}"


def read_lineage(home: Home, *, memory: str | None = None) -> duckdb.DuckDBPyConnection:
    """A read-only connection to the published database, with no way to files or network.

    Args:
        home: whose publication is read.
        memory: the most it may take, `1GB`, and nothing is put aside on disk then; None for
            DuckDB's own bounds.

    Raises:
        NotEnoughDataError: nothing was published yet.
        DanteError: it cannot be opened.
    """
    if not home.lineage.is_file():
        raise NotEnoughDataError(
            f"nothing is published in {home.root} yet; ingest packets and run `dante backfill`"
        )
    bounds = {} if memory is None else {"memory_limit": memory, "max_temp_directory_size": "0B"}
    try:
        return duckdb.connect(
            home.lineage,
            read_only=True,
            config={
                **bounds,
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
