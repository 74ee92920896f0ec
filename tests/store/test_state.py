"""One writer, migrations in order, and one transaction a day."""

from collections.abc import Iterator
from contextlib import closing
from types import MappingProxyType

import duckdb
import pytest

from dante.errors import BusyError, DanteError
from dante.store import migrations
from dante.store.home import Home
from dante.store.migrations import apply_migrations, pending
from dante.store.publish import publish
from dante.store.state import DAY_TABLES, DayRecord, RunRecord, State, open_state

from .conftest import DAY, NOW, count, day, elsewhere, record, run


def test_migrations_are_applied_once() -> None:
    """Applied to a new database all run, in order; applied again none does."""
    with closing(duckdb.connect()) as con:
        names = [name for name, _ in migrations.MIGRATIONS]
        assert names == sorted(names)
        assert pending(con) == names
        assert apply_migrations(con) == names
        assert pending(con) == []
        assert apply_migrations(con) == []
        assert count(con, "migrations") == len(names)


def test_a_failing_migration_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a migration did before it failed is taken back, and it can be tried again."""
    broken = [True]

    def second(con: duckdb.DuckDBPyConnection) -> None:
        con.execute("CREATE TABLE half (a INTEGER)")
        con.execute("ALTER TABLE runs ADD COLUMN extra INTEGER")
        if broken:
            raise RuntimeError("power cut")

    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ("9999_second", second)))
    with closing(duckdb.connect()) as con:
        with pytest.raises(RuntimeError, match="power cut"):
            apply_migrations(con)
        assert pending(con) == ["9999_second"]
        assert "half" not in {name for (name,) in con.execute("SHOW TABLES").fetchall()}
        assert "extra" not in {row[0] for row in con.execute("DESCRIBE runs").fetchall()}
        broken.clear()
        assert apply_migrations(con) == ["9999_second"]
        assert count(con, "half") == 0


def test_data_outlive_a_migration(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of the version before is brought up when it is opened, with all its rows."""
    with open_state(home) as state:
        state.commit_day(record(DAY), run())
    add = ("9999_more", lambda con: con.execute("ALTER TABLE runs ADD COLUMN extra INTEGER"))
    monkeypatch.setattr(migrations, "MIGRATIONS", (*migrations.MIGRATIONS, add))
    with open_state(home) as state:
        assert pending(state.con) == []
        assert count(state.con, "memberships") == 1
        assert state.con.execute("SELECT run_id, extra FROM runs").fetchall() == [("r", None)]


# State


@pytest.fixture
def state() -> Iterator[State]:
    """A state in memory."""
    with closing(duckdb.connect()) as con:
        apply_migrations(con)
        yield State(con)


def test_a_commit_replaces_its_day_and_makes_later_ones_stale(state: State) -> None:
    """Committing a middle day again leaves one row of it, and only the days after it stale."""
    for number in range(3):
        state.commit_day(record(day(number)))
    state.commit_day(record(day(1), src="198.51.100.9"))
    for table in DAY_TABLES:
        assert count(state.con, table) == 3, table
    found = state.con.execute("SELECT src FROM memberships ORDER BY day").fetchall()
    assert found == [("192.0.2.1",), ("198.51.100.9",), ("192.0.2.1",)]
    assert list(state.fingerprints()) == [day(0), day(1)]
    assert state.committed_days() == [day(0), day(1), day(2)]
    assert state.fingerprint_before(day(2)) == f"fp-{day(1)}-198.51.100.9"
    assert state.fingerprint_before(day(0)) is None


def test_a_commit_that_fails_changes_nothing(state: State) -> None:
    """If one table refuses a row, all other tables keep the day as it was."""
    state.commit_day(record(DAY), run("first"))
    bad = record(DAY, src="198.51.100.9")
    tables = {**bad.tables, "quality": bad.tables["quality"].with_columns(passed=None)}
    with pytest.raises(duckdb.Error):
        state.commit_day(
            DayRecord(DAY, "new", MappingProxyType(tables), bad.models, bad.ingests), run("second")
        )
    assert state.con.execute("SELECT src FROM memberships").fetchall() == [("192.0.2.1",)]
    assert state.con.execute("SELECT run_id FROM runs").fetchall() == [("first",)]
    assert state.fingerprints()[DAY] == f"fp-{DAY}-192.0.2.1"
    state.commit_day(record(DAY, src="203.0.113.5"))
    assert state.con.execute("SELECT src FROM memberships").fetchall() == [("203.0.113.5",)]


