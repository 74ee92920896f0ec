"""Homes of earlier versions are brought up with all they hold."""

from contextlib import closing
from datetime import date

import duckdb
import pytest

from dante.store import migrations
from dante.store.migrations import apply_migrations

from .conftest import count


def _at(name: str, monkeypatch: pytest.MonkeyPatch) -> duckdb.DuckDBPyConnection:
    """A database as it was before the migration of that name."""
    con = duckdb.connect()
    names = [known for known, _ in migrations.MIGRATIONS]
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[: names.index(name)])
        apply_migrations(con)
    return con


def test_threats_of_before_get_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A threat's key is of its track as it was that day; what was not told apart stays null."""
    with closing(_at("0004_threats_with_keys", monkeypatch)) as con:
        con.execute("""
            INSERT INTO pipeline.track_states BY NAME
            SELECT 1 AS track_id, day, 'telnet-1' AS name, 'active' AS state,
                   DATE '2025-03-01' AS first_day, day AS last_day, 1 AS days_active, 5 AS packets,
                   1 AS peak_senders, [1] AS words, [1.0] AS weights, [] AS senders, news_day,
                   NULL AS news_away, 0 AS raised, 0.0 AS stability
            FROM (VALUES (DATE '2025-03-01', DATE '2025-03-01'),
                         (DATE '2025-04-01', DATE '2025-04-01'),
                         (DATE '2025-04-02', DATE '2025-04-01')) states(day, news_day);
            INSERT INTO threats SELECT day, 1, 'new', 0.7, 'r', 9 FROM pipeline.track_states;
            INSERT INTO threats VALUES ('2025-05-01', 7, 'new', 0.6, 'r', 9);
        """)
        assert apply_migrations(con)[0] == "0004_threats_with_keys"
        rows = con.execute("SELECT key, shape, news_day, senders FROM threats ORDER BY day")
        assert rows.fetchall() == [
            ("telnet-1@2025-03-01", None, date(2025, 3, 1), 9),
            ("telnet-1@2025-04-01", None, date(2025, 4, 1), 9),
            ("telnet-1@2025-04-01", None, date(2025, 4, 1), 9),
            ("track-7@2025-05-01", None, date(2025, 5, 1), 9),
        ]
        for table in ("threats_held", "floods", "pipeline.port_days", "pipeline.volumes"):
            assert count(con, table) == 0
        with pytest.raises(duckdb.ConstraintException):
            con.execute("INSERT INTO threats_held SELECT * REPLACE (NULL AS key) FROM threats")
