"""On a terminal lists are drawn for people: a line a thing, colours if wanted."""

import contextlib
import io
import json
import re
import sys

import duckdb
import pytest

from dante.cli import main
from dante.cli.draw import spark

# What is left of styles without colours.
_BOLD = re.compile(r"\x1b\[(?:[0-24]|22)(?:;[0-24])*m")
_EVIL = "\x1b[31mevil\n[bold]x[/bold]\u202e"


class _Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Run a command as on a terminal of so many columns; what it draws."""

    def run(*words, columns=80, encoding="utf-8", colour=False):
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.delenv("NO_COLOR", raising=False)
        if not colour:
            monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr(sys, "argv", ["dante", *map(str, words)])
        body = io.BytesIO()
        screen = _Terminal(body, encoding=encoding)
        with contextlib.redirect_stdout(screen), contextlib.redirect_stderr(io.StringIO()):
            try:
                main()
            except SystemExit as end:
                assert not end.code
        screen.flush()
        drawn = body.getvalue().decode(encoding)
        return drawn if colour else _BOLD.sub("", drawn)

    return run


@pytest.fixture
def evil_home(own_home):
    """A home with a hostile name, a threat, a split, a split of it and a merge back."""
    with duckdb.connect(own_home / "lineage.duckdb") as con:
        con.execute("UPDATE tracks SET name = ?, label = ? WHERE track_id = 2", [_EVIL, _EVIL])
        con.execute(
            "INSERT INTO threats BY NAME SELECT last_day AS day, track_id, 'new' AS kind, "
            "0.91 AS score, 'one reason; another' AS reasons, senders FROM tracks "
            "WHERE track_id IN (1, 2)"
        )
        con.execute("DELETE FROM lineage WHERE event IN ('split', 'merge')")
        con.execute(
            "INSERT INTO lineage BY NAME SELECT * FROM (VALUES "
            "('2025-03-03'::DATE, 2, 'split', 1, 0.7, 9), "
            "('2025-03-04'::DATE, 3, 'split', 2, 0.6, 8), "
            "('2025-03-05'::DATE, 2, 'merge', 1, 0.5, 7)) "
            "t(day, track_id, event, related_track_id, similarity, shared_senders)"
        )
    return own_home


_COMMANDS = ["tracks", "threats", "status", "lineage 1"]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("words", _COMMANDS)
def test_lines_fit(terminal, evil_home, words, columns):
    """No line is wider than the terminal, and no name moves the cursor or draws anything."""
    screen = terminal(*words.split(), "--home", evil_home, columns=columns)
    lines = screen.splitlines()
    assert lines
    assert all(line.isprintable() for line in lines)
    if columns > 40:
        assert max(map(len, lines)) <= columns
    if words != "status":
        assert any("evil" in line for line in lines)


def test_tracks_are_a_line_each(terminal, dante, evil_home):
    """Each track is one line, with a sparkline that ends in its newest day."""
    rows = json.loads(dante("tracks", "--home", evil_home, "--format", "json").out)
    lines = terminal("tracks", "--home", evil_home, columns=200).splitlines()
    assert len(lines) == len(rows) + 1
    assert sum("█" in line for line in lines) == len(rows)


def test_reasons_stand_apart(terminal, evil_home):
    """Each reason of a threat is a line of its own below it."""
    lines = [line.strip() for line in terminal("threats", "--home", evil_home).splitlines()]
    assert lines.count("one reason") == lines.count("another") == 2


def test_a_life_is_a_tree(terminal, evil_home):
    """What split off a track, and what split off that, are branches; a merge back is told."""
    lines = terminal("lineage", "1", "--home", evil_home, columns=200).splitlines()
    (split,) = [n for n, line in enumerate(lines) if "evil" in line and "split off" in line]
    (grandchild,) = [
        n for n, line in enumerate(lines) if "2025-03-04" in line and "split off" in line
    ]
    assert lines[grandchild].index("2025") > lines[split].index("2025")
    assert any("merged in" in line for line in lines)
    assert any("born" in line for line in lines)


def test_days_are_marks(terminal, dante, own_home):
    """A month is a line of marks, one a day, that tell done from what is not."""
    dante("rewind", "2025-03-05", "--home", own_home)
    first, *_ = terminal("status", "--home", own_home).splitlines()
    assert first.startswith("2025-03 ■■■■□□ ")


@pytest.mark.parametrize("words", _COMMANDS)
def test_ascii_terminals(terminal, evil_home, words):
    """A terminal that knows ASCII alone is given nothing else."""
    screen = terminal(*words.split(), "--home", evil_home, encoding="ascii")
    assert screen.isascii()


def test_colours_only_where_wanted(terminal, dante, evil_home):
    """Colours come on a terminal, not with NO_COLOR, and never in a pipe."""
    words = ("tracks", "--home", evil_home)
    assert "\x1b[32m" in terminal(*words, colour=True)
    assert "\x1b" not in terminal(*words)
    piped = dante(*words).out
    assert "\x1b" not in piped
    assert "█" not in piped


def test_formats_are_for_programs(terminal, evil_home):
    """JSON and CSV on a terminal are what they are in a pipe."""
    screen = terminal("tracks", "--home", evil_home, "--format", "csv")
    assert screen.startswith("track_id,name,state,")


@pytest.mark.parametrize(
    ("values", "drawn"),
    [([], ""), ([0, 0], "  "), ([1], "█"), ([0, 1, 8], " ▂█"), ([7, 7], "██"), ([1, 1000], "▁█")],
)
def test_spark(values, drawn):
    """A sparkline has a block for each value, a space for nought, the highest full."""
    assert spark(values) == drawn
