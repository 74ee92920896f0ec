"""Whether threats are news, and news raises threats."""

import datetime as dt
import math

import polars as pl
import pytest

from dante.evaluate import AlertScore, alerts

FIRST = dt.date(2025, 3, 1)
OWN = pl.DataFrame({"predicted": [1, 2, 9], "truth": ["a", "b", None]})


def _day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def _score(
    news: list[tuple[int, str, str]], threats: list[tuple[int, int]], benign: frozenset[str]
) -> AlertScore:
    frame = pl.DataFrame({"day": [_day(d) for d in range(20)], "truth": "a", "predicted": 1})
    return alerts(
        frame,
        OWN,
        pl.DataFrame(
            [(_day(d), *rest) for d, *rest in news],
            schema={"day": pl.Date, "truth": pl.String, "event": pl.String},
            orient="row",
        ),
        pl.DataFrame(
            [(_day(d), track) for d, track in threats],
            schema={"day": pl.Date, "predicted": pl.Int64},
            orient="row",
        ),
        benign=benign,
    )


def test_threats_on_news_are_right_and_news_without_one_is_missed() -> None:
    """A threat within a week is right, also a second one; an old or foreign one is not."""
    news = [(3, "a", "birth"), (12, "a", "recur"), (4, "b", "split"), (5, "b", "sleep")]
    threats = [(3, 1), (5, 1), (11, 1), (14, 1), (2, 2), (6, 9)]
    score = _score(news, threats, frozenset())
    assert score.precision == pytest.approx(3 / 6)
    assert score.recall == pytest.approx(2 / 3)
    assert score.days_late == pytest.approx((0 + 2) / 2)
    assert (score.a_day, score.most, score.news) == (6 / 20, 1, 3)


def test_news_of_benign_scanners_need_not_be_told() -> None:
    """Told it is right, untold it is not missed."""
    assert math.isnan(_score([(3, "b", "birth")], [], frozenset("b")).recall)
    assert _score([(3, "b", "birth")], [(3, 2)], frozenset("b")).precision == 1.0


def test_the_first_day_is_counted_and_not_judged() -> None:
    """On the first day everything is new: threats then are alerts, but neither right nor wrong."""
    score = _score([(0, "a", "birth")], [(0, 1), (0, 2)], frozenset())
    assert (score.a_day, score.most, score.news) == (0.1, 2, 0)
    assert math.isnan(score.precision)
    assert math.isnan(score.recall)


def test_silence_is_no_precision() -> None:
    """Without threats there is nothing to be right about, and all news is missed."""
    score = _score([(3, "a", "birth")], [], frozenset())
    assert (score.a_day, score.most, score.recall) == (0.0, 0, 0.0)
    assert math.isnan(score.precision)
