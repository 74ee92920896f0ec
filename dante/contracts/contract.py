"""What a data contract says, once read: columns, checks, and the reason for each bound."""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Check", "Column", "Contract", "Kind", "Severity"]

Severity = Literal["error", "warning"]
"""An *error* stops a day; a *warning* is written down and the day goes on."""

Kind = Literal[
    "present",
    "between",
    "length",
    "required_for",
    "outside_day",
    "packets",
    "volume",
    "silent_hours",
    "missing_sensors",
    "ceilings",
]
"""What a check looks at; the first four are properties of one row."""

_OF_ROWS: Final = frozenset({"present", "between", "length", "required_for"})


@dataclass(frozen=True)
class Check:
    """One bound and the reason for it; bounds are inclusive, times are µs since 1970 UTC."""

    name: str
    kind: Kind
    severity: Severity
    reason: str
    column: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    protocols: tuple[int, ...] = ()
    unless_backscatter: bool = False
    least_spread: float = 0.0
    least_expected: int = 0
    most_silent: float = 0.0

    @property
    def judges_rows(self) -> bool:
        """Whether a single row can break it."""
        return self.kind in _OF_ROWS

    @property
    def judges_days(self) -> bool:
        """Whether it is judged on a day's counts (which hold no pairs of columns)."""
        return self.kind != "required_for"


@dataclass(frozen=True)
class Column:
    """One column of the contract's table."""

    name: str
    physical_type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Contract:
    """A whole contract; hashable, and equal when it says the same."""

    name: str
    version: str
    purpose: str
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    history_days: int
    least_history_days: int

    @property
    def label(self) -> str:
        """`name@version`, as the `quality` view shows it."""
        return f"{self.name}@{self.version}"

    @property
    def row_checks(self) -> tuple[Check, ...]:
        """The checks on single rows, in the order in which a row's reason is chosen."""
        return tuple(check for check in self.checks if check.judges_rows)

    @property
    def day_checks(self) -> tuple[Check, ...]:
        """The checks on a day's counts, in order."""
        return tuple(check for check in self.checks if check.judges_days)
