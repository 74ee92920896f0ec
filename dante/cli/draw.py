"""What lists look like on a terminal: colours, sparklines, trees; elsewhere they are plain rows."""

import io
import sys
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dante.cli.output import clean

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    from rich.tree import Tree

__all__ = ["TREND_DAYS", "draw_life", "draw_status", "draw_threats", "draw_tracks", "spark"]

TREND_DAYS: Final = 30
"""Days a sparkline goes back from the newest."""

_T = TypeVar("_T")
_STATES: Final = {"active": "green", "asleep": "yellow", "ended": "bright_black"}
_SIGNS: Final = {"active": "●", "asleep": "◐", "ended": "○"}
_PLAIN_SIGNS: Final = {"active": "+", "asleep": "-", "ended": "x"}
_DAYS: Final = {"done": "green", "stale": "yellow", "waiting": "cyan", "gone": "red"}
_EVENTS: Final = {
    "birth": "born", "continue": "went on", "sleep": "fell asleep", "recur": "came back",
    "end": "ended",
}  # fmt: skip
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_MARKS: Final = {"done": "■", "stale": "▨", "waiting": "□", "gone": "×"}
# For terminals that know ASCII alone.
_PLAIN_BLOCKS: Final = ".:-=+*#@"
_PLAIN_MARKS: Final = {"done": "#", "stale": "~", "waiting": ".", "gone": "x"}
# A tree of splits of splits deeper than this is told by their own trees.
_DEEPEST: Final = 3
_HIGH_SCORE: Final = 0.8
_WIDE: Final = 140


def spark(values: Sequence[float], *, unicode: bool = True) -> str:
    """Values as a line of blocks, as high as their share of the highest; nothing is a space."""
    blocks = _BLOCKS if unicode else _PLAIN_BLOCKS
    most = max(values, default=0)
    return "".join(
        blocks[min(len(blocks) - 1, int(value / most * len(blocks)))] if value > 0 else " "
        for value in values
    )


def draw_tracks(tracks: "pl.DataFrame", trends: Mapping[int, Sequence[int]]) -> None:
    """Campaigns, one a line: state, name, sparkline of senders, since when, whose, which ports."""
    console, table = _console(), _table()
    states = _SIGNS if _unicode(console) else _PLAIN_SIGNS
    wide, labelled = console.width >= _WIDE, tracks["label"].null_count() < tracks.height
    names = ["", "name", "", "senders", "since", "until", "label", "ports"]
    cells = [True, True, True, True, True, wide, labelled, True]
    for name in _chosen(names, cells):
        table.add_column(
            name,
            justify="right" if name == "senders" else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name == "ports" else None,
            min_width={"name": 12, "ports": 12, "since": 10}.get(name),
            max_width=24 if name == "label" else None,
        )
    for row in tracks.iter_rows(named=True):
        style = _STATES.get(row["state"], "")
        until = "" if row["state"] == "active" else f"{row['last_day']} {row['state']}"
        line = [
            _text(states.get(row["state"], "?"), style),
            _text(row["name"], style),
            _trend(console, trends.get(row["track_id"], ())),
            _text(f"{row['senders']:,}"),
            _text(str(row["first_day"])),
            _text(until, "dim"),
            _text(row["label"] or "", "cyan"),
            _text(row["top_ports"] or ""),
        ]
        table.add_row(*_chosen(line, cells))
    console.print(table)


def _chosen(values: list[_T], wanted: list[bool]) -> list[_T]:
    return [value for value, want in zip(values, wanted, strict=True) if want]


def draw_threats(threats: "pl.DataFrame", trends: Mapping[int, Sequence[int]]) -> None:
    """Threats, newest first: a line each, and under it the reasons, one by one."""
    from rich.padding import Padding

    console, shown = _console(), None
    for row in threats.iter_rows(named=True):
        if row["day"] != shown:
            shown = row["day"]
            console.print(_text(str(shown), "bold underline"))
        line = _text(f"{row['score']:.2f} ", "bold red" if row["score"] >= _HIGH_SCORE else "bold")
        line.append(clean(row["name"]), "bold")
        line.append(f"  {clean(row['kind'])}", "magenta" if row["kind"] == "returned" else "green")
        if row["shape"] not in (None, "campaign"):
            line.append(f"  {clean(row['shape'])}", "yellow")
        line.append(f"  {row['senders']:,} senders  ")
        line.append_text(_trend(console, trends.get(row["track_id"], ())))
        if row["label"]:
            line.append(f"  {clean(row['label'])}", "cyan")
        if row["key"] is not None:
            line.append(f"  {clean(row['key'])}", "dim")
        console.print(line)
        for reason in row["reasons"].split("; "):
            console.print(Padding(_text(reason, "dim"), (0, 0, 0, 5)))


