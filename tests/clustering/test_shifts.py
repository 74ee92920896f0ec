"""Two shifts with nobody between them are two activities; one day with its ups and downs is one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dante.clustering.shifts import shifts_apart

SURE = 12.0


def _at(*hours: int, senders: float) -> NDArray[np.float64]:
    """Some senders spread evenly over some hours of the day."""
    seen = np.zeros(24)
    seen[list(hours)] = senders / len(hours)
    return seen


@given(hour=st.integers(0, 23))
def test_two_shifts_with_nobody_between_them_are_two_wherever_the_day_begins(hour: int) -> None:
    """It makes no difference that one of them goes over midnight, or which is the first."""
    night, noon = _at(1, 2, 3, senders=30), _at(12, 13, 14, 15, senders=50)
    said = shifts_apart(np.roll(night, hour), np.roll(noon, hour))
    assert said > SURE
    assert said == pytest.approx(shifts_apart(noon, night))


@given(cut=st.integers(0, 23), long=st.integers(1, 23), senders=st.integers(5, 5000))
def test_one_day_however_it_is_cut_is_one(cut: int, long: int, senders: int) -> None:
    """Hours of a day that has its ups and downs tell each sender's half, and make no two of it."""
    day = np.roll(senders * (1 + 0.9 * np.cos(np.arange(24) / 12 * np.pi)) / 24, cut)
    inside = np.arange(24) < long
    assert shifts_apart(day * inside, day * ~inside) == 0


@given(seed=st.integers(0, 500), senders=st.integers(5, 12))
def test_the_chance_gaps_of_a_few_senders_do_not_make_two(seed: int, senders: int) -> None:
    """Of a few senders, one hour each, some hours of the day have none."""
    hours = np.sort(np.random.default_rng(seed).integers(0, 24, senders))
    early = np.bincount(hours[: senders // 2], minlength=24).astype(float)
    late = np.bincount(hours[senders // 2 :], minlength=24).astype(float)
    assert shifts_apart(early, late) < SURE


def test_those_between_two_shifts_speak_for_one() -> None:
    """A few stragglers change little; as many between as in the thinner shift make one."""
    night, noon, between = _at(1, 2, 3, senders=30), _at(12, 13, 14, senders=60), np.zeros(24)
    between[6:9] = 1.0
    alone, stragglers = shifts_apart(night, noon), shifts_apart(night, noon + between)
    assert SURE < stragglers < alone
    between[4:12] = 10.0
    assert shifts_apart(night, noon + between) == 0


def test_shifts_that_overlap_are_one() -> None:
    """Hours in common leave no time between."""
    assert shifts_apart(_at(1, 2, 3, 4, senders=40), _at(4, 5, 6, senders=40)) == 0
    assert shifts_apart(_at(*range(24), senders=40), _at(4, 5, 6, senders=40)) == 0
