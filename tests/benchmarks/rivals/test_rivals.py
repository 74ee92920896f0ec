"""Every rival, through the door that all share."""

import datetime as dt
from collections.abc import Iterable, Iterator

import polars as pl
import pytest

from benchmarks.rivals import RIVALS, TELLS, Answer, Day, DayAnswer, answered
from dante.errors import DanteError

FIRST = dt.date(2025, 3, 1)


def _answer(name: str, days: list[Day]) -> Answer:
    return answered(RIVALS[name], days, lineage=name in TELLS)


@pytest.fixture(scope="module", params=sorted(RIVALS))
def told(request: pytest.FixtureRequest, plain: list[Day]) -> tuple[str, Answer]:
    """A rival's name and its answer to the plain days."""
    return request.param, _answer(request.param, plain)


def test_two_plain_campaigns_are_found_and_followed(told: tuple[str, Answer]) -> None:
    """On most days each of two campaigns with ports of their own is in tracks of its own."""
    members = told[1].memberships.with_columns(campaign=(pl.col("src") < 400))
    members = members.filter(pl.col("src") < 1000)
    late = members.filter(pl.col("day") > FIRST)
    assert late.group_by("day", "campaign").len().filter(pl.col("len") >= 27).height >= 12
    tracks = members.group_by("track").agg(pl.col("campaign").n_unique())
    assert (tracks["campaign"] == 1).all()


def test_noise_and_replies_are_in_no_track(told: tuple[str, Answer]) -> None:
    """One-off senders and the victims of forged packets are in none."""
    others = told[1].memberships.filter(pl.col("src") >= 900)
    assert others.is_empty()


def test_the_same_days_give_the_same_answer(told: tuple[str, Answer], plain: list[Day]) -> None:
    """A second run says the same, of memberships and of lineage."""
    again = _answer(told[0], plain)
    assert again.memberships.equals(told[1].memberships)
    assert (again.lineage is None) == (told[1].lineage is None)
    if again.lineage is not None and told[1].lineage is not None:
        assert again.lineage.equals(told[1].lineage)


def test_later_days_change_nothing_before_them(told: tuple[str, Answer], plain: list[Day]) -> None:
    """What is said of four days does not depend on the four after them."""
    part = _answer(told[0], plain[:4])
    last = plain[3].day
    assert part.memberships.equals(told[1].memberships.filter(pl.col("day") <= last))


def test_a_day_without_scans_is_a_day_without_tracks(
    told: tuple[str, Answer], plain: list[Day]
) -> None:
    """An empty day, first or between others, breaks nothing."""
    empty = plain[0].packets.clear()
    days = [Day(plain[0].day, empty), plain[1], Day(plain[2].day, empty), plain[3]]
    found = _answer(told[0], days)
    assert set(found.memberships["day"]) <= {plain[1].day, plain[3].day}
    assert not found.memberships.is_empty()


def test_who_looks_ahead_is_refused(plain: list[Day]) -> None:
    """The door stops a rival that takes a day before it has answered the one before."""

    def cheat(days: Iterable[Day]) -> Iterator[DayAnswer]:
        for _ in list(days):
            yield DayAnswer({})

    with pytest.raises(DanteError, match="looked at 2025-03-02 before it answered 2025-03-01"):
        answered(cheat, plain)


def test_who_leaves_days_out_is_refused(plain: list[Day]) -> None:
    """The door counts the answers."""

    def lazy(days: Iterable[Day]) -> Iterator[DayAnswer]:
        yield from [DayAnswer({}) for day in days if day.day.day % 2]

    with pytest.raises(DanteError):
        answered(lazy, plain)
