"""What the tracker reads back before a day: enough, nothing of the future, never more with time."""

import datetime as dt
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from dante.store.migrations import apply_migrations
from dante.store.state import State
from dante.tracking import load_memory

from .conftest import DAY

if TYPE_CHECKING:
    from .conftest import World

A, B = [23, 26], [80, 81, 82]


def _on(number: int) -> dt.date:
    return DAY + dt.timedelta(days=number)


def test_nothing_of_the_day_or_later_is_remembered(world: "World") -> None:
    """The memory before a day is the same whether that day and later ones were tracked or not."""
    world.day(0, [(range(20), A)])
    world.day(1, [(range(30), A)])
    before = load_memory(world.state, _on(2), window=14)
    world.day(2, [(range(20), B)])
    world.day(3, [(range(50), A)])
    again = load_memory(world.state, _on(2), window=14)
    assert again.members.equals(before.members)
    assert again.days == before.days
    assert [t.row(DAY) for t in again.tracks] == [t.row(DAY) for t in before.tracks]
    assert load_memory(world.state, DAY, window=14).tracks == ()
    assert load_memory(world.state, DAY, window=14).next_id == 1


def test_a_sender_is_remembered_by_its_newest_day_within_the_window(world: "World") -> None:
    """Each sender of an awake track once, with its last day, and none from before the window."""
    world.day(0, [(range(10), A)])
    world.day(1, [(range(5, 15), A)])
    members = load_memory(world.state, _on(2), window=14).members
    assert members["src"].to_list() == list(range(15))
    assert members["last_day"].to_list() == [_on(0)] * 5 + [_on(1)] * 10
    assert load_memory(world.state, _on(2), window=1).members["src"].to_list() == list(range(5, 15))


def test_sleepers_are_remembered_by_their_sample_only(world: "World") -> None:
    """No senders of a sleeping track are looked up; it carries its own."""
    world.day(0, [(range(20), A), (range(50, 60), B)])
    world.day(9, [(range(20), A)])
    memory = load_memory(world.state, _on(10), window=14)
    assert memory.members["track_id"].unique().to_list() == [1]
    sleeper = memory.tracks[1]
    assert (sleeper.state, sleeper.senders.tolist()) == ("asleep", list(range(50, 60)))


def _year(con: duckdb.DuckDBPyConnection, days: int) -> State:
    apply_migrations(con)
    con.execute(
        """
        INSERT INTO pipeline.track_states BY NAME
        SELECT t AS track_id, DATE '2025-01-01' + d::INTEGER AS day, 'n-' || t AS name,
               'active' AS state, DATE '2025-01-01' AS first_day,
               DATE '2025-01-01' + d::INTEGER AS last_day, d + 1 AS days_active, 9 AS packets,
               9 AS peak_senders, 9.0 AS size, 9.0 AS heard, [1::UINTEGER] AS words,
               [1.0] AS weights, [1.0] AS users, [] AS traits, [] AS trait_senders,
               [] AS hours, [] AS networks, [] AS network_senders, 0.0 AS forgotten,
               [] AS senders, DATE '2025-01-01' AS news_day, NULL AS news_away, 0 AS raised,
               0.5 AS stability
        FROM range(?) days(d), range(1, 21) tracks(t)
        """,
        [days],
    )
    con.execute(
        """
        INSERT INTO memberships
        SELECT DATE '2025-01-01' + d::INTEGER, s::VARCHAR, s % 20 + 1, 0, 5, 1.0, s
        FROM range(?) days(d), range(500) senders(s)
        """,
        [days],
    )
    con.execute(
        "INSERT INTO pipeline.days SELECT DATE '2025-01-01' + d::INTEGER, 'f', false "
        "FROM range(?) days(d)",
        [days],
    )
    return State(con)


class _Counted(State):
    """A state that counts what its queries read and give."""

    queries = 0
    rows = 0
    joined = 0

    def frame(self, sql: str, parameters: list[object] | None = None) -> pl.DataFrame:
        found = super().frame(sql, parameters)
        self.queries += 1
        self.rows += found.height
        if "memberships" in sql:
            self.con.execute("PRAGMA enable_profiling = 'no_output'")
            self.con.execute(sql, parameters or []).fetchall()
            profile = json.loads(self.con.get_profiling_information(format="json"))
            self.con.execute("PRAGMA disable_profiling")
            self.joined += sum(_rows(operator) for operator in profile["operator"])
        return found


def _rows(operator: dict[str, Any]) -> int:
    children = operator.get("children", [])
    return int(operator["intermediate_rows"]) + sum(_rows(child) for child in children)


def test_day_300_reads_what_day_30_does() -> None:
    """As many queries, rows and tracks on day 300 as on day 30, and as many rows on the way."""
    found = []
    for day in (30, 300):
        with closing(duckdb.connect()) as con:
            state = _Counted(_year(con, day).con)
            memory = load_memory(state, dt.date(2025, 1, 1) + dt.timedelta(days=day), window=14)
            assert len(memory.days) == 14
            found.append(
                (len(memory.tracks), memory.members.height, state.queries, state.rows, state.joined)
            )
    assert found[0] == found[1]
    assert found[0][:2] == (20, 500)
    assert found[0][4] > 14 * 500
