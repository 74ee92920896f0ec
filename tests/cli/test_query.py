"""`dante query` answers questions, and does nothing else whatever is asked of it."""

import hashlib
from pathlib import Path

import pytest

_VIEWS = {
    "memberships": "day src track_id cluster_id packets strength",
    "tracks": "track_id name state first_day last_day days_active senders packets top_ports label",
    "lineage": "day track_id event related_track_id similarity shared_senders",
    "track_days": "day track_id senders packets top_ports top_networks",
    "threats": "day track_id kind score reasons",
    "daily": "day packets backscatter_packets senders clusters noise_senders tracks_active births "
    "model_id",
    "models": "model_id trained_on window_start window_end words dimensions",
    "quality": "day contract check passed observed severity",
    "ingests": "day source digest rows quarantined ingested_at",
    "runs": "run_id flow day status started_at seconds error",
}


@pytest.mark.parametrize("view", _VIEWS)
def test_views(dante, home, view):
    """Every published view can be asked, and begins with the columns people rely on."""
    answer = dante("query", f"FROM {view} LIMIT 3", "--home", home, "--format", "csv")
    assert (answer.code, answer.err) == (0, "")
    wanted = _VIEWS[view].split()
    found = answer.out.splitlines()[0].split(",")
    if view == "threats":
        assert set(wanted) <= set(found)
    else:
        assert found[: len(wanted)] == wanted


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


_REFUSED = [
    "CREATE TABLE x (a INT)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE SCHEMA x",
    "INSERT INTO tracks SELECT * FROM tracks",
    "UPDATE tracks SET name = 'x'",
    "DELETE FROM tracks",
    "DROP TABLE tracks",
    "ALTER TABLE tracks ADD COLUMN x INT",
    "SELECT 1; DROP TABLE tracks",
    "COPY tracks TO '{folder}/out.csv'",
    "COPY (SELECT 1) TO '{folder}/out.parquet' (FORMAT parquet)",
    "COPY tracks FROM '{folder}/secret.csv'",
    "EXPORT DATABASE '{folder}/exported'",
    "IMPORT DATABASE '{folder}/exported'",
    "SELECT * FROM read_csv('{folder}/secret.csv')",
    "SELECT * FROM '{folder}/secret.csv'",
    "SELECT * FROM read_text('{folder}/secret.csv')",
    "SELECT * FROM read_blob('{folder}/*')",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM read_parquet('{home}/lake/packets/*/*.parquet')",
    "SELECT * FROM read_json('{folder}/secret.csv')",
    "SELECT * FROM sniff_csv('{folder}/secret.csv')",
    "ATTACH '{home}/state.duckdb' AS s",
    "ATTACH '{folder}/new.duckdb'",
    "ATTACH ':memory:' AS m; CREATE TABLE m.x AS SELECT 1; COPY m.x TO '{folder}/out.csv'",
    "DETACH lineage",
    "USE memory",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET GLOBAL memory_limit = '1GB'",
    "RESET enable_external_access",
    "PRAGMA enable_external_access = true",
    "PRAGMA memory_limit = '1GB'",
    "PRAGMA enable_profiling = 'json'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE SECRET s (TYPE s3, KEY_ID 'k', SECRET 's')",
    "SELECT getenv('HOME')",
    "SELEC 1",
    "SELECT * FROM nowhere",
    "SELECT nothing FROM tracks",
    "SELECT CAST('x' AS INT)",
    "SELECT error('no')",
    "",
    " ",
    ";",
    "/* only a comment */",
]


@pytest.mark.parametrize("sql", _REFUSED)
def test_refused(dante, home, tmp_path, sql):
    """What would write, read a file, attach, load or set, or is no question, is wrong usage."""
    (tmp_path / "secret.csv").write_text("a,b\nhidden,words\n")
    asked = sql.format(folder=tmp_path, home=home)
    sentence = dante("query", asked, "--home", home).fault(2)
    assert "hidden" not in sentence
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]


def test_nothing_is_written(dante, own_home, tmp_path):
    """After all of it, and after statements that are harmless, no byte of the home has changed."""
    before = _digests(own_home)
    harmless = ["CREATE TEMP TABLE t AS SELECT 1", "BEGIN", "CHECKPOINT", "VACUUM", "ANALYZE"]
    for sql in [*_REFUSED, *harmless, "PREPARE v AS SELECT 1", "SET VARIABLE x = 1"]:
        answer = dante("query", sql.format(folder=tmp_path, home=own_home), "--home", own_home)
        assert answer.code in (0, 2)
        assert "a bug:" not in answer.err
    for words in ("tracks", "threats", "lineage 1", "doctor"):
        assert dante(*words.split(), "--home", own_home).code == 0
    assert _digests(own_home) == before
    assert list(tmp_path.iterdir()) == [own_home]


def test_questions_while_work_is_done(dante, own_home):
    """People can ask while the pipeline holds its locks: nothing published is ever locked."""
    from dante.store.home import Home
    from dante.store.state import open_state

    home = Home(own_home)
    with home.lock("pipeline"), open_state(home):
        for words in (["tracks"], ["threats"], ["lineage", "1"], ["query", "FROM daily"]):
            assert dante(*words, "--home", own_home).code == 0


_ENDLESS = [
    "SELECT count(*) FROM range(10000000000000)",
    "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT max(a) FROM t",
    "SELECT count(*) FROM memberships a, memberships b, memberships c, memberships d "
    "WHERE a.src || b.src || c.src > d.src",
    "SELECT max(now() - '1 s'::INTERVAL * range) FROM range(10000000000000)",
]


@pytest.mark.parametrize("sql", _ENDLESS)
def test_endless(dante, home, sql):
    """A query without end is stopped in time, and it is said how to give it more."""
    assert "--timeout" in dante("query", sql, "--home", home, "--timeout", "0.5").fault(2)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(a.range) FROM range(100000) a, range(100000) b",
        "SELECT string_agg(repeat('x', 1000), '') FROM range(100000000)",
        "SELECT repeat('x', 8000000000)",
        "FROM range(100000000000)",
        "SELECT repeat('x', 100000) FROM range(50000)",
        "SELECT '1 s'::INTERVAL FROM range(100000000000)",
    ],
)
def test_too_much(dante, home, sql):
    """A query that would fill the memory, or whose answer would, is refused in a sentence."""
    sentence = dante("query", sql, "--home", home).fault(2)
    assert "emory" in sentence or "LIMIT" in sentence or "maximum" in sentence


def test_a_query_that_does_not_listen(shell, home):
    """Where the database itself cannot be interrupted, the process ends in time all the same."""
    sql = "SELECT len(list_transform(range(3000000000), lambda x: x + 1))"
    answer = shell("query", sql, "--home", home, "--timeout", 1)
    assert "was stopped" in answer.fault(2)


def test_the_largest_answers(dante, home):
    """An answer of many rows that fits is given whole."""
    sql = "SELECT range AS i FROM range(200000)"
    lines = dante("query", sql, "--home", home, "--format", "csv").out.splitlines()
    assert len(lines) == 200_001
    assert lines[-1] == "199999"
