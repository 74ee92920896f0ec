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
    """In the end each of two campaigns with ports of their own is in tracks of its own."""
    members = told[1].memberships.filter(pl.col("src") < 900)
    late = members.filter(pl.col("day") >= FIRST + dt.timedelta(days=4))
    late = late.with_columns(campaign=(pl.col("src") < 400).cast(pl.Int8))
    shares = late.with_columns(share=pl.col("campaign").mean().over("track"))
    own = shares.filter((pl.col("share") <= 0.1) | (pl.col("share") >= 0.9))
    assert own.height >= 0.9 * 4 * 60
    # Followed: most days of a campaign are in the tracks it was in the day before.
    days = own.group_by("campaign", "day").agg(pl.col("track").unique())
    days = days.sort("campaign", "day").with_columns(
        before=pl.col("track").shift().over("campaign")
    )
    days = days.drop_nulls("before")
    kept = days.filter(pl.col("track").list.set_intersection("before").list.len() > 0)
    assert kept.height >= 5


def test_replies_are_in_no_track(told: tuple[str, Answer]) -> None:
    """The victims of forged packets are in none."""
    assert told[1].memberships.filter(pl.col("src").is_between(900, 1000)).is_empty()


def test_noise_is_in_no_track(told: tuple[str, Answer]) -> None:
    """Of ten one-off senders a day hardly any is in a track; DarkVec knows no noise."""
    name, answer = told
    taken = answer.memberships.filter(pl.col("src") > 1000).height
    assert taken <= 8 or name == "darkvec"


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
    days = [Day(plain[0].day, empty), plain[1], Day(plain[2].day, empty), *plain[3:]]
    found = _answer(told[0], days)
    assert not {plain[0].day, plain[2].day} & set(found.memberships["day"])
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
