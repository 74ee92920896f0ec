"""Days on a line and numbers up a side: where things stand in the report's drawings.

Drawings are as wide as the page lets them be, so a place across is a percentage, or a column
of a drawing that is stretched; one column is one day, or several where a span is long.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from dante.report.words import MONTHS

__all__ = ["Columns", "Tick", "date_ticks", "value_ticks"]

_MOST_COLUMNS: Final = 400


@dataclass(frozen=True)
class Columns:
    """Days as columns.

    Attributes:
        first: the first day of the first column.
        each: days in a column.
        count: columns.
    """

    first: date
    each: int
    count: int

    @classmethod
    def over(cls, first: date, last: date) -> "Columns":
        """Columns from first to last, both inclusive: one a day while they can be told apart."""
        days = (last - first).days + 1
        each = -(-days // _MOST_COLUMNS)
        return cls(first, each, -(-days // each))

    def column(self, day: date) -> int:
        """The column a day is in."""
        return (day - self.first).days // self.each

    def left(self, day: date) -> str:
        """Where a day begins, as a percentage."""
        return f"{100 * (day - self.first).days / (self.count * self.each):.2f}%"

    def middle(self, day: date) -> str:
        """The middle of the column a day is in, as a percentage."""
        return f"{100 * (self.column(day) + 0.5) / self.count:.2f}%"


@dataclass(frozen=True)
class Tick:
    """A line across a drawing and its label.

    Attributes:
        at: a percentage from the left, or from the top.
        label: empty where there is no room for one.
        minor: the label may be left out on a narrow screen.
    """

    at: str
    label: str
    minor: bool = False


def date_ticks(columns: Columns) -> list[Tick]:
    """The days worth a line: days, Mondays, months, quarters or years, by the span."""
    days = columns.count * columns.each
    span = [columns.first + timedelta(days=n) for n in range(days)]
    if days <= 10:
        chosen = [(day, f"{day.day} {MONTHS[day.month - 1][:3]}") for day in span]
    elif days <= 62:
        mondays = [day for day in span if day.weekday() == 0]
        chosen = [(day, f"{day.day} {MONTHS[day.month - 1][:3]}") for day in mondays]
    else:
        step = 1 if days <= 430 else 3 if days <= 1500 else 12
        firsts = [day for day in span if day.day == 1 and (day.month - 1) % step == 0]
        chosen = [(day, _month(day, named=number == 0)) for number, day in enumerate(firsts)]
    room = days * 0.95
    return [
        Tick(
            at=columns.left(day),
            label=label if (day - columns.first).days < room else "",
            minor=len(chosen) > 4 and number % 2 == 1,
        )
        for number, (day, label) in enumerate(chosen)
    ]


def _month(day: date, *, named: bool) -> str:
    if day.month == 1:
        return str(day.year)
    name = MONTHS[day.month - 1][:3]
    return f"{name} {day.year}" if named else name


def value_ticks(highest: int) -> tuple[int, list[int]]:
    """The top of a scale from 0 and the round values to mark on it, at most four."""
    if highest <= 1:
        return 1, [1]
    step = 1
    while highest / step > 4:
        # 1, 2, 5, 10, 20, 50, ...
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    marks = list(range(step, highest + 1, step))
    return max(highest, marks[-1]), marks
