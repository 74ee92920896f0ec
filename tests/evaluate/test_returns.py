"""Whether campaigns that come back are known again."""

import datetime as dt
import math
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.evaluate import found_returns, return_precision, true_returns
from dante.simulate import Scenario, simulate

FIRST = dt.date(2025, 3, 1)
Row = tuple[int, int, str | None, int | None]


def _day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def _frame(rows: list[Row]) -> pl.DataFrame:
    dated = [(_day(day), src, t, p) for day, src, t, p in rows]
    schema = {"day": pl.Date, "src": pl.Int64, "truth": pl.String, "predicted": pl.Int64}
    return pl.DataFrame(dated, schema=schema, orient="row")


def _events(rows: list[tuple[int, str, str]]) -> pl.DataFrame:
    dated = [(_day(day), campaign, event) for day, campaign, event in rows]
    schema = {"day": pl.Date, "campaign": pl.String, "event": pl.String}
    return pl.DataFrame(dated, schema=schema, orient="row")


def _members(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select("day", "src", campaign="truth")


def _comeback(back: list[int | None], old: int | None = 1, gap: int = 3) -> pl.DataFrame:
    """Four senders on two days in track `old`, then, after a gap, one in each track of `back`."""
    rows: list[Row] = [(day, src, "a", old) for day in range(2) for src in range(4)]
    rows += [(2 + gap, 10 + i, "a", track) for i, track in enumerate(back)]
    return _frame(rows)


def _found(frame: pl.DataFrame, day: int = 5) -> tuple[bool, int | None]:
    known = true_returns(_members(frame), _events([(day, "a", "recur")]))
    table = found_returns(frame, known)
    return table["found"][0], table["late"][0]


def test_a_return_into_the_old_track_is_found() -> None:
    """Half of the senders in the old track are enough, fewer are not."""
    assert _found(_comeback([1, 1, 1, 1])) == (True, 0)
    assert _found(_comeback([1, 1, None, 2])) == (True, 0)
    assert _found(_comeback([1, None, None, 2])) == (False, None)
    assert _found(_comeback([7, 7, 7, 7])) == (False, None)


def test_a_return_may_be_found_a_day_late() -> None:
    """On the second day back it still counts, on the third no more."""
    rows = [(day, src, "a", 1) for day in range(2) for src in range(4)]
    late = [(5, 10, "a", None), (6, 10, "a", 1), (7, 10, "a", 1)]
    assert _found(_frame([*rows, *late])) == (True, 1)
    too_late = [(5, 10, "a", None), (6, 10, "a", 9), (7, 10, "a", 1)]
    assert _found(_frame([*rows, *too_late])) == (False, None)


def test_a_campaign_never_assigned_has_no_track_to_return_to() -> None:
    """Noise before and a track after is no return found."""
    assert _found(_comeback([1, 1], old=None)) == (False, None)


def test_one_track_for_all_finds_no_return() -> None:
    """A track is a campaign's home only if the campaign was the largest part of it."""
    rows: list[Row] = [(day, src, "a", 1) for day in (0, 1, 5) for src in range(4)]
    rows += [(day, 100 + src, "b", 1) for day in range(6) for src in range(9)]
    assert _found(_frame(rows)) == (False, None)


def test_home_is_where_it_was_before_this_sleep() -> None:
    """After a first return into a new track, that one is the home of the second return."""
    rows: list[Row] = [(0, 1, "a", 1), (4, 1, "a", 2), (9, 1, "a", 2), (14, 1, "a", 1)]
    frame = _frame(rows)
    events = _events([(day, "a", "recur") for day in (4, 9, 14)])
    table = found_returns(frame, true_returns(_members(frame), events))
    assert table["home"].to_list() == [1, 2, 2]
    assert table["found"].to_list() == [False, True, False]
    assert table["track"].to_list() == [2, 2, 1]
    assert table["gap"].to_list() == [3, 4, 4]


def test_gap_and_senders_come_from_the_members_where_events_lack_them() -> None:
    """A truth without the two columns, or with nulls in them, gives what one with them says."""
    frame = _comeback([1, 1, 1, 1], gap=12)
    same = frame.with_columns(pl.col("src") % 10)
    events = _events([(14, "a", "recur")])
    told = events.with_columns(gap=pl.lit(12, pl.Int64), senders=pl.lit("new"))
    empty = events.with_columns(gap=pl.lit(None, pl.Int64), senders=pl.lit(None, pl.String))
    derived = true_returns(_members(frame), events)
    assert derived.equals(true_returns(_members(frame), told))
    assert derived.equals(true_returns(_members(frame), empty))
    assert derived.row(0) == ("a", _day(14), _day(0), _day(1), 12, "new")
    assert true_returns(_members(same), events)["senders"].to_list() == ["same"]


def test_members_and_events_of_a_simulation_say_the_same(tmp_path: Path) -> None:
    """Days away and senders worked out from the members are those that its events name."""
    folder = simulate(Scenario(days=30, senders=300, seed=2), tmp_path).members.parent
    members, events = (pl.read_parquet(folder / f"{n}.parquet") for n in ("members", "events"))
    told = true_returns(members, events)
    assert told.height > 0
    assert told.equals(true_returns(members, events.drop("gap", "senders")))


def test_a_return_is_judged_only_where_both_sides_are_seen() -> None:
    """Days that the answer does not cover, before or after, are not held against it."""
    frame = _comeback([1, 1])
    known = true_returns(_members(frame), _events([(5, "a", "recur")]))
    assert found_returns(frame.filter(pl.col("day") > _day(2)), known).is_empty()
    assert found_returns(frame.filter(pl.col("day") < _day(2)), known).is_empty()
    assert true_returns(_members(frame), _events([(0, "a", "recur")])).is_empty()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(1, 4)), min_size=1, max_size=5),
    st.booleans(),
)
def test_gaps_are_the_days_away(stretches: list[tuple[int, int]], renamed: bool) -> None:
    """Over any lives the gaps are as planted; one name for life finds all, new names none."""
    rows: list[Row] = []
    events, day = [], 0
    for number, (gap, days) in enumerate(stretches):
        if number:
            events.append((day, "a", "recur"))
        rows += [(day + d, 1, "a", number if renamed else 0) for d in range(days)]
        day += days + gap
    frame = _frame(rows)
    known = true_returns(_members(frame), _events(events))
    assert known["gap"].to_list() == [gap for gap, _ in stretches[:-1]]
    assert known["senders"].to_list() == ["same"] * (len(stretches) - 1)
    assert set(found_returns(frame, known)["found"]) <= {not renamed}


def test_announced_returns_are_true_when_their_campaign_came_back() -> None:
    """On its day or the next, of the right campaign; nothing announced is no score."""
    frame = _comeback([1, 1])
    known = true_returns(_members(frame), _events([(5, "a", "recur")]))
    own = pl.DataFrame({"predicted": [1, 2, 3], "truth": ["a", "b", None]})
    told = pl.DataFrame(
        {"day": [_day(d) for d in (4, 5, 6, 7, 5, 5)], "predicted": [1, 1, 1, 1, 2, 3]}
    )
    assert return_precision(own, told, known) == pytest.approx(2 / 6)
    assert math.isnan(return_precision(own, told.clear(), known))
