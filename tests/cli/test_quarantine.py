"""`dante quarantine` shows what was refused, and why."""

import csv
import io
import json
from pathlib import Path

import pytest

HEADER = "ts,src,proto,dport,ttl\n"
GOOD = "2025-03-01T10:00:00Z,203.0.113.7,tcp,23,64\n"
FILES = {
    "a.csv": HEADER + GOOD + GOOD.replace("23", "70000") + GOOD.replace("23", "-4") + "x\n",
    "b.csv": HEADER
    + GOOD.replace("23", "99999").replace("03-01", "03-02")
    + GOOD.replace("203.0.113.7", "nobody")
    + GOOD.replace("203.0.113.7", "no\x1b[31mbody" + "y" * 300)
    + GOOD,
}


@pytest.fixture
def home(dante, tmp_path: Path) -> Path:
    """A home of two files with refused rows."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    assert dante("ingest", *(tmp_path / name for name in FILES), "--home", tmp_path / "h").code == 0
    return tmp_path / "h"


def _json(dante, home, *words):
    answer = dante("quarantine", *words, "--home", home, "--format", "json")
    assert answer.code == 0, answer.err
    return {row["reason"]: row for row in json.loads(answer.out)}


def test_reasons_are_counted_with_an_example(dante, home: Path) -> None:
    """Reasons that differ only in a row's value are one, and their rows are counted together."""
    found = _json(dante, home)
    assert {reason: row["rows"] for reason, row in found.items()} == {
        "dport: … is out of 0..65535": 3,
        "src: not an address": 2,
        "expected 5 fields, found …": 1,
    }
    ports = found["dport: … is out of 0..65535"]
    assert (ports["first_day"], ports["last_day"]) == ("2025-03-01", "2025-03-02")
    assert ports["sources"] == 2
    first = {"a.csv": (2, GOOD.replace("23", "70000")), "b.csv": (1, FILES["b.csv"].split("\n")[1])}
    row, raw = first[ports["source"]]
    assert (ports["row"], ports["example"]) == (row, raw.strip())
    assert found["expected 5 fields, found …"]["first_day"] is None


def test_one_day_and_one_source(dante, home: Path) -> None:
    """A day, and a file, can be asked after alone."""
    assert {r: row["rows"] for r, row in _json(dante, home, "2025-03-02").items()} == {
        "dport: … is out of 0..65535": 1
    }
    assert set(_json(dante, home, "--source", "a.csv")) == {
        "dport: … is out of 0..65535",
        "expected 5 fields, found …",
    }
    assert _json(dante, home, "2025-03-02", "--source", "a.csv") == {}
    answer = dante("quarantine", "--source", "c.csv", "--home", home)
    assert "no file named 'c.csv' was ingested" in answer.fault(2)
    assert "'yesterday' is no day" in dante("quarantine", "yesterday", "--home", home).fault(2)


def test_printed(dante, home: Path) -> None:
    """A table is short and without control characters; CSV has all, the commonest first."""
    table = dante("quarantine", "--home", home, "--limit", 2)
    assert "\x1b" not in table.out
    assert len(table.out.splitlines()) == 3
    assert max(map(len, table.out.splitlines())) < 300
    assert "1 rarer reasons are not shown" in table.err
    rows = list(
        csv.DictReader(io.StringIO(dante("quarantine", "--home", home, "--format", "csv").out))
    )
    assert [int(row["rows"]) for row in rows] == [3, 2, 1]


def test_nothing_refused(dante, tmp_path: Path) -> None:
    """An empty home has refused nothing, and a quarantine that is damaged says what to do."""
    answer = dante("quarantine", "--home", tmp_path / "none")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing was refused" in answer.err


def test_damaged(dante, home: Path) -> None:
    """A damaged file of the quarantine is named by its source."""
    for path in (home / "lake" / "quarantine").rglob("*.parquet"):
        path.write_bytes(b"PAR1")
    assert "ingest it again with --again" in dante("quarantine", "--home", home).fault(1)
