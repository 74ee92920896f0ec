"""Intervals over seeds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from dante.evaluate import bootstrap

_VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=15)


def test_five_runs_have_students_interval() -> None:
    """Five values give what scipy's t interval of their mean gives."""
    values = [0.71, 0.8, 0.77, 0.69, 0.74]
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    interval = bootstrap(values)
    assert (interval.mean, interval.low, interval.high, interval.runs) == (
        pytest.approx(np.mean(values)),
        pytest.approx(low),
        pytest.approx(high),
        5,
    )


def test_it_holds_the_true_mean_about_as_often_as_it_says() -> None:
    """Of 300 times five and twenty runs, at least nine in ten intervals hold the truth."""
    rng = np.random.Generator(np.random.PCG64(3))
    for runs, times in ((5, 300), (20, 100)):
        held = [bootstrap(list(rng.normal(0.8, 0.05, runs))) for _ in range(times)]
        assert np.mean([i.low <= 0.8 <= i.high for i in held]) > 0.9


@given(_VALUES, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_mean_is_inside(values: list[float], random: object) -> None:
    """The same values in any order give the same interval, around their mean and in bounds."""
    other = list(values)
    random.shuffle(other)  # type: ignore[attr-defined]
    interval = bootstrap(values, bounds=(0, 1))
    assert interval == bootstrap(other, bounds=(0, 1))
    assert 0 <= interval.low <= interval.mean + 1e-12
    assert interval.mean - 1e-12 <= interval.high <= 1


def test_what_was_not_measured_is_left_out() -> None:
    """NaN is no value; of one value there is no interval, of none no mean."""
    assert bootstrap([0.5, math.nan, 0.7]) == bootstrap([0.5, 0.7])
    one, none = bootstrap([0.5, math.nan]), bootstrap([])
    assert (one.mean, one.runs) == (0.5, 1)
    assert math.isnan(one.low)
    assert math.isnan(none.mean)


def test_more_level_is_wider() -> None:
    """A 99 % interval holds the 80 % one."""
    for runs in (5, 30):
        values = list(np.linspace(0.2, 0.9, runs))
        wide, narrow = bootstrap(values, level=0.99), bootstrap(values, level=0.8)
        assert wide.low < narrow.low < narrow.high < wide.high
