"""Publication: at once or not at all, and read without a way out."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from dante.errors import DanteError
from dante.store.home import Home
from dante.store.publish import PUBLISHED, publish, read_lineage
from dante.store.state import open_state

from .conftest import DAY, count, day, elsewhere, record, run


def test_all_views_are_published_and_nothing_of_the_pipelines_own(home: Home) -> None:
    """The published database has the ten names people query, with the columns the design fixes."""
    with open_state(home) as state:
        state.commit_day(record(DAY), run())
    publish(home)
    with read_lineage(home) as con:
        names = con.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
        ).fetchall()
        assert sorted(names) == sorted(("main", name) for name in PUBLISHED)
        columns = {
            name: [r[0] for r in con.execute(f"DESCRIBE {name}").fetchall()] for name in PUBLISHED
        }
        track = con.execute("SELECT * EXCLUDE label FROM tracks").fetchall()
    fixed = {
        "memberships": "day src track_id cluster_id packets strength",
        "tracks": "track_id name state first_day last_day days_active senders packets "
        "top_ports label",
        "lineage": "day track_id event related_track_id similarity shared_senders",
        "track_days": "day track_id senders packets top_ports top_networks",
        "threats": "day track_id kind score reasons",
        "daily": "day packets backscatter_packets senders clusters noise_senders "
        "tracks_active births model_id",
        "models": "model_id trained_on window_start window_end words dimensions",
        "quality": "day contract check passed observed severity",
        "ingests": "day source digest rows quarantined ingested_at",
        "runs": "run_id flow day status started_at seconds error",
    }
    for name, wanted in fixed.items():
        assert columns[name][: len(wanted.split())] == wanted.split(), name
    assert track == [(1, "telnet-1", "active", DAY, DAY, 1, 1, 5, "p", 1, None)]


_READ = """
import sys
from pathlib import Path
from dante.store.home import Home
from dante.store.publish import read_lineage
con = read_lineage(Home(Path(sys.argv[1])))
for _ in range(2):
    print(con.execute("SELECT count(*) FROM memberships").fetchone()[0], flush=True)
    sys.stdin.readline()
"""


def test_a_reader_keeps_the_old_publication_and_a_new_one_has_the_new(home: Home) -> None:
    """Publishing under an open reader neither fails nor changes what it sees."""
    with open_state(home) as state:
        state.commit_day(record(DAY))
    publish(home)
    with elsewhere(_READ, home.root) as old:
        assert old.stdout is not None
        assert old.stdin is not None
        assert old.stdout.readline() == b"1\n"
        with open_state(home) as state:
            state.commit_day(record(day(1)))
        publish(home)
        old.stdin.write(b"\n")
        old.stdin.flush()
        assert old.stdout.readline() == b"1\n"
        with read_lineage(home) as con:
            assert count(con, "memberships") == 2
        old.communicate(b"\n")


_DIE_PUBLISHING = """
import os, sys, duckdb
from pathlib import Path
from dante.store import publish
from dante.store.home import Home
class Dies:
    def __init__(self, con): self.con = con
    def execute(self, sql):
        if "DROP" in sql: os.kill(os.getpid(), 9)
        return self.con.execute(sql)
class Module:
    Error = duckdb.Error
    connect = staticmethod(lambda path: Dies(duckdb.connect(path)))
publish.duckdb = Module
publish.publish(Home(Path(sys.argv[1])))
"""


def test_a_killed_publication_is_made_up_for_by_the_next(home: Home) -> None:
    """After a kill in the middle the old publication stands, and the next one goes through."""
    publish(home)
    before = home.lineage.read_bytes()
    with open_state(home) as state:
        state.commit_day(record(DAY))
    with elsewhere(_DIE_PUBLISHING, home.root) as killed:
        killed.communicate()
    assert killed.returncode == -9
    assert home.lineage.read_bytes() == before
    publish(home)
    with read_lineage(home) as con:
        assert count(con, "memberships") == 1
    assert sorted(path.name for path in home.root.iterdir() if path.name != ".locks") == [
        "lineage.duckdb",
        "state.duckdb",
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM secret",
        "COPY (SELECT 1) TO '{new}'",
        "COPY runs FROM '{file}'",
        "EXPORT DATABASE '{new}'",
        "ATTACH '{state}' AS state",
        "ATTACH '{new}' AS mine",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET memory_limit = '1TB'",
        "RESET lock_configuration",
        "PRAGMA enable_profiling",
        "CREATE TABLE mine (a INTEGER)",
        "CREATE VIEW mine AS SELECT 1",
        "INSERT INTO runs SELECT * FROM runs",
        "UPDATE runs SET flow = 'x'",
        "DELETE FROM runs",
        "DROP TABLE runs",
        "ALTER TABLE runs ADD COLUMN x INTEGER",
        "SELECT * FROM 'https://192.0.2.1/x.parquet'",
    ],
)
def test_a_query_can_neither_write_nor_leave_the_publication(
    home: Home, tmp_path: Path, sql: str
) -> None:
    """SQL that people send cannot change anything, nor reach files, network or Python."""
    publish(home)
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    secret = pl.DataFrame({"a": [1]})
    new = tmp_path / "new"
    before = home.lineage.read_bytes()
    with read_lineage(home) as con, pytest.raises(duckdb.Error):
        con.execute(sql.format(file=file, new=new, state=home.state)).fetchall()
    assert secret.height == 1
    assert not new.exists()
    assert home.lineage.read_bytes() == before


def test_reading_before_anything_is_published_says_what_to_do(home: Home) -> None:
    """A home without a publication, and one with a damaged one, are errors in a sentence."""
    with pytest.raises(DanteError, match="nothing is published"):
        read_lineage(home)
    home.root.mkdir()
    home.lineage.write_bytes(b"no database" * 100)
    with pytest.raises(DanteError, match="cannot be opened"):
        read_lineage(home)