def test_rewinding_takes_back_days_and_models_nobody_uses(state: State) -> None:
    """Rewound days leave no row, nor do their models; runs are history and stay."""
    for number in range(4):
        state.commit_day(record(day(number), model_id=f"m{number // 2}"), run(f"r{number}"))
    assert state.rewind(day(1)) == [day(1), day(2), day(3)]
    for table in (*DAY_TABLES, "pipeline.days"):
        assert state.frame(f"SELECT DISTINCT day FROM {table}")["day"].to_list() == [DAY], table
    assert state.frame("SELECT model_id FROM models")["model_id"].to_list() == ["m0"]
    assert count(state.con, "runs") == 4
    assert state.rewind(day(1)) == []


def test_forgetting_one_day_keeps_the_others(state: State) -> None:
    """A forgotten day leaves no row, and the days after it are stale."""
    for number in range(3):
        state.commit_day(record(day(number)))
    state.forget_day(day(1))
    assert state.committed_days() == [day(0), day(2)]
    assert list(state.fingerprints()) == [day(0)]
    assert count(state.con, "memberships") == 2


def test_a_failure_keeps_its_checks_and_its_error(state: State) -> None:
    """A failed run is a row of `runs`, its checks replace older ones, nothing is committed."""
    quality = record(DAY).tables["quality"]
    for run_id in ("a", "b"):
        failed = RunRecord(run_id, "run", DAY, "failed", NOW, 0.1, "it broke")
        state.add_failure(DAY, quality, failed)
    assert count(state.con, "quality") == 1
    assert state.con.execute("SELECT run_id, error FROM runs ORDER BY 1").fetchall() == [
        ("a", "it broke"),
        ("b", "it broke"),
    ]
    assert state.committed_days() == []


def test_a_file_that_is_no_database_is_named(home: Home) -> None:
    """A state that DuckDB cannot open is an error with its path, not a traceback of DuckDB."""
    home.root.mkdir()
    home.state.write_bytes(b"this is no database" * 1000)
    with pytest.raises(DanteError, match="cannot be opened"), open_state(home):
        pass


_HOLD_LOCK = """
import sys
from pathlib import Path
from dante.store.home import Home
with Home(Path(sys.argv[1])).lock("state"):
    print("held", flush=True)
    sys.stdin.read()
"""
_HOLD_FILE = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", ["lock", "file"])
def test_a_state_in_use_elsewhere_is_busy(home: Home, kind: str) -> None:
    """Held by another dante, or open in another program, the state is busy; afterwards it opens."""
    with open_state(home):
        pass
    code, argument = {"lock": (_HOLD_LOCK, home.root), "file": (_HOLD_FILE, home.state)}[kind]
    with elsewhere(code, argument) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for call in (lambda: open_state(home).__enter__(), lambda: publish(home)):
            with pytest.raises(BusyError, match="try again"):
                call()
        holder.communicate(b"")
    publish(home)


# Migrations, each from the version before


def _state_of(last: str, home: Home) -> None:
    """A home's state as the version whose newest migration is `last` left it."""
    kept = [item for item in migrations.MIGRATIONS if item[0] <= last]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", tuple(kept))
        home.root.mkdir()
        with closing(duckdb.connect(home.state)) as con:
            apply_migrations(con)
            con.execute("INSERT INTO pipeline.days VALUES (?, 'fp', false)", [DAY])
            con.execute(
                "INSERT INTO runs VALUES ('old', 'run', ?, 'completed', ?, 1.0, NULL)", [DAY, NOW]
            )


@pytest.mark.parametrize(
    "last", [name for name, _ in migrations.MIGRATIONS[:-1]], ids=lambda name: name[:4]
)
def test_a_state_of_every_older_version_is_brought_up(home: Home, last: str) -> None:
    """Opened by this version it has all tables, keeps its rows, and takes new days."""
    _state_of(last, home)
    with open_state(home) as state:
        assert pending(state.con) == []
        assert list(state.fingerprints(stale=True)) == [DAY]
        assert state.con.execute("SELECT run_id FROM runs").fetchall() == [("old",)]
        state.commit_day(record(day(1)), run("new"))
        state.add_failure(day(2), None, run("failed", day(2)), "judged")
        assert dict(state.broken()) == {day(2): "judged"}
        assert state.committed_days() == [DAY, day(1)]
    publish(home)
