"""Floods and sweeps of a few senders, counted against the days before, through the real state."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import closing
from types import MappingProxyType

import duckdb
import numpy as np
import polars as pl
import pytest

from dante.config import ThreatSettings
from dante.labels.scanners import BenignNetworks
from dante.sequences import SENDERS
from dante.store.migrations import apply_migrations
from dante.store.state import DAY_TABLES, DayRecord, State
from dante.tracking import find_floods, load_volumes

from .conftest import NOBODY

FIRST = dt.date(2025, 3, 1)
TCP, UDP = 6 * 65536, 17 * 65536

Sent = dict[int, dict[int, int]]
"""Packets by word, by sender."""

USUAL: Sent = {src: {TCP + 22: 20, TCP + 23: 3} for src in range(1, 41)}
"""800 packets to 22/tcp and 120 to 23/tcp."""


def _senders(sent: Sent) -> pl.DataFrame:
    rows = [
        {
            "src": src,
            "packets": sum(by_word.values()),
            "sentence": sorted(by_word),
            "words": sorted(by_word),
            "counts": [by_word[word] for word in sorted(by_word)],
        }
        for src, by_word in sorted(sent.items())
    ]
    names = ("src", "packets", "sentence", "words", "counts")
    return pl.DataFrame(rows, schema={name: SENDERS[name] for name in names})


Day = Callable[..., pl.DataFrame]


@pytest.fixture
def on() -> Iterator[Day]:
    """Commits a day of packets and gives its floods."""
    with closing(duckdb.connect()) as con:
        apply_migrations(con)
        state = State(con)

        def day(
            number: int, sent: Sent, benign: BenignNetworks = NOBODY, **settings: int
        ) -> pl.DataFrame:
            when = FIRST + dt.timedelta(days=number)
            found = find_floods(
                when,
                _senders(sent),
                load_volumes(state, when),
                settings=ThreatSettings(**settings),  # type: ignore[arg-type]
                benign=benign,
            )
            tables = dict.fromkeys(DAY_TABLES, pl.DataFrame()) | {
                "floods": found.floods,
                "pipeline.port_days": found.port_days,
                "pipeline.volumes": found.volumes,
            }
            nothing = pl.DataFrame(schema={"model_id": pl.String})
            state.commit_day(
                DayRecord(when, f"f{when}", MappingProxyType(tables), nothing, pl.DataFrame())
            )
            return state.frame("SELECT * FROM floods WHERE day = ?", [when])

        yield day


def _week(on: Day) -> None:
    for number in range(7):
        assert on(number, USUAL).is_empty()


def test_one_sender_floods_a_port_nobody_uses(on: Day) -> None:
    """A row with the sender, the port, its packets and how many times the usual they are."""
    _week(on)
    row = on(7, USUAL | {99: {UDP + 2193: 11116, TCP + 22: 3}}).row(0, named=True)
    assert row == {
        "day": FIRST + dt.timedelta(days=7),
        "src": "0.0.0.99",
        "shape": "flood",
        "port": "2193/udp",
        "ports": 1,
        "packets": 11116,
        "usual": 1,
        "times": 11116.0,
        "address": 99,
    }


def test_a_port_that_is_always_full_is_held_against_itself(on: Day) -> None:
    """Four times its own fullest day is a flood, three times is not."""
    _week(on)
    assert on(7, USUAL | {99: {TCP + 22: 1600}}).is_empty()
    assert on(8, USUAL | {99: {TCP + 23: 400}}).rows()[0][3:7] == ("23/tcp", 1, 400, 120)


def test_a_flood_that_lasts_is_told_once(on: Day) -> None:
    """Its first day is in the past of its second, and out of it 28 days later."""
    _week(on)
    flood = USUAL | {99: {UDP + 2193: 5000}}
    assert [on(number, flood).height for number in (7, 8, 35)] == [1, 0, 0]
    for number in range(61, 64):
        on(number, USUAL)
    assert on(64, flood).height == 1


def test_what_many_send_is_no_flood(on: Day) -> None:
    """Up to seven senders of half a port's packets are told; eight are a matter for tracks."""
    _week(on)
    shared = {100 + n: {UDP + 2193: 500} for n in range(12)}
    assert on(7, USUAL | shared)["address"].to_list() == [100 + n for n in range(6)]
    shared = {100 + n: {UDP + 2194: 500} for n in range(16)}
    assert on(8, USUAL | shared).is_empty()
    assert on(9, USUAL | shared, min_senders=20).is_empty(), "it has been there before"


