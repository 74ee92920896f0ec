"""The measures, against perfect and wrong answers, brute force, and their invariants."""

import datetime as dt
import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.evaluate import (
    ari,
    births,
    coverage,
    daily_ari,
    idf1,
    idf1_by_campaign,
    idf1_pooled,
    noise_rejected,
)

FIRST = dt.date(2025, 3, 1)
Row = tuple[int, int, str | None, int | None]


def _frame(rows: list[Row]) -> pl.DataFrame:
    dated = [(FIRST + dt.timedelta(days=day), src, t, p) for day, src, t, p in rows]
    schema = {"day": pl.Date, "src": pl.Int64, "truth": pl.String, "predicted": pl.Int64}
    return pl.DataFrame(dated, schema=schema, orient="row")


def _perfect(days: int = 4, campaigns: int = 5, senders: int = 20) -> pl.DataFrame:
    rows: list[Row] = []
    for day, campaign, sender in itertools.product(range(days), range(campaigns), range(senders)):
        rows.append((day, campaign * 100 + sender, f"c{campaign}", campaign))
    rows += [(day, 10_000 + sender, None, None) for day in range(days) for sender in range(9)]
    return _frame(rows)


@st.composite
def _answers(draw: st.DrawFn) -> pl.DataFrame:
    """Any truth and answer over a few days, senders, campaigns and tracks."""
    truth = st.sampled_from(["a", "b", "c", "d", None])
    track = st.sampled_from([1, 2, 3, 4, 5, None])
    cells = list(itertools.product(range(draw(st.integers(1, 3))), range(draw(st.integers(1, 8)))))
    return _frame([(day, src, draw(truth), draw(track)) for day, src in cells])


def test_a_perfect_answer_scores_one() -> None:
    """Every measure is exactly 1 when tracks are the campaigns."""
    frame = _perfect()
    for measure in (ari, coverage, noise_rejected, idf1, idf1_pooled):
        assert measure(frame) == 1.0, measure.__name__


def test_a_shuffled_answer_scores_near_nothing() -> None:
    """Tracks dealt at random have an ARI near 0 and a low IDF1."""
    frame = _perfect(senders=200)
    order = np.random.Generator(np.random.PCG64(1)).permutation(frame.height)
    frame = frame.with_columns(frame["predicted"].gather(order).alias("predicted"))
    assert abs(ari(frame)) < 0.05
    assert idf1(frame) < 0.4


def test_tracks_renamed_daily_keep_ari_and_lose_idf1() -> None:
    """New names each day do not hurt a day's clustering, but identity is lost."""
    frame = _perfect(days=10)
    renamed = pl.col("predicted") + 1000 * pl.col("day").dt.ordinal_day()
    frame = frame.with_columns(predicted=renamed)
    assert ari(frame) == 1.0
    assert idf1(frame) == pytest.approx(2 * 1 / (10 + 1))
    assert idf1_pooled(frame) == pytest.approx(1 / 10)


def test_leaving_senders_out_never_pays() -> None:
    """Unassigned senders are clusters of one: ARI, both IDF1s and coverage fall."""
    frame = _perfect().with_columns(
        pl.when(pl.col("src") % 2 == 0).then("predicted").alias("predicted")
    )
    assert coverage(frame) == 0.5
    assert ari(frame) < 0.7
    assert idf1(frame) == pytest.approx(2 / 3)
    assert idf1_pooled(frame) == pytest.approx(2 / 3)


def test_small_campaigns_count_as_much_as_huge_ones() -> None:
    """Losing a tiny campaign halves the averaged IDF1 and hardly moves the pooled one."""
    rows: list[Row] = [(0, src, "huge", 1) for src in range(998)]
    rows += [(0, 5000 + src, "tiny", None) for src in range(2)]
    frame = _frame(rows)
    assert idf1(frame) == 0.5
    assert idf1_pooled(frame) > 0.99


def test_noise_in_a_track_costs_identity() -> None:
    """Noise swallowed by a track counts against it."""
    rows: list[Row] = [(0, src, "a", 1) for src in range(10)]
    rows += [(0, 100 + src, None, 1) for src in range(10)]
    frame = _frame(rows)
    assert noise_rejected(frame) == 0.0
    assert idf1(frame) == pytest.approx(2 / 3)
    assert idf1_by_campaign(frame).row(0) == ("a", 1, 10, 20, 10, pytest.approx(2 / 3))


def _pairs_ari(truth: list[int], predicted: list[int]) -> float:
    """The adjusted Rand index from its definition over all pairs."""
    both = in_truth = in_predicted = total = 0
    for i, j in itertools.combinations(range(len(truth)), 2):
        t, p = truth[i] == truth[j], predicted[i] == predicted[j]
        both, in_truth, in_predicted = both + (t and p), in_truth + t, in_predicted + p
        total += 1
    if total == 0:
        return 1.0
    expected = in_truth * in_predicted / total
    highest = (in_truth + in_predicted) / 2
    return 1.0 if highest == expected else (both - expected) / (highest - expected)


