"""Views as CSV, Parquet and SQLite: every row, and no formula."""

import csv
import io
import sqlite3
from contextlib import closing

import polars as pl
import pytest

from dante.errors import UsageError
from dante.export import VIEWS, csv_of, write_parquet, write_sqlite
from dante.store.publish import read_lineage

from .conftest import HOSTILE


def _count(home, view):
    with read_lineage(home) as con:
        return con.execute(f"SELECT count(*) FROM {view}").fetchone()[0]


def _rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("view", VIEWS)
def test_all_rows(home, tmp_path, view):
    """CSV, Parquet and SQLite hold all rows and columns of a view, the same in each."""
    path = tmp_path / "v.parquet"
    write_parquet(home, view, path)
    frame = pl.read_parquet(path)
    rows = _rows("".join(csv_of(home, view, raw=True)))
    assert frame.height == len(rows) == _count(home, view)
    with read_lineage(home) as con:
        assert frame.columns == con.sql(f"FROM {view}").columns
    copy = tmp_path / "v.db"
    write_sqlite(home, copy, [view])
    with closing(sqlite3.connect(copy)) as con:
        held = con.execute(f"SELECT * FROM {view}")
        assert [column[0] for column in held.description] == frame.columns
        assert len(held.fetchall()) == frame.height


def test_no_formula(home):
    """Text that a spreadsheet would run is text there; `raw` leaves it as it is."""
    kept = {row["name"] for row in _rows("".join(csv_of(home, "tracks", raw=True)))}
    safe = {row["name"] for row in _rows("".join(csv_of(home, "tracks")))}
    assert kept - safe == {HOSTILE}
    assert safe - kept == {"'" + HOSTILE}
    for view in VIEWS:
        for row in _rows("".join(csv_of(home, view))):
            assert not [v for v in row.values() if v.startswith(("=", "@", "+", "\t", "\r"))]


def test_negative_numbers_stay_numbers(own_home):
    """Only text is touched: numbers below nought are numbers in a spreadsheet too."""
    import duckdb

    with duckdb.connect(own_home.lineage) as con:
        con.execute("UPDATE lineage SET similarity = -0.5")
    assert {row["similarity"] for row in _rows("".join(csv_of(own_home, "lineage")))} == {"-0.5"}


def test_unknown_view(home, tmp_path):
    """A view there is not, whatever it is called, is wrong usage and nothing is written."""
    for view in ("nothing", "tracks; DROP TABLE tracks", "pipeline.days", "../x"):
        with pytest.raises(UsageError, match="choose"):
            list(csv_of(home, view))
        with pytest.raises(UsageError, match="choose"):
            write_sqlite(home, tmp_path / "x.db", [view])
        with pytest.raises(UsageError, match="choose"):
            write_parquet(home, view, tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


def test_sqlite_links_tracks(home, tmp_path):
    """In the copy tracks have their key and rows refer to it, as datasette wants; days are ISO."""
    path = tmp_path / "copy.db"
    write_sqlite(home, path)
    with closing(sqlite3.connect(path)) as con:
        assert con.execute("PRAGMA foreign_key_check").fetchall() == []
        assert con.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        linked = con.execute("PRAGMA foreign_key_list(memberships)").fetchall()
        assert linked[0][2:5] == ("tracks", "track_id", "track_id")
        row = con.execute("SELECT min(day), typeof(day) FROM memberships").fetchone()
        assert row == ("2025-03-01", "text")
        assert con.execute("SELECT name FROM tracks WHERE track_id = 2").fetchone() == (HOSTILE,)


def test_the_same_bytes(home, tmp_path):
    """Written twice, each is the same bytes."""
    for view in ("memberships", "tracks"):
        assert "".join(csv_of(home, view)) == "".join(csv_of(home, view))
        for name in ("a", "b"):
            write_parquet(home, view, tmp_path / f"{name}.{view}")
        assert (tmp_path / f"a.{view}").read_bytes() == (tmp_path / f"b.{view}").read_bytes()
    for name in ("a.db", "b.db"):
        write_sqlite(home, tmp_path / name)
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