def draw_status(months: "pl.DataFrame", states: Mapping[date, str]) -> None:
    """Months, one a line: a mark for each day, then how much there is."""
    console = _console()
    marks = _MARKS if _unicode(console) else _PLAIN_MARKS
    for row in months.iter_rows(named=True):
        line = _text(f"{row['month']:<8}")
        for day in _days_of(row["month"]):
            state = states.get(day, "")
            line.append(marks.get(state, " "), _DAYS.get(state, ""))
        line.append(f"  {row['packets'] or 0:>14,} packets")
        if row["quarantined"]:
            line.append(f"  {row['quarantined']:,} rows in quarantine", "yellow")
        console.print(line)
    legend = _text("        ", "dim")
    for state in ("done", "stale", "waiting", "gone"):
        count = int(months[state].sum())
        if count:
            legend.append(f"{marks[state]} ", _DAYS[state])
            legend.append(f"{count} {state}  ", "dim")
    console.print(legend)


def draw_life(
    track: Mapping[str, Any],
    events: "pl.DataFrame",
    names: Mapping[int, str],
    days: "pl.DataFrame",
    trends: Mapping[int, Sequence[int]],
) -> None:
    """A track's life as a tree: events in order of time, and the lives of what split off it.

    Args:
        track: its row of `tracks`.
        events: rows of `lineage` of all tracks that are not mere going on.
        names: track names.
        days: its rows of `track_days`, in order of days.
        trends: sparkline values by track.
    """
    from rich.tree import Tree

    console = _console()
    head = _text(track["name"], f"bold {_STATES.get(track['state'], '')}")
    head.append(
        f"  {track['state']}, {track['first_day']} to {track['last_day']}, "
        f"{track['days_active']} days, {track['senders']:,} senders, {track['packets']:,} packets  "
    )
    head.append_text(_trend(console, trends.get(track["track_id"], ())))
    if track["label"]:
        head.append(f"  {clean(track['label'])}", "cyan")
    tree = Tree(head, guide_style="dim")
    ports = {row["day"]: row for row in days.iter_rows(named=True)}
    _grow(tree, track["track_id"], events, names, ports, {track["track_id"]})
    if days.height:
        newest = days.row(-1, named=True)
        line = _text(f"{newest['day']} ", "bold")
        line.append(f"{newest['senders']:,} senders on {clean(newest['top_ports'])}")
        line.append(f" from {clean(newest['top_networks'])}", "dim")
        tree.add(line)
    console.print(tree)


def _grow(
    tree: "Tree",
    track_id: int,
    events: "pl.DataFrame",
    names: Mapping[int, str],
    ports: Mapping[date, Mapping[str, Any]],
    seen: set[int],
    depth: int = 0,
) -> None:
    import polars as pl

    mine = events.filter(
        (pl.col("track_id") == track_id) | (pl.col("related_track_id") == track_id)
    )
    for row in mine.sort("day", "event", "track_id").iter_rows(named=True):
        own = row["track_id"] == track_id
        other = row["related_track_id"] if own else row["track_id"]
        line = _text(f"{row['day']} ", "bold")
        named = clean(names.get(other, f"track {other}")) if other is not None else ""
        if row["event"] == "split":
            line.append(f"split from {named}" if own else f"{named} split off", "magenta")
        elif row["event"] == "merge":
            line.append(f"merged into {named}" if own else f"{named} merged in", "magenta")
        else:
            event = row["event"]
            line.append(
                _EVENTS.get(event, clean(event)),
                "green" if event in ("birth", "recur") else "yellow",
            )
        line.append(_numbers(row), "dim")
        if row["day"] in ports and own:
            day = ports[row["day"]]
            line.append(f"  {day['senders']:,} senders on {clean(day['top_ports'])}")
        branch = tree.add(line)
        if row["event"] == "split" and not own and other not in seen and depth < _DEEPEST:
            seen.add(other)
            later = events.filter(
                (pl.col("day") > row["day"]) | (pl.col("event").is_in(["birth", "split"]).not_())
            )
            _grow(branch, other, later, names, {}, seen, depth + 1)


def _numbers(row: Mapping[str, Any]) -> str:
    parts = []
    if row["similarity"] is not None:
        parts.append(f"{row['similarity']:.2f} alike")
    if row["shared_senders"]:
        parts.append(f"{row['shared_senders']:,} senders shared")
    return f"  {', '.join(parts)}" if parts else ""


def _days_of(month: str) -> list[date]:
    """The days of a month as text; none if it is no month."""
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return []
    days = (first + timedelta(days=n) for n in range(31))
    return [day for day in days if day.month == first.month]


def _console() -> "Console":
    from rich.console import Console

    console = Console(file=sys.stdout, highlight=False)
    if not _unicode(console) and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    return console


def _table() -> "Table":
    from rich.table import Table

    return Table(box=None, header_style="bold", pad_edge=False, expand=True)


def _unicode(console: "Console") -> bool:
    return "utf" in (console.encoding or "").lower()


def _trend(console: "Console", values: Sequence[int]) -> "Text":
    # A narrow terminal shows the newest half.
    shown = values if console.width >= _WIDE else values[-TREND_DAYS // 2 :]
    return _text(spark(shown, unicode=_unicode(console)), "blue")


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text().append(clean(text), style or None)
