"""Scales, words and paths of the report's drawings."""

import re
from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.report.axis import Columns, date_ticks, value_ticks
from dante.report.charts import HEIGHT, WIDE, Series, chart
from dante.report.timeline import LANE, choose, timeline
from dante.report.words import clean, day_ranges, percent, read_ports, span_text

FIRST = date(2024, 11, 20)
DAYS = st.dates(date(1995, 1, 1), date(2060, 1, 1))


def _tracks(rows: list[tuple[int, list[int], int, float | None]]) -> pl.DataFrame:
    """Tracks of (id, days as numbers, senders, score) as `queries.tracks` gives them."""
    return pl.DataFrame(
        [
            {
                "track_id": track_id,
                "name": f"name-{track_id}",
                "born": FIRST + timedelta(days=days[0]),
                "first_day": FIRST + timedelta(days=days[0]),
                "last_day": FIRST + timedelta(days=days[-1]),
                "days_active": len(days),
                "peak_senders": senders,
                "score": score,
            }
            for track_id, days, senders, score in rows
        ],
        schema_overrides={"score": pl.Float64},
    )


def _events(rows: list[tuple[int, int, str, int | None]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(FIRST + timedelta(days=day), *rest) for day, *rest in rows],
        schema={
            "day": pl.Date,
            "track_id": pl.Int64,
            "event": pl.String,
            "related_track_id": pl.Int64,
        },
        orient="row",
    )


def _calls(rows: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        [(FIRST + timedelta(days=day), track_id) for day, track_id in rows],
        schema={"day": pl.Date, "track_id": pl.Int64},
        orient="row",
    )


def _drawn(path: str) -> dict[int, int]:
    """The columns a lane's path covers, with its thickness there, read back from the path."""
    covered: dict[int, int] = {}
    for shape in path.split("z")[:-1]:
        start, middle = map(int, re.match(r"M(\d+) (\d+)", shape).groups())  # type: ignore[union-attr]
        x = start
        for top, wide in re.findall(r"V(-?\d+)h(-?\d+)", shape):
            step = range(x, x + int(wide)) if int(wide) > 0 else range(x + int(wide), x)
            if int(wide) > 0:
                covered.update(dict.fromkeys(step, 2 * (middle - int(top))))
            else:
                assert all(covered[c] == 2 * (int(top) - middle) for c in step)
            x += int(wide)
        assert x == start
    return covered


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 120), st.integers(1, 10**6), min_size=1))
def test_a_lane_is_drawn_on_the_days_it_worked(active: dict[int, int]) -> None:
    """A lane's shapes cover exactly its days, thicker with more senders, and stay in the lane."""
    days = sorted(active)
    tracks = _tracks([(7, days, max(active.values()), None)])
    frame = _calls([(day, 7) for day in days]).with_columns(
        senders=pl.Series([active[day] for day in days])
    )
    span = (FIRST, FIRST + timedelta(days=120))
    made = timeline(tracks, frame, _events([]), _calls([]), span, of=1)
    drawn = _drawn(made.lanes[0].path)
    assert sorted(drawn) == days
    order = sorted(days, key=lambda day: active[day])
    assert [drawn[day] for day in order] == sorted(drawn.values())
    assert all(0 < thickness <= 2 * LANE for thickness in drawn.values())
    assert not made.lanes[0].hot_path


def test_a_threat_stands_out_for_a_week() -> None:
    """The seven days from its call on are drawn apart, and its name only while that is recent."""
    days = list(range(30))
    tracks = _tracks([(1, days, 5, 0.9), (2, days, 5, 0.8), (3, days, 5, None)])
    frame = _calls([(day, track) for track in (1, 2, 3) for day in days])
    frame = frame.with_columns(senders=pl.lit(5))
    calls = _calls([(27, 2), (3, 1)])
    span = (FIRST, FIRST + timedelta(days=29))
    made = timeline(tracks, frame, _events([]), calls, span, of=3)
    assert [sorted(_drawn(lane.hot_path)) for lane in made.lanes] == [
        list(range(3, 10)),
        [27, 28, 29],
        [],
    ]
    assert [lane.recent for lane in made.lanes] == [False, True, False]
    assert [mark.kind for mark in made.marks] == ["threat", "threat"]


