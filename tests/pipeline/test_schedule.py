"""Which days a model learns from, and what it is called."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.config import ModelSettings
from dante.errors import NotEnoughDataError
from dante.pipeline.schedule import model_for, training_days

DAY = dt.date(2025, 3, 1)
DATES = st.lists(st.integers(0, 90), unique=True, min_size=1, max_size=60).map(
    lambda numbers: [DAY + dt.timedelta(days=n) for n in sorted(numbers)]
)


@given(days=DATES, every=st.integers(1, 12), window=st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_no_model_sees_its_day_or_a_later_one(days: list[dt.date], every: int, window: int) -> None:
    """Training days lie before the day, are days with packets in order, and fit the window."""
    how = ModelSettings(train_every=every, train_window=window)
    assert training_days(days, days[0], how) == (days[0],)
    for number, day in enumerate(days[1:], 1):
        seen = training_days(days, day, how)
        assert seen
        assert max(seen) < day
        assert len(seen) <= window
        # Without holes, and never older than the schedule allows.
        first = days.index(seen[0])
        assert seen == tuple(days[first : first + len(seen)])
        assert number - (first + len(seen)) < every
        assert seen == training_days(days[: number + 1], day, how), "later days changed it"


@given(days=DATES, every=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_model_is_kept_between_two_trainings(days: list[dt.date], every: int) -> None:
    """Beyond the first days a new model comes every `train_every` days with packets."""
    how = ModelSettings(train_every=every)
    lasts = [training_days(days, day, how)[-1] for day in days]
    assert lasts == sorted(lasts)
    young = 5
    changes = [i for i in range(max(young, every) + 1, len(days)) if lasts[i] != lasts[i - 1]]
    assert all(i % every == 0 for i in changes)


def test_a_day_before_all_packets_has_no_model() -> None:
    """There is nothing to learn from before the first day."""
    with pytest.raises(NotEnoughDataError, match="2025-02-28"):
        training_days([DAY], DAY - dt.timedelta(days=1), ModelSettings())


def test_the_name_of_a_model_says_what_it_is_made_from() -> None:
    """Other inputs or other learning give another name; another schedule does not."""
    how = ModelSettings()
    name = model_for([DAY], "a", how).model_id
    assert name == model_for([DAY], "a", how).model_id
    assert name != model_for([DAY], "b", how).model_id
    assert name != model_for([DAY], "a", how.model_copy(update={"seed": 9})).model_id
    later = how.model_copy(update={"train_every": 3, "train_window": 9})
    assert name == model_for([DAY], "a", later).model_id
