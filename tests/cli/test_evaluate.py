"""`dante evaluate`: of tracks against a truth, and of vectors against labels."""

import json

import polars as pl
import pytest


@pytest.fixture
def files(tmp_path):
    """Vectors of three kinds of senders, two of them labelled."""
    src = [f"192.0.2.{i}" for i in range(30)]
    vectors = [[float(i % 3 == d) for d in range(3)] for i in range(30)]
    frame = pl.DataFrame(
        {"src": src, "packets": 1, "vector": vectors},
        schema_overrides={"vector": pl.List(pl.Float32)},
    )
    frame.write_parquet(tmp_path / "v.parquet")
    lines = ["src,label", *(f"{s},{'ab'[i % 3]}" for i, s in enumerate(src) if i % 3 < 2)]
    (tmp_path / "l.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path / "v.parquet", tmp_path / "l.csv"


def _rows(answer):
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_each_measure_says_what_it_means(dante, journey):
    """Every row has a measure, its value or none, and one clause about it."""
    truth = journey.folder / "sim" / "truth"
    rows = _rows(dante("evaluate", truth, "--home", journey.home, "--format", "json"))
    assert all(list(row) == ["measure", "value", "meaning"] for row in rows)
    assert all(10 < len(row["meaning"]) < 90 for row in rows)
    measures = {row["measure"] for row in rows}
    assert {"idf1", "hota", "edge_f1", "return_recall_new", "threats_a_day"} <= measures


def test_campaigns_and_returns_are_listed(dante, journey):
    """`--by campaign` has a row a campaign with its track and role, the lost ones first."""
    words = ["evaluate", journey.folder / "sim" / "truth", "--home", journey.home]
    rows = _rows(dante(*words, "--by", "campaign", "--format", "json"))
    assert [row["f1"] for row in rows] == sorted(row["f1"] for row in rows)
    assert all(row["role"] and row["campaign"] for row in rows)
    returns = dante(*words, "--by", "return", "--format", "csv")
    assert returns.out.startswith("day,campaign,found,late,gap,senders,")


def test_vectors_against_labels(dante, files):
    """Vectors that are the label score 1, with the unknown a class or left out."""
    vectors, labels = files
    rows = _rows(dante("evaluate", "vectors", vectors, labels, "--format", "json"))
    scores = {row["measure"]: row["value"] for row in rows}
    assert scores["accuracy"] == scores["macro_f1"] == scores["weighted_f1"] == 1.0
    assert (scores["senders"], scores["labels"]) == (30, 3)
    words = ["evaluate", "vectors", vectors, labels, "--k", 3, "--unknown", "drop"]
    by_label = _rows(dante(*words, "--by", "label", "--format", "json"))
    assert [row["label"] for row in by_label] == ["a", "b"]
    table = dante(*words)
    assert table.out.splitlines()[1].split()[:2] == ["accuracy", "1"]


@pytest.mark.parametrize(
    "words",
    [
        "a b",
        "vectors a",
        "vectors a b c",
        "x --k 3",
        "x --unknown drop",
        "x --by label",
        "x --by y",
        "vectors a b --skip 3",
        "vectors a b --by campaign",
        "vectors a b --unknown both",
    ],
)
def test_what_cannot_be_meant(dante, words):
    """Too many or few words, and options of the other kind, are wrong usage."""
    dante("evaluate", *words.split()).fault(2)


def test_vectors_that_are_none(dante, files, tmp_path):
    """Files that are not there or not such fail in a sentence that names them."""
    vectors, labels = files
    assert "none" in dante("evaluate", "vectors", tmp_path / "none", labels).fault(1)
    assert "l.csv" in dante("evaluate", "vectors", labels, vectors).fault(1)
    empty = tmp_path / "e.csv"
    empty.write_text("src,label\n", "utf-8")
    dante("evaluate", "vectors", vectors, empty).fault(4)