def test_splits_and_merges_join_their_lanes() -> None:
    """A split joins two lanes; where the other track has no lane, the sign is an open stub."""
    tracks = _tracks([(1, [0, 9], 5, None), (2, [4, 8], 5, None)])
    frame = _calls([(0, 1), (9, 1), (4, 2), (8, 2)]).with_columns(senders=pl.lit(5))
    events = _events([(4, 2, "split", 1), (6, 99, "merge", 1), (7, 98, "split", 97)])
    made = timeline(tracks, frame, events, _calls([]), (FIRST, FIRST + timedelta(days=9)), of=5)
    split, merge = made.links
    assert (split.y, split.to, split.open) == (made.lanes[1].y, made.lanes[0].y, False)
    assert split.x == "45.00%" and "name-2 splits off from name-1" in split.title
    assert merge.open and "track 99 merges into name-1" in merge.title
    assert made.left_out == 3


def test_threats_are_chosen_first_and_shown_in_order_of_birth() -> None:
    """Of many tracks threats stay, then those with most days; the rest is left out."""
    tracks = _tracks(
        [(1, [5, 6], 9, None), (2, [3], 9, 0.6), (3, [0], 9, None), (4, [1, 2, 3], 9, None)]
    )
    assert choose(tracks, 3)["track_id"].to_list() == [4, 2, 1]


@given(st.integers(0, 10**12))
def test_value_ticks_are_few_and_reach_far(highest: int) -> None:
    """One to four round marks, none above the top, and the top no lower than the highest."""
    top, marks = value_ticks(highest)
    assert 1 <= len(marks) <= 4 and highest <= top and marks[-1] <= top
    assert all(
        re.fullmatch("[1-9]", str(mark).rstrip("0")) or mark % marks[0] == 0 for mark in marks
    )
    assert str(marks[0]).rstrip("0") in ("1", "2", "5")


@settings(max_examples=60, deadline=None)
@given(DAYS, st.integers(0, 4000))
def test_days_become_columns_in_order(first: date, length: int) -> None:
    """Any span has at most 400 columns, every day one of them, and ticks stay on the drawing."""
    last = first + timedelta(days=length)
    columns = Columns.over(first, last)
    assert columns.column(first) == 0 and columns.column(last) == columns.count - 1
    assert columns.count <= 400
    ticks = date_ticks(columns)
    places = [float(tick.at.rstrip("%")) for tick in ticks]
    assert places == sorted(places) and all(0 <= place <= 100 for place in places)
    assert len([tick for tick in ticks if tick.label]) <= 36


def test_a_chart_scales_to_its_peak_and_shows_little_things() -> None:
    """The peak reaches the top, one packet is still seen, and days that are missing are gaps."""
    daily = pl.DataFrame(
        {
            "day": [FIRST, FIRST + timedelta(days=1), FIRST + timedelta(days=3)],
            "packets": [1, 100_000, 0],
        }
    )
    made = chart(
        "Packets", daily, FIRST, FIRST + timedelta(days=3), [Series("packets", "all", "whole")]
    )
    bars = re.findall(r"M(\d+) \d+v-(\d+)", made.shapes[0][1])
    assert bars == [("1", "1"), (str(WIDE + 1), str(HEIGHT))]
    assert made.summary == "median 1 · peak 100,000 on 21 November 2024"


@given(st.sets(DAYS, max_size=40))
def test_day_ranges_say_every_day_once(days: set[date]) -> None:
    """Ranges are as many as there are runs of days."""
    starts = [day for day in days if day - timedelta(days=1) not in days]
    assert len(day_ranges(sorted(days))) == len(starts)


def test_words_are_plain() -> None:
    """Spans share what they can, shares never round to nothing, and ports carry their service."""
    assert span_text(date(2025, 3, 1), date(2025, 3, 9)) == "1 to 9 March 2025"
    assert span_text(date(2025, 3, 1), date(2025, 4, 9)) == "1 March to 9 April 2025"
    assert span_text(date(2024, 3, 1), date(2025, 4, 9)) == "1 March 2024 to 9 April 2025"
    assert [percent(*n) for n in ((0, 0), (1, 10**6), (13, 1000), (1, 2))] == [
        "0%",
        "under 0.1%",
        "1.3%",
        "50%",
    ]
    named = [(p.port, p.service, p.share) for p in read_ports("8000/tcp 9%, 8/icmp 5%, 9/ip99, ?")]
    assert named == [
        ("8000/tcp", "http-alt", "9%"),
        ("8/icmp", "ping", "5%"),
        ("9/ip99", "", ""),
        ("?", "", ""),
    ]
    assert read_ports(None) == []


@given(st.text(max_size=700))
def test_clean_text_has_no_control_characters(text: str) -> None:
    """Whatever comes in, what comes out is one line, bounded and printable."""
    made = clean(text)
    assert len(made) <= 600 and not re.search(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e]", made)
