"""Small charts of a number a day, as paths to be drawn in a stretched SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from dante.report.axis import Columns, Tick, date_ticks, value_ticks
from dante.report.words import day_text, thousands

__all__ = ["HEIGHT", "WIDE", "Chart", "Series", "chart"]

HEIGHT: Final = 400
WIDE: Final = 10
"""Units of a chart's drawing: from top to bottom, and across one column."""

# Up to as many columns, bars stand apart; more of them are an outline.
_APART: Final = 70


@dataclass(frozen=True)
class Series:
    """One number a day: its column in `daily`, what it is called, and its style."""

    column: str
    label: str
    style: str


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn.

    Attributes:
        title, summary: what it shows, and its median and peak, in words.
        columns: how its days are laid out.
        shapes: series and path, in units of `WIDE` a column and `HEIGHT`.
        days, values: lines across, by day and by value.
    """

    title: str
    summary: str
    columns: Columns
    shapes: list[tuple[Series, str]]
    days: list[Tick]
    values: list[Tick]


def chart(
    title: str, daily: pl.DataFrame, first: date, last: date, series: Sequence[Series]
) -> Chart:
    """Draw series from zero, one over the other: the first is the whole, others parts of it.

    Where a column is several days it shows the highest; a day that is not there leaves a gap.

    Args:
        title: of the chart.
        daily: day and an Int64 column for each series.
        first, last: the days it spans.
        series: what to draw; at least one.
    """
    columns = Columns.over(first, last)
    whole = series[0].column
    top, marks = value_ticks(int(daily[whole].max() or 0))  # type: ignore[arg-type]
    shapes = [(one, _outline(_heights(daily, one.column, columns, top), columns)) for one in series]
    # Of equal peaks the first, and the lower of two middle values: no float decides a text.
    peak = daily.sort([whole, "day"], descending=[True, False]).row(0, named=True)
    middle = daily[whole].sort()[(daily.height - 1) // 2]
    return Chart(
        title=title,
        summary=f"median {thousands(middle)} · peak {thousands(peak[whole])} on "
        f"{day_text(peak['day'])}",
        columns=columns,
        shapes=shapes,
        days=date_ticks(columns),
        values=[Tick(f"{100 - 100 * mark / top:.2f}%", thousands(mark)) for mark in marks],
    )


def _heights(daily: pl.DataFrame, name: str, columns: Columns, top: int) -> list[int]:
    heights = [0] * columns.count
    for day, value in daily.select("day", name).iter_rows():
        column = columns.column(day)
        # What is not nothing is seen, be it ever so little.
        height = max(1, round(HEIGHT * value / top)) if value else 0
        heights[column] = max(heights[column], height)
    return heights


def _outline(heights: Sequence[int], columns: Columns) -> str:
    gap = WIDE // 5 if columns.count <= _APART else 0
    if gap:
        return "".join(
            f"M{column * WIDE + gap // 2} {HEIGHT}v{-height}h{WIDE - gap}v{height}z"
            for column, height in enumerate(heights)
            if height
        )
    path, before = [f"M0 {HEIGHT}"], 0
    for column, height in enumerate(heights):
        if height != before:
            path.append(f"H{column * WIDE}V{HEIGHT - height}")
            before = height
    return "".join(path) + f"H{columns.count * WIDE}V{HEIGHT}z"
