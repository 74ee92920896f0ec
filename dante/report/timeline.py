"""The tracks of a span as lanes: when each was at work, with how many senders, and its events."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from dante.report.axis import Columns, Tick, date_ticks
from dante.report.words import counted, day_text

__all__ = ["LANE", "RECENT", "Lane", "Link", "Mark", "Timeline", "choose", "timeline"]

LANE: Final = 20
"""Height of a lane in pixels; paths are in half pixels, so that thickness has whole steps."""

RECENT: Final = 7
"""Days for which a track called a threat stands out, the day it was called one included."""

_THINNEST: Final = 3
_THICKEST: Final = 16


@dataclass(frozen=True)
class Lane:
    """One track.

    Attributes:
        track_id, name: the track.
        recent: it was called a threat in the last days of the span.
        y: middle of the lane, in pixels from the top.
        life: percentages from the left: its first and its last day in the span.
        path: a shape for each run of days, in columns and half pixels from the top of the lanes.
        hot_path: the same of the days after it was called a threat.
        peak: most senders on one day.
        title: all of it in words.
    """

    track_id: int
    name: str
    recent: bool
    y: int
    life: tuple[str, str]
    path: str
    hot_path: str
    peak: int
    title: str


@dataclass(frozen=True)
class Mark:
    """A `birth`, `recur` or `threat` at a place (percentage, pixels), with its title."""

    kind: str
    x: str
    y: int
    title: str


@dataclass(frozen=True)
class Link:
    """A `split` or `merge` at a place across, from one lane to another.

    Where the other track is not among the lanes, `to` is just outside the lane and `open` is set.
    """

    kind: str
    x: str
    y: int
    to: int
    open: bool
    title: str


@dataclass(frozen=True)
class Timeline:
    """The lanes, ready to be drawn; `left_out` tracks of the span have none."""

    columns: Columns
    ticks: list[Tick]
    lanes: list[Lane]
    marks: list[Mark]
    links: list[Link]
    left_out: int
    recent_days: int = RECENT

    @property
    def height(self) -> int:
        """Of all lanes, in pixels."""
        return LANE * len(self.lanes)


def choose(tracks: pl.DataFrame, most: int) -> pl.DataFrame:
    """The most telling tracks, in order of birth: threats first, then by days and senders.

    Args:
        tracks: frame of `dante.report.queries.tracks`.
        most: at most so many.
    """
    order = ["score", "days_active", "peak_senders", "track_id"]
    best = tracks.sort(order, descending=[True, True, True, False], nulls_last=True).head(most)
    return best.sort("first_day", "born", "track_id")


def timeline(
    chosen: pl.DataFrame,
    days: pl.DataFrame,
    events: pl.DataFrame,
    threats: pl.DataFrame,
    span: tuple[date, date],
    *,
    of: int,
) -> Timeline:
    """Lay the tracks out.

    Args:
        chosen: the tracks to draw, in order, as `choose` gives them.
        days: day, track_id and senders of theirs, in order of track_id and day.
        events: frame of `dante.report.queries.events`.
        threats: frame of `dante.report.queries.threats`.
        span: first and last day, both inclusive.
        of: tracks there are in the span.
    """
    columns = Columns.over(*span)
    rows = chosen.to_dicts()
    most = max((row["peak_senders"] for row in rows), default=1)
    active: dict[int, dict[int, int]] = {row["track_id"]: {} for row in rows}
    for day, track_id, senders in days.select("day", "track_id", "senders").iter_rows():
        column = columns.column(day)
        worked = active[track_id]
        worked[column] = max(worked.get(column, 0), senders)
    called: dict[int, list[date]] = {row["track_id"]: [] for row in rows}
    for day, track_id in threats.select("day", "track_id").iter_rows():
        called.get(track_id, []).append(day)
    lanes = [
        _lane(row, n, active[row["track_id"]], called[row["track_id"]], columns, span[1], most)
        for n, row in enumerate(rows)
    ]
    by_id = {lane.track_id: lane for lane in lanes}
    marks = [
        Mark(event["event"], columns.middle(event["day"]), lane.y, _event_title(event, lane))
        for event in events.filter(pl.col("event").is_in(["birth", "recur"])).to_dicts()
        if (lane := by_id.get(event["track_id"]))
    ]
    marks += [
        Mark("threat", columns.middle(day), lane.y, f"{lane.name} a threat on {day_text(day)}")
        for day, track_id in threats.select("day", "track_id").reverse().iter_rows()
        if (lane := by_id.get(track_id))
    ]
    links = [
        link
        for event in events.filter(pl.col("event").is_in(["split", "merge"])).to_dicts()
        if (link := _link(event, by_id, columns))
    ]
    return Timeline(columns, date_ticks(columns), lanes, marks, links, of - len(lanes))


def _lane(
    row: Mapping[str, Any],
    number: int,
    active: Mapping[int, int],
    called: Sequence[date],
    columns: Columns,
    last: date,
    most: int,
) -> Lane:
    middle = number * 2 * LANE + LANE
    hot = {
        columns.column(min(last, day + timedelta(days=n))) for day in called for n in range(RECENT)
    }
    title = (
        f"{row['name']}: {counted(row['days_active'], 'day')} at work from "
        f"{day_text(row['first_day'])} to {day_text(row['last_day'])}, up to "
        f"{counted(row['peak_senders'], 'sender')} a day"
    )
    return Lane(
        track_id=row["track_id"],
        name=row["name"],
        recent=any((last - day).days < RECENT for day in called),
        y=number * LANE + LANE // 2,
        life=(columns.middle(row["first_day"]), columns.middle(row["last_day"])),
        path=_shapes(active, middle, most),
        hot_path=_shapes({at: n for at, n in active.items() if at in hot}, middle, most),
        peak=row["peak_senders"],
        title=title,
    )


def _shapes(active: Mapping[int, int], middle: int, most: int) -> str:
    """A closed outline for each run of columns, thicker with more senders."""
    steps: list[tuple[int, int, int]] = []  # first column, columns, half thickness
    for column in sorted(active):
        half = _half(active[column], most)
        if steps and steps[-1][0] + steps[-1][1] == column and steps[-1][2] == half:
            steps[-1] = (steps[-1][0], steps[-1][1] + 1, half)
        else:
            steps.append((column, 1, half))
    path, start = [], 0
    for end in range(1, len(steps) + 1):
        last = steps[end - 1]
        if end < len(steps) and steps[end][0] == last[0] + last[1]:
            continue
        run = steps[start:end]
        path.append(f"M{run[0][0]} {middle}")
        path += [f"V{middle - half}h{wide}" for _, wide, half in run]
        path += [f"V{middle + half}h{-wide}" for _, wide, half in reversed(run)]
        path.append("z")
        start = end
    return "".join(path)


def _half(senders: int, most: int) -> int:
    """Half a lane's thickness in half pixels, growing with the logarithm of its senders."""
    share = math.log(max(senders, 1)) / math.log(most) if most > 1 else 1.0
    return _THINNEST + round((_THICKEST - _THINNEST) * min(1.0, share))


def _event_title(event: Mapping[str, Any], lane: Lane) -> str:
    what = "is born" if event["event"] == "birth" else "returns"
    return f"{lane.name} {what} on {day_text(event['day'])}"


def _link(event: Mapping[str, Any], by_id: Mapping[int, Lane], columns: Columns) -> Link | None:
    one, other = by_id.get(event["track_id"]), by_id.get(event["related_track_id"])
    here = one or other
    if here is None:
        return None
    verb = "splits off from" if event["event"] == "split" else "merges into"
    names = [
        lane.name if lane else f"track {track_id}"
        for lane, track_id in ((one, event["track_id"]), (other, event["related_track_id"]))
    ]
    title = f"{names[0]} {verb} {names[1]} on {day_text(event['day'])}"
    x = columns.middle(event["day"])
    if one is not None and other is not None:
        return Link(event["event"], x, one.y, other.y, False, title)
    return Link(event["event"], x, here.y, here.y - LANE // 2 - 4, True, title)
