"""Printing what was asked for: data to stdout, as a table, JSON or CSV."""

import json
import math
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dante.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["clean", "emit", "say"]

_FORMATS = ("table", "json", "csv")


def emit(frame: "pl.DataFrame", form: str, *, empty: str = "nothing to show") -> None:
    """Print a frame to stdout.

    Args:
        frame: what to print.
        form: `table`, `json` (one array of objects) or `csv`.
        empty: said on stderr when a table has no rows.

    Raises:
        UsageError: there is no such format.
    """
    if form not in _FORMATS:
        raise UsageError(f"there is no format {form!r}; choose one of {', '.join(_FORMATS)}")
    if form == "json":
        rows = [{key: _plain(value) for key, value in row.items()} for row in frame.to_dicts()]
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, default=str, indent=1) + "\n")
    elif form == "csv":
        import polars as pl

        flat = frame.with_columns(
            pl.Series(name, [None if v is None else str(v) for v in frame[name].to_list()])
            for name, dtype in frame.schema.items()
            if dtype.is_nested() or dtype in (pl.Binary, pl.Duration)
        )
        sys.stdout.write(flat.write_csv())
    elif frame.height:
        _table(frame)
    else:
        say(empty)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, Decimal):  # what DuckDB's sums of whole numbers come as
        return int(value) if value == value.to_integral_value() else float(value)
    # JSON has no word for these.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _table(frame: "pl.DataFrame") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    tty = sys.stdout.isatty()
    # Off a terminal nothing may be wrapped or cut: a line is a row.
    console = Console(file=sys.stdout, width=None if tty else 100_000, soft_wrap=not tty)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, dtype in frame.schema.items():
        table.add_column(
            name,
            justify="right" if dtype.is_numeric() else "left",
            # On a narrow terminal only the last column, the one of words, is folded.
            no_wrap=name != frame.columns[-1],
            overflow="fold",
        )
    for row in frame.iter_rows():
        table.add_row(*(Text(_shown(value)) for value in row))
    console.print(table)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.4g}"
    return clean(str(value))


def clean(text: str) -> str:
    """Text for a terminal: control characters, which names from packets may hold, become `?`."""
    return "".join(char if char.isprintable() else "?" for char in text)


def say(message: str) -> None:
    """Tell the person something, on stderr."""
    print(message, file=sys.stderr)  # noqa: T201
