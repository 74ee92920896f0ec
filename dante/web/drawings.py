"""What the pages draw besides what the report draws: dots, a matrix of days, a sender's lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

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
    """Place dots and as many names as find room, those of the largest first.

    A name stands below its dot, or above it, where it covers no other name and no dot.
    """
    most = max((one.senders for one in clusters), default=1)
    places = [
        (
            round(_EDGE + one.x * (_WIDE - 2 * _EDGE), 1),
            round(_EDGE + one.y * (_HIGH - 2 * _EDGE), 1),
            round(4 + 30 * math.sqrt(one.senders / most), 1),
        )
        for one in clusters
    ]
    at = np.array(places, dtype=np.float64).reshape(-1, 3)
    taken = np.hstack([at[:, :2] - at[:, 2:], at[:, :2] + at[:, 2:]])
    named: set[int] = set()
    dots = []
    for number, one in enumerate(clusters):
        x, y, r = places[number]
        found = None if one.track_id in named else _room(one.name, x, y, r, taken, number)
        if found is not None:
            named.add(one.track_id)
            taken = np.vstack([taken, _box(one.name, x, found)])
        title = f"{one.name}: {counted(one.senders, 'sender')}, {one.top_ports or 'no ports'}"
        dots.append(Dot(one, x, y, r, found is not None, found or 0.0, title))
    return Plan(_WIDE, _HIGH, dots)


def _room(
    name: str, x: float, y: float, r: float, taken: NDArray[np.float64], own: int
) -> float | None:
    """Where the foot of a name can stand; None if there is no room for it."""
    for at in (round(y + r + 13, 1), round(y - r - 5, 1)):
        left, top, right, bottom = _box(name, x, at)
        if left < 0 or top < 0 or right > _WIDE or bottom > _HIGH:
            continue
        over = (left < taken[:, 2]) & (taken[:, 0] < right)
        over &= (top < taken[:, 3]) & (taken[:, 1] < bottom)
        over[own] = False
        if not over.any():
            return at
    return None


def _box(name: str, x: float, at: float) -> tuple[float, float, float, float]:
    half = _LABEL * len(name) / 2
    return x - half, at - 12, x + half, at + 3


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
