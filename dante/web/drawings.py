"""What the pages draw besides what the report draws: dots, a matrix of days, a sender's lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from dante.report.axis import Columns, Tick, date_ticks
from dante.report.timeline import LANE, Timeline
from dante.report.timeline import timeline as lay_out
from dante.report.words import counted
from dante.web.activities import Cluster
from dante.web.quality import Check, Quality
from dante.web.sender import NOISE, SenderView

__all__ = ["Dot", "Matrix", "Plan", "matrix", "plan", "sender_lanes"]

_WIDE: Final = 1200
_HIGH: Final = 640
_EDGE: Final = 60
_LABEL: Final = 7.2
"""Units of the map: its size, its edge, and how wide a letter is about."""


@dataclass(frozen=True)
class Dot:
    """A cluster on the map: place and radius in its units, and whether its name stands by it."""

    cluster: Cluster
    x: float
    y: float
    r: float
    named: bool
    label_y: float
    title: str


@dataclass(frozen=True)
class Plan:
    """The map, ready to be drawn; large dots first, so that small ones lie upon them."""

    wide: int
    high: int
    dots: list[Dot]


def plan(clusters: Sequence[Cluster]) -> Plan:
    """Place dots and as many names as find room, those of the largest first."""
    most = max((one.senders for one in clusters), default=1)
    taken: list[tuple[float, float, float, float]] = []
    named: set[int] = set()
    dots = []
    for one in clusters:
        x = round(_EDGE + one.x * (_WIDE - 2 * _EDGE), 1)
        y = round(_EDGE + one.y * (_HIGH - 2 * _EDGE), 1)
        r = round(4 + 30 * math.sqrt(one.senders / most), 1)
        half, label_y = _LABEL * len(one.name) / 2, round(y + r + 13, 1)
        box = (x - half, label_y - 12, x + half, label_y + 3)
        free = one.track_id not in named and not any(_overlap(box, other) for other in taken)
        inside = box[0] >= 0 and box[2] <= _WIDE and box[3] <= _HIGH
        if free and inside:
            named.add(one.track_id)
            taken.append(box)
        title = f"{one.name}: {counted(one.senders, 'sender')}, {one.top_ports or 'no ports'}"
        dots.append(Dot(one, x, y, r, free and inside, label_y, title))
    return Plan(_WIDE, _HIGH, dots)


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@dataclass(frozen=True)
class CheckRow:
    """A check with the shapes of the days it was made on, and failed on."""

    check: Check
    made: str
    failed: str


@dataclass(frozen=True)
class Matrix:
    """Checks by days."""

    columns: Columns
    ticks: list[Tick]
    rows: list[CheckRow]


def matrix(quality: Quality) -> Matrix:
    """Lay the checks out over the days, stopped ones after the newest included."""
    days = [day for check in quality.checks for day in check.days]
    columns = Columns.over(quality.first, max([quality.last, *days]))
    rows = [
        CheckRow(check, _cells(check.days, columns, n), _cells(check.failed, columns, n))
        for n, check in enumerate(quality.checks)
    ]
    return Matrix(columns, date_ticks(columns), rows)


def _cells(days: Sequence[date], columns: Columns, row: int) -> str:
    """A path of one box for each run of columns."""
    runs: list[list[int]] = []
    for column in sorted({columns.column(day) for day in days}):
        if runs and runs[-1][1] == column:
            runs[-1][1] = column + 1
        else:
            runs.append([column, column + 1])
    top, high = row * LANE + 4, LANE - 8
    return "".join(f"M{a} {top}H{b}v{high}H{a}z" for a, b in runs)


def sender_lanes(it: SenderView, span: tuple[date, date]) -> Timeline:
    """The tracks of a sender or network as lanes, as thick as it has senders in them."""
    ids = [NOISE if one.track_id is None else one.track_id for one in it.tracks]
    tracks = pl.DataFrame(
        {
            "track_id": ids,
            "name": [one.name for one in it.tracks],
            "first_day": [one.first_day for one in it.tracks],
            "last_day": [one.last_day for one in it.tracks],
            "days_active": [len(one.days) for one in it.tracks],
            "peak_senders": [max(one.senders_by_day) for one in it.tracks],
        }
    )
    days = pl.DataFrame(
        [
            (day, track_id, senders)
            for track_id, one in zip(ids, it.tracks, strict=True)
            for day, senders in zip(one.days, one.senders_by_day, strict=True)
        ],
        schema={"day": pl.Date, "track_id": pl.Int64, "senders": pl.Int64},
        orient="row",
    )
    events = pl.DataFrame(schema={"day": pl.Date, "track_id": pl.Int64, "event": pl.String})
    threats = pl.DataFrame(schema={"day": pl.Date, "track_id": pl.Int64})
    return lay_out(tracks, days, events, threats, span, of=len(ids))