@settings(max_examples=60, deadline=None)
@given(_answers())
def test_ari_is_its_definition(frame: pl.DataFrame) -> None:
    """Each day's ARI equals a count over all pairs of campaign senders."""
    for day, senders, score in daily_ari(frame).iter_rows():
        part = frame.filter(pl.col("day") == day, pl.col("truth").is_not_null())
        truth = [ord(t) for t in part["truth"]]
        predicted = [-i - 1 if p is None else p for i, p in enumerate(part["predicted"])]
        assert senders == part.height
        assert score == pytest.approx(_pairs_ari(truth, predicted))


@settings(max_examples=60, deadline=None)
@given(_answers())
def test_idf1_is_the_best_of_all_pairings(frame: pl.DataFrame) -> None:
    """No one-to-one pairing of campaigns and tracks agrees in more sender-days."""
    campaigns = sorted(frame["truth"].drop_nulls().unique())
    tracks = sorted(frame["predicted"].drop_nulls().unique())
    agree = {(c, t): frame.filter(truth=c, predicted=t).height for c in campaigns for t in tracks}
    padded = tracks + [-1] * len(campaigns)
    best = max(
        (
            sum(agree.get(pair, 0) for pair in zip(campaigns, chosen, strict=True))
            for chosen in itertools.permutations(padded, len(campaigns))
        ),
        default=0,
    )
    both = int(frame["truth"].count() + frame["predicted"].count())
    expected = 2 * best / both if both else math.nan
    assert idf1_pooled(frame) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(_answers(), st.permutations([1, 2, 3, 4, 5]), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(
    frame: pl.DataFrame, names: list[int], random: object
) -> None:
    """Renaming the tracks and shuffling the rows leaves every measure as it is."""
    order = list(range(frame.height))
    random.shuffle(order)  # type: ignore[attr-defined]
    other = frame[order].with_columns(
        pl.col("predicted").replace_strict(dict(enumerate(names, 1)), return_dtype=pl.Int64)
    )
    for measure in (ari, coverage, noise_rejected, idf1, idf1_pooled):
        assert measure(other) == pytest.approx(measure(frame), nan_ok=True), measure.__name__


@settings(max_examples=60, deadline=None)
@given(_answers())
def test_scores_lie_in_their_range(frame: pl.DataFrame) -> None:
    """Shares and IDF1 lie between 0 and 1, or are NaN where there is nothing to measure."""
    for measure in (coverage, noise_rejected, idf1, idf1_pooled):
        value = measure(frame)
        assert math.isnan(value) or 0 <= value <= 1


def test_nothing_to_measure_is_nan() -> None:
    """An empty frame has no score, not a good one."""
    frame = _frame([])
    for measure in (ari, coverage, noise_rejected, idf1, idf1_pooled):
        assert math.isnan(measure(frame)), measure.__name__


def _dated(column: str, rows: list[tuple[int, object]]) -> pl.DataFrame:
    dtype = pl.String if column == "truth" else pl.Int64
    dated = [(FIRST + dt.timedelta(days=day), name) for day, name in rows]
    return pl.DataFrame(dated, schema={"day": pl.Date, column: dtype}, orient="row")


def test_births_are_found_by_the_right_track_in_time() -> None:
    """A birth needs a new track of its own, on its day or the next; one later still is late."""
    rows: list[Row] = [(day, 1, "old", 1) for day in range(8)]
    rows += [(day, 2, "prompt", 2) for day in range(2, 8)]
    rows += [(day, 3, "late", 3 if day > 3 else None) for day in range(3, 8)]
    rows += [(day, 4, "missed", 4 if day > 6 else None) for day in range(4, 8)]
    rows += [(day, 5, None, 5) for day in range(5, 8)]
    frame = _frame(rows)
    true = _dated("truth", [(0, "old"), (2, "prompt"), (3, "late"), (4, "missed")])
    born = _dated("predicted", [(0, 1), (2, 2), (4, 3), (7, 4), (5, 5)])
    score = births(frame, true, born)
    assert (score.true_births, score.track_births) == (3, 4)
    assert score.recall == pytest.approx(2 / 3)
    assert score.precision == pytest.approx(2 / 4)
    assert score.days_late == pytest.approx((0 + 1 + 3) / 3)


def test_two_tracks_for_one_birth_are_one_too_many() -> None:
    """A birth is found once; a second new track of the same campaign is false."""
    rows: list[Row] = [(0, 1, "old", 1)]
    rows += [(day, src, "new", 2 + src % 2) for day in (1, 2) for src in range(10, 20)]
    score = births(
        _frame(rows), _dated("truth", [(1, "new")]), _dated("predicted", [(1, 2), (1, 3)])
    )
    assert (score.recall, score.precision, score.days_late) == (1.0, 0.5, 0.0)


def test_splits_are_judged_neither_way() -> None:
    """A new track for a campaign that split off is neither a birth nor a false one."""
    rows: list[Row] = [(0, 1, "old", 1), (1, 2, "child", 2), (1, 1, "old", 1)]
    score = births(
        _frame(rows),
        _dated("truth", [(0, "old")]),
        _dated("predicted", [(0, 1), (1, 2)]),
        not_judged=frozenset({"child"}),
    )
    assert (score.true_births, score.track_births) == (0, 0)
    assert math.isnan(score.recall)
    assert math.isnan(score.precision)