def test_little_is_no_flood_and_a_large_telescope_asks_for_more(on: Day) -> None:
    """Under 200 packets, or under half a hundredth of the day's, nobody is told."""
    _week(on)
    assert on(7, USUAL | {99: {UDP + 1: 199}}).is_empty()
    assert on(8, USUAL | {99: {UDP + 2: 200}}).height == 1
    large = {src: {TCP + 22: 2500} for src in range(1, 41)}
    on(9, large)
    assert on(10, large | {99: {UDP + 3: 450}}).is_empty()
    assert on(11, large | {99: {UDP + 4: 550}}).height == 1


def test_one_sender_on_very_many_ports_is_a_sweep(on: Day) -> None:
    """Against the widest sender before, with no port named."""
    _week(on)
    first = on(7, USUAL | {99: dict.fromkeys(range(TCP + 1, TCP + 236), 1)})
    assert first.select("src", "shape", "port", "ports", "packets", "usual", "times").rows() == [
        ("0.0.0.99", "sweep", None, 235, 235, 2, 117.5)
    ]
    assert on(8, USUAL | {98: dict.fromkeys(range(TCP + 1, TCP + 236), 1)}).is_empty()
    assert on(9, USUAL | {97: dict.fromkeys(range(TCP + 1, TCP + 471), 1)}).height == 1


def test_a_young_telescope_and_known_scanners_have_no_floods(on: Day) -> None:
    """Before `threat.history_days` all is out of the ordinary; benign networks are left out."""
    flood = {99: {UDP + 2193: 5000}, 98: dict.fromkeys(range(TCP + 1, TCP + 236), 1)}
    assert on(0, USUAL).is_empty()
    assert on(1, USUAL | flood).is_empty()
    for number in range(30, 33):
        on(number, USUAL)
    known = BenignNetworks(np.array([98], np.uint64), np.array([99], np.uint64))
    assert on(33, USUAL | flood, known).is_empty()


def test_a_day_rerun_finds_the_same(on: Day) -> None:
    """A day is held against those before it, never against itself."""
    _week(on)
    flood = USUAL | {99: {UDP + 2193: 5000, UDP + 7: 300}, 98: {UDP + 9: 300}}
    once = on(7, flood)
    assert once["packets"].to_list() == [5000, 300, 300]
    assert on(7, flood).equals(once)


def test_what_is_kept_of_a_day_is_bounded(on: Day) -> None:
    """A sweep of all ports leaves no more than a thousand of them to remember."""
    sweep = {5: dict.fromkeys(range(TCP, TCP + 65536), 1)}
    found = find_floods(
        FIRST,
        _senders(USUAL | sweep),
        load_volumes(_empty(), FIRST),
        settings=ThreatSettings(),
        benign=NOBODY,
    )
    assert found.port_days["word"].to_list() == [TCP + 22, TCP + 23]
    assert found.volumes.rows() == [(FIRST, 67, 65536)]


def _empty() -> State:
    con = duckdb.connect()
    apply_migrations(con)
    return State(con)


def test_a_day_without_senders_has_none(on: Day) -> None:
    """Only backscatter on a day: nothing is sent, and the next day is judged as ever."""
    _week(on)
    assert on(7, {}).is_empty()
    assert on(8, USUAL | {99: {UDP + 2193: 5000}}).height == 1
