"""HOTA of sender-days, against its definition, brute force and the authors' own code."""

import datetime as dt
import itertools
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.evaluate import hota, hota_by_campaign, hota_pooled, idf1_pooled

FIRST = dt.date(2025, 3, 1)
Row = tuple[int, int, str | None, int | None]


def _frame(rows: list[Row]) -> pl.DataFrame:
    dated = [(FIRST + dt.timedelta(days=day), src, t, p) for day, src, t, p in rows]
    schema = {"day": pl.Date, "src": pl.Int64, "truth": pl.String, "predicted": pl.Int64}
    return pl.DataFrame(dated, schema=schema, orient="row")


@st.composite
def _answers(draw: st.DrawFn) -> list[Row]:
    """Any truth and answer over a few days, senders, campaigns and tracks."""
    truth = st.sampled_from(["a", "b", "c", None])
    track = st.sampled_from([1, 2, 3, 4, None])
    cells = itertools.product(range(draw(st.integers(1, 3))), range(draw(st.integers(1, 8))))
    return [(day, src, draw(truth), draw(track)) for day, src in cells]


def _association(rows: list[Row], one: Row) -> float:
    """A(c) of one true positive: TPA / (TPA + FNA + FPA), counted over all detections."""
    _, _, truth, track = one
    tpa = sum(t == truth and p == track for _, _, t, p in rows)
    fna = sum(t == truth and p != track for _, _, t, p in rows)
    fpa = sum(p == track and t != truth for _, _, t, p in rows)
    return tpa / (tpa + fna + fpa)


@settings(max_examples=80)
@given(_answers())
def test_pooled_hota_is_its_definition(rows: list[Row]) -> None:
    """HOTA, DetA and AssA equal sums over true positives, one at a time, as the paper has them."""
    matched = [row for row in rows if row[2] is not None and row[3] is not None]
    missed = sum(row[2] is not None and row[3] is None for row in rows)
    false = sum(row[2] is None and row[3] is not None for row in rows)
    score = hota_pooled(_frame(rows))
    if not matched and not missed:
        assert math.isnan(score.hota)
        return
    every = [_association(rows, row) for row in matched]
    assert score.detection == pytest.approx(len(matched) / (len(matched) + missed + false))
    assert score.association == pytest.approx(sum(every) / len(every) if every else 0)
    assert score.hota == pytest.approx(
        math.sqrt(sum(every) / (len(matched) + missed + false)) if every else 0
    )


@settings(max_examples=80)
@given(_answers())
def test_a_campaigns_hota_is_the_same_over_its_own_senders(rows: list[Row]) -> None:
    """Each campaign's scores equal sums over its own true positives; hota is their mean."""
    table = hota_by_campaign(_frame(rows))
    for name, whole, detection, association in table.iter_rows():
        own = [row for row in rows if row[2] == name]
        every = [_association(rows, row) for row in own if row[3] is not None]
        assert detection == pytest.approx(len(every) / len(own))
        assert association == pytest.approx(sum(every) / len(every) if every else 0)
        assert whole == pytest.approx(math.sqrt(sum(every) / len(own)))
    assert hota(_frame(rows)).hota == pytest.approx(
        table["hota"].mean() if table.height else math.nan, nan_ok=True
    )


@settings(max_examples=40)
@given(_answers(), st.permutations([1, 2, 3, 4]), st.randoms(use_true_random=False))
def test_names_and_order_do_not_matter(rows: list[Row], names: list[int], random: object) -> None:
    """Renaming tracks and shuffling rows leaves HOTA as it is; it lies between 0 and 1."""
    other = [(d, s, t, None if p is None else names[p - 1]) for d, s, t, p in rows]
    random.shuffle(other)  # type: ignore[attr-defined]
    for measure in (hota, hota_pooled):
        was, now = measure(_frame(rows)), measure(_frame(other))
        for field in ("hota", "detection", "association"):
            value = getattr(was, field)
            assert getattr(now, field) == pytest.approx(value, nan_ok=True)
            assert math.isnan(value) or 0 <= value <= 1


