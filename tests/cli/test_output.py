"""What commands that list print: tables, JSON and CSV, on stdout alone."""

import contextlib
import csv
import io
import json
import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dante.cli.output import emit

_LISTS = [
    "status",
    "tracks",
    "threats",
    "lineage 1 --all",
    "query FROM~daily",
    "evaluate ../sim/truth",
    "doctor",
]


def _words(home, words):
    parts = [part.replace("~", " ") for part in words.split()]
    return [str(home / p) if p.startswith("../") else p for p in parts]


def _objects(text):
    def no_constant(name):
        raise ValueError(f"{name} is no JSON")

    rows = json.loads(text, parse_constant=no_constant)
    assert isinstance(rows, list)
    assert all(isinstance(row, dict) for row in rows)
    assert len({tuple(row) for row in rows}) <= 1, "all rows have the same keys"
    return rows


def _csv(text):
    header, *rows = csv.reader(io.StringIO(text))
    assert all(len(row) == len(header) for row in rows)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("words", _LISTS)
def test_formats_agree(dante, home, words):
    """Table, JSON and CSV of a list hold the same rows, and only rows are on stdout."""
    asked = {
        form: dante(*_words(home, words), "--home", home, "--format", form)
        for form in ("table", "json", "csv")
    }
    assert {answer.code for answer in asked.values()} == {0}
    objects, rows = _objects(asked["json"].out), _csv(asked["csv"].out)
    lines = asked["table"].out.splitlines()
    assert len(objects) == len(rows) == len(lines) - 1 > 0
    assert list(objects[0]) == list(rows[0]) == lines[0].split()
    first = next(iter(objects[0]))
    assert [str(row[first]) for row in objects] == [row[first] for row in rows]


@pytest.mark.parametrize("words", _LISTS)
def test_unknown_format(dante, home, words):
    """A format that is none is wrong usage, and the message names those there are."""
    sentence = dante(*_words(home, words), "--home", home, "--format", "xml").fault(2)
    assert "table, json, csv" in sentence


@pytest.mark.parametrize(
    "words", ["tracks --state ended", "threats --day 2025-03-01", "floods --day 2025-03-01"]
)
def test_empty_lists(dante, home, words):
    """An empty list is an empty array or a header; as a table it is a word on stderr."""
    asked = {
        form: dante(*words.split(), "--home", home, "--format", form)
        for form in ("table", "json", "csv")
    }
    assert {answer.code for answer in asked.values()} == {0}
    assert _objects(asked["json"].out) == []
    assert len(asked["csv"].out.splitlines()) == 1
    assert asked["table"].out == ""
    assert asked["table"].err.startswith("no ")


@pytest.mark.parametrize("words", ["status", "tracks", "threats"])
def test_options_narrow(dante, home, words):
    """Filters leave fewer of the same rows."""
    every = _objects(dante(words, "--home", home, "--format", "json").out)
    if words == "status":
        assert [row["month"] for row in every] == ["2025-03"]
        assert (every[0]["days"], every[0]["done"]) == (6, 6)
        return
    one = _objects(dante(words, "--home", home, "--format", "json", "--limit", 1).out)
    assert one == every[:1]
    if words == "threats":
        day = every[0]["day"]
        same = _objects(dante(words, "--home", home, "--format", "json", "--day", day).out)
        assert same == [row for row in every if row["day"] == day]
        later = dante(words, "--home", home, "--format", "json", "--since", "2099-01-01").out
        assert _objects(later) == []


def test_track_by_name_and_number(dante, home):
    """A track is found by its number and by its name, and its life begins with its birth."""
    track = _objects(dante("tracks", "--home", home, "--format", "json", "--limit", 1).out)[0]
    by_name, by_number = (
        dante("lineage", track[key], "--home", home, "--format", "json")
        for key in ("name", "track_id")
    )
    assert by_name == by_number
    life = _objects(by_name.out)
    assert (life[0]["event"], life[0]["day"]) == ("birth", track["first_day"])
    assert track["name"] in by_name.err


