"""Scoring a file of vectors against a file of labels."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dante.errors import NotEnoughDataError, SourceError, UsageError
from dante.evaluate import UNKNOWN, VECTOR_MEANINGS, evaluate_vectors

SRC = [f"192.0.2.{i}" for i in range(60)]


def _vectors(path: Path, vectors: list[list[float] | None], src: list[str] = SRC) -> Path:
    frame = pl.DataFrame(
        {"src": src[: len(vectors)], "packets": 1, "vector": vectors},
        schema_overrides={"vector": pl.List(pl.Float32)},
    )
    frame.write_parquet(path)
    return path


def _labels(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("src,label\n" + "".join(f"{s},{label}\n" for s, label in rows), "utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Three groups of twenty vectors; the first two are labelled, and one sender not seen is."""
    rng = np.random.Generator(np.random.PCG64(1))
    vectors = np.eye(3)[np.arange(60) // 20] + 0.05 * rng.normal(size=(60, 3))
    rows = [(s, "ab"[i // 20]) for i, s in enumerate(SRC[:40])] + [("203.0.113.9", "a")]
    return _vectors(tmp_path / "v.parquet", vectors.tolist()), _labels(tmp_path / "l.csv", rows)


def test_unknown_senders_are_a_class_or_left_out(files: tuple[Path, Path]) -> None:
    """Kept, they are one more class; dropped, they are not even neighbours."""
    kept, by_label = evaluate_vectors(*files)
    assert kept["measure"].to_list() == list(VECTOR_MEANINGS)
    assert kept["meaning"].str.len_chars().min() > 10  # type: ignore[operator]
    assert by_label["label"].to_list() == [UNKNOWN, "a", "b"]
    scores = dict(kept.select("measure", "value").iter_rows())
    assert scores["accuracy"] == scores["macro_f1"] == scores["weighted_f1"] == 1.0
    assert (scores["senders"], scores["labelled"], scores["labels_not_seen"]) == (60, 40, 1)
    dropped, by_label = evaluate_vectors(*files, unknown="drop")
    assert by_label["label"].to_list() == ["a", "b"]
    assert dict(dropped.select("measure", "value").iter_rows())["senders"] == 40


def test_a_sender_without_a_vector_counts_as_wrong(tmp_path: Path) -> None:
    """Missing, zero and broken vectors are told and are never right."""
    vectors = [[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4 + [None, [0.0, 0.0], [float("nan"), 1.0]]
    path = _vectors(tmp_path / "v.parquet", vectors)
    rows = [(s, "a" if i < 4 or i > 7 else "b") for i, s in enumerate(SRC[:11])]
    table, _ = evaluate_vectors(path, _labels(tmp_path / "l.csv", rows), k=3)
    scores = dict(table.select("measure", "value").iter_rows())
    assert scores["without_vector"] == 3
    assert scores["accuracy"] == pytest.approx(8 / 11)


def test_files_that_are_not_such_are_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Missing files, files of another make, two rows of a sender and odd options are a sentence."""
    vectors, labels = files
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    for bad in (tmp_path / "none", junk):
        with pytest.raises(SourceError, match=bad.name):
            evaluate_vectors(bad, labels)
        with pytest.raises(SourceError, match=bad.name):
            evaluate_vectors(vectors, bad)
    with pytest.raises(SourceError, match=r"vectors \(`src`"):
        other = tmp_path / "other.parquet"
        pl.DataFrame({"src": SRC, "vector": SRC}).write_parquet(other)
        evaluate_vectors(other, labels)
    with pytest.raises(SourceError, match="more than once"):
        evaluate_vectors(vectors, _labels(tmp_path / "t.csv", [(SRC[0], "a"), (SRC[0], "b")]))
    with pytest.raises(SourceError, match="more than once"):
        twice = _vectors(tmp_path / "t.parquet", [[1.0], [2.0]], [SRC[0], SRC[0]])
        evaluate_vectors(twice, labels)
    with pytest.raises(SourceError, match="dimensions"):
        uneven = _vectors(tmp_path / "u.parquet", [[1.0], [2.0, 3.0]] * 30)
        evaluate_vectors(uneven, labels)
    with pytest.raises(UsageError, match="--k"):
        evaluate_vectors(vectors, labels, k=0)
    with pytest.raises(UsageError, match="keep or drop"):
        evaluate_vectors(vectors, labels, unknown="x")  # type: ignore[arg-type]


def test_too_little_is_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Labels of others, or one label only, are not enough."""
    vectors, _ = files
    with pytest.raises(NotEnoughDataError, match="has a label"):
        evaluate_vectors(vectors, _labels(tmp_path / "o.csv", [("198.51.100.1", "a")]))
    one = _labels(tmp_path / "one.csv", [(s, "a") for s in SRC])
    with pytest.raises(NotEnoughDataError, match="at least two"):
        evaluate_vectors(vectors, one)


def test_columns_and_rows_may_be_in_any_order(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Further columns are left out; shuffled files give the same scores."""
    vectors, labels = files
    shuffled = tmp_path / "s.parquet"
    pl.read_parquet(vectors).sample(fraction=1, shuffle=True, seed=3).write_parquet(shuffled)
    other = tmp_path / "s.csv"
    frame = pl.read_csv(labels).with_columns(seen=pl.lit("2025")).select("label", "seen", "src")
    frame.reverse().write_csv(other)
    was, now = evaluate_vectors(vectors, labels), evaluate_vectors(shuffled, other)
    assert was[0].equals(now[0])
    assert was[1].equals(now[1])