def test_days_of_its_senders_make_no_difference() -> None:
    """A campaign's sender-days may fall on any days: only identities are compared."""
    rows: list[Row] = [(day, src, "a", 1 + day // 2) for day in range(4) for src in range(5)]
    other: list[Row] = [(0, i, t, p) for i, (_, _, t, p) in enumerate(rows)]
    assert hota_pooled(_frame(rows)) == hota_pooled(_frame(other))


def test_tracks_renamed_daily_keep_detection_and_lose_association() -> None:
    """Ten names in ten days leave DetA at 1 and AssA at a tenth."""
    rows: list[Row] = [
        (day, 100 * c + s, f"c{c}", 10 * day + c)
        for day, c, s in itertools.product(range(10), range(3), range(20))
    ]
    for score in (hota(_frame(rows)), hota_pooled(_frame(rows))):
        assert score.detection == 1
        assert score.association == pytest.approx(0.1)
        assert score.hota == pytest.approx(math.sqrt(0.1))


def test_noise_in_a_track_costs_detection_and_association() -> None:
    """A track that is half noise has DetA and AssA of one half; averaged, it is association."""
    rows: list[Row] = [(0, s, "a" if s < 10 else None, 1) for s in range(20)]
    pooled, mean = hota_pooled(_frame(rows)), hota(_frame(rows))
    assert (pooled.hota, pooled.detection, pooled.association) == (0.5, 0.5, 0.5)
    assert (mean.detection, mean.association) == (1.0, 0.5)


def test_a_small_campaign_counts_as_much_as_a_huge_one() -> None:
    """A lost tiny campaign halves the mean and hardly moves the pooled HOTA."""
    rows: list[Row] = [(0, s, "huge", 1) for s in range(998)]
    rows += [(0, 5000 + s, "tiny", None) for s in range(2)]
    assert hota(_frame(rows)).hota == 0.5
    assert hota_pooled(_frame(rows)).hota > 0.99


def test_pooled_scores_agree_with_the_authors_code() -> None:
    """On 5,000 sender-days TrackEval gives the same HOTA, DetA, AssA and IDF1.

    It counts one detection of an identity a frame, so each sender-day is a frame of its own.
    """
    reason = "TrackEval is not installed: pip install trackeval"
    code = pytest.importorskip("trackeval.metrics.hota", reason=reason, exc_type=ImportError)
    other = pytest.importorskip("trackeval.metrics.identity", reason=reason, exc_type=ImportError)
    rng = np.random.Generator(np.random.PCG64(5))
    truth = rng.integers(-5, 30, 5000)
    track = np.where(rng.random(5000) < 0.7, truth % 37, rng.integers(-5, 37, 5000)) - 2
    rows: list[Row] = [
        (0, i, f"{t:02}" if t >= 0 else None, int(p) if p >= 0 else None)
        for i, (t, p) in enumerate(zip(truth.tolist(), track.tolist(), strict=True))
    ]
    known = [(t, p) for _, _, t, p in rows]
    true_id = {name: i for i, name in enumerate(sorted({t for t, _ in known if t is not None}))}
    track_id = {name: i for i, name in enumerate(sorted({p for _, p in known if p is not None}))}
    gt = [np.array([] if t is None else [true_id[t]], dtype=int) for t, _ in known]
    dets = [np.array([] if p is None else [track_id[p]], dtype=int) for _, p in known]
    data = {
        "num_gt_ids": len(true_id),
        "num_tracker_ids": len(track_id),
        "num_gt_dets": sum(map(len, gt)),
        "num_tracker_dets": sum(map(len, dets)),
        "num_timesteps": len(gt),
        "gt_ids": gt,
        "tracker_ids": dets,
        "similarity_scores": [np.ones((len(t), len(p))) for t, p in zip(gt, dets, strict=True)],
    }
    theirs, ours = code.HOTA().eval_sequence(data), hota_pooled(_frame(rows))
    assert ours.hota == pytest.approx(theirs["HOTA"][9])
    assert ours.detection == pytest.approx(theirs["DetA"][9])
    assert ours.association == pytest.approx(theirs["AssA"][9])
    identity = other.Identity({"PRINT_CONFIG": False}).eval_sequence(data)
    assert idf1_pooled(_frame(rows)) == pytest.approx(identity["IDF1"])
