"""Scoring a published lineage against a simulation's truth."""

import datetime as dt
import math
from pathlib import Path

import duckdb
import polars as pl
import pytest

from dante.errors import DanteError, NotEnoughDataError, SourceError
from dante.evaluate import MEANINGS, evaluate, evaluate_campaigns, evaluate_returns
from dante.schema import address_text
from dante.simulate import Scenario, simulate


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The truth folder of a small simulation."""
    out = tmp_path_factory.mktemp("simulated")
    return simulate(Scenario(days=10, senders=400, seed=4), out).members.parent


def _answer(truth: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The right answer as published tables: one track a campaign, noise unassigned."""
    members = pl.read_parquet(truth / "members.parquet").filter(pl.col("kind") != "backscatter")
    track = pl.col("campaign").rank("dense").cast(pl.Int32)
    published = members.with_columns(address_text(members["src"]), track_id=track)
    events = pl.read_parquet(truth / "events.parquet")
    names = published.select("campaign", "track_id").drop_nulls().unique()
    lineage = events.join(names, on="campaign").join(
        names.select(related="campaign", related_track_id="track_id"), on="related", how="left"
    )
    lineage = lineage.select("day", "track_id", "event", "related_track_id")
    return published.select("day", "src", "track_id"), lineage


def _publish(path: Path, memberships: pl.DataFrame, lineage: pl.DataFrame) -> Path:
    with duckdb.connect(str(path)) as con:
        con.register("m", memberships.to_arrow())
        con.register("l", lineage.to_arrow())
        con.execute("CREATE TABLE t_m AS SELECT * FROM m")
        con.execute("CREATE TABLE t_l AS SELECT * FROM l")
        con.execute("CREATE VIEW memberships AS SELECT * FROM t_m")
        con.execute("CREATE VIEW lineage AS SELECT * FROM t_l")
        con.execute(
            "CREATE VIEW threats AS SELECT day, track_id FROM t_l WHERE event IN ('birth', 'recur')"
        )
    return path


def _scores(truth: Path, path: Path, skip_days: int = 0) -> dict[str, float]:
    table = evaluate(truth, path, skip_days)
    assert table.columns == ["measure", "value", "meaning"]
    assert table["measure"].to_list() == list(MEANINGS)
    assert table["meaning"].null_count() == 0
    return dict(table.select("measure", "value").iter_rows())


def test_the_right_answer_scores_one(truth: Path, tmp_path: Path) -> None:
    """A published lineage that is the truth has every score at its best."""
    scores = _scores(truth, _publish(tmp_path / "l.duckdb", *_answer(truth)))
    for name in ("ari", "coverage", "noise_rejected", "idf1", "idf1_pooled", "hota", "assa"):
        assert scores[name] == 1.0, name
    assert scores["birth_recall"] == scores["birth_precision"] == 1.0
    assert scores["birth_days_late"] == 0.0
    assert scores["true_births"] > 3
    assert scores["campaigns"] == scores["tracks"] == scores["campaigns_followed"]
    assert scores["days"] == 10


def test_skipped_days_are_not_judged(truth: Path, tmp_path: Path) -> None:
    """Wrong answers on the skipped days cost nothing; judged, they do."""
    memberships, lineage = _answer(truth)
    wrong = pl.col("day") < dt.date(2025, 3, 4)
    memberships = memberships.with_columns(track_id=pl.when(wrong).then(None).otherwise("track_id"))
    path = _publish(tmp_path / "l.duckdb", memberships, lineage)
    assert _scores(truth, path, skip_days=3)["idf1"] == 1.0
    assert _scores(truth, path)["idf1"] < 0.9


def test_an_unpublished_day_counts_as_unassigned(truth: Path, tmp_path: Path) -> None:
    """A hole in the published days lowers coverage, it is not passed over."""
    memberships, lineage = _answer(truth)
    memberships = memberships.filter(pl.col("day") != dt.date(2025, 3, 5))
    scores = _scores(truth, _publish(tmp_path / "l.duckdb", memberships, lineage))
    assert 0.8 < scores["coverage"] < 0.95
    assert scores["days"] == 10


def test_everything_unassigned_scores_nothing(truth: Path, tmp_path: Path) -> None:
    """Calling all senders noise rejects the noise and finds nothing else."""
    memberships, lineage = _answer(truth)
    memberships = memberships.with_columns(track_id=pl.lit(None, dtype=pl.Int32))
    scores = _scores(truth, _publish(tmp_path / "l.duckdb", memberships, lineage.clear()))
    assert (scores["idf1"], scores["idf1_pooled"], scores["coverage"]) == (0.0, 0.0, 0.0)
    assert scores["birth_recall"] == 0.0
    assert math.isnan(scores["birth_precision"])


def test_what_cannot_be_read_is_said(truth: Path, tmp_path: Path) -> None:
    """A missing or foreign database, a missing truth, and other days are errors in a sentence."""
    with pytest.raises(NotEnoughDataError, match="There is no"):
        evaluate(truth, tmp_path / "none.duckdb")
    foreign = tmp_path / "foreign.duckdb"
    with duckdb.connect(str(foreign)) as con:
        con.execute("CREATE TABLE other (x INTEGER)")
    with pytest.raises(SourceError, match="not a published lineage"):
        evaluate(truth, foreign)
    text = tmp_path / "text.duckdb"
    text.write_text("no database")
    with pytest.raises(SourceError, match="not a published lineage"):
        evaluate(truth, text)
    good = _publish(tmp_path / "l.duckdb", *_answer(truth))
    with pytest.raises(SourceError, match="truth"):
        evaluate(tmp_path, good)
    with pytest.raises(NotEnoughDataError):
        evaluate(truth, good, skip_days=99)
    empty = _publish(tmp_path / "e.duckdb", *(part.clear() for part in _answer(truth)))
    with pytest.raises(NotEnoughDataError):
        evaluate(truth, empty)


def test_campaigns_and_returns_are_listed(truth: Path, tmp_path: Path) -> None:
    """A row a campaign, the lost ones first with their roles, and a row a return."""
    memberships, lineage = _answer(truth)
    lost = pl.when(pl.col("track_id") == 2).then(None).otherwise("track_id")
    path = _publish(tmp_path / "l.duckdb", memberships.with_columns(track_id=lost), lineage)
    table = evaluate_campaigns(truth, path)
    assert table["f1"].to_list() == [0.0] + [1.0] * (table.height - 1)
    assert table["role"].null_count() == 0
    recurs = pl.read_parquet(truth / "events.parquet").filter(pl.col("event") == "recur")
    returns = evaluate_returns(truth, path)
    assert returns.columns[:4] == ["day", "campaign", "found", "late"]
    assert returns.height == recurs.height


def test_a_truth_without_its_columns_is_told(truth: Path, tmp_path: Path) -> None:
    """A Parquet file of something else in the truth folder is named with what it lacks."""
    path = _publish(tmp_path / "l.duckdb", *_answer(truth))
    for name in ("members", "events"):
        pl.DataFrame({"day": [dt.date(2025, 3, 1)]}).write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(SourceError, match="no column src"):
        evaluate(tmp_path, path)


def test_a_sender_in_two_tracks_is_refused(truth: Path, tmp_path: Path) -> None:
    """Memberships that name a sender twice on a day cannot be scored."""
    memberships, lineage = _answer(truth)
    twice = pl.concat([memberships, memberships.head(1)])
    with pytest.raises(DanteError, match="more than one membership"):
        evaluate(truth, _publish(tmp_path / "l.duckdb", twice, lineage))