@pytest.mark.parametrize("track", ["99999", "nix", "", "1e0", "' OR 1=1 --", "\x1b[31m", "☃"])
def test_unknown_track(dante, home, track):
    """A track that is not there is wrong usage, and the message says where tracks are listed."""
    assert "`dante tracks`" in dante("lineage", track, "--home", home).fault(2)


def test_wide_tables_are_not_wrapped(dante, home):
    """Off a terminal a row is one line, however wide, and nothing of it is cut off."""
    sql = "SELECT repeat('x', 3000) AS a, i AS b FROM range(3) t(i)"
    lines = dante("query", sql, "--home", home).out.splitlines()
    assert [line.split() for line in lines[1:]] == [["x" * 3000, str(i)] for i in range(3)]


def test_hostile_text_in_tables(dante, home):
    """Neither line breaks, escapes, text direction marks nor markup get from data to a table."""
    sql = "SELECT 'a' || chr(10) || chr(27) || '[31m' || chr(8238) || '[bold]b[/]' AS t"
    answer = dante("query", sql, "--home", home)
    assert answer.out.split() == ["t", "a??[31m?[bold]b[/]"]


def test_numbers_are_numbers_in_json(dante, home):
    """What SQL adds up is a number in JSON."""
    sql = "SELECT sum(packets) AS s, 1.5::DECIMAL(10, 2) AS d FROM daily"
    row = _objects(dante("query", sql, "--home", home, "--format", "json").out)[0]
    assert row["s"] > 1000
    assert row["d"] == 1.5


def test_no_nan_inside_json(dante, home):
    """What JSON has no word for is null, inside lists too."""
    sql = "SELECT ['nan'::DOUBLE] AS l, {'x': 'inf'::DOUBLE} AS s, 'nan'::DOUBLE AS n"
    row = _objects(dante("query", sql, "--home", home, "--format", "json").out)[0]
    assert row == {"l": [None], "s": {"x": None}, "n": None}


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(started_at) - min(started_at) AS took FROM runs",
        "SELECT TIME '10:00' AS t, TIMESTAMPTZ '2025-01-01 00:00:00+00' AS z, MAP {'a': 1} AS m",
        "SELECT NULL AS n, uuid() AS u, 1::HUGEINT AS h, 'e'::ENUM('e') AS e",
        "SELECT 1 AS a, 2 AS a",
    ],
)
def test_every_type(dante, home, sql, form):
    """Whatever type a question has an answer of, it can be shown in every format."""
    answer = dante("query", sql, "--home", home, "--format", form)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


def test_blob_as_csv(dante, home):
    """A BLOB can be shown as CSV like any other type."""
    sql = "SELECT 'x'::BLOB AS b"
    assert dante("query", sql, "--home", home, "--format", "csv").code == 0


_TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
_FRAMES = st.integers(1, 4).flatmap(
    lambda height: st.fixed_dictionaries(
        {
            "text": st.lists(st.none() | _TEXTS, min_size=height, max_size=height),
            "whole": st.lists(
                st.none() | st.integers(-(2**63), 2**63 - 1), min_size=height, max_size=height
            ),
            "real": st.lists(st.none() | st.floats(), min_size=height, max_size=height),
        }
    )
)


@given(_FRAMES)
def test_any_frame(columns):
    """Of any frame the JSON gives back every value, the CSV every row, and the table a line."""
    schema = {"text": pl.String, "whole": pl.Int64, "real": pl.Float64}
    frame = pl.DataFrame(columns, schema=schema)
    printed = {}
    for form in ("json", "csv", "table"):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            emit(frame, form)
        printed[form] = out.getvalue()
    real = [None if x is None or not math.isfinite(x) else x for x in columns["real"]]
    objects = _objects(printed["json"])
    assert [row["text"] for row in objects] == columns["text"]
    assert [row["whole"] for row in objects] == columns["whole"]
    assert [row["real"] for row in objects] == real
    rows = list(csv.reader(io.StringIO(printed["csv"], newline="")))[1:]
    assert [row[0] for row in rows] == [text or "" for text in columns["text"]]
    assert [int(row[1]) if row[1] else None for row in rows] == columns["whole"]
    lines = printed["table"].removesuffix("\n").split("\n")
    assert len(lines) == frame.height + 1
    assert all(line.isprintable() for line in lines)
