"""The report as Markdown: the same, for a mail, a ticket or a wiki."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dante.report import write_report
from dante.report.markdown import markdown
from dante.store.home import Home

from .conftest import Story

READER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
HOSTILE = (
    "</b><script>alert(1)</script> `x` **y** [z](http://evil.example) | a |\n# h & ![i](j) $m$"
)


def _read(home: Home, out: Path, **span: object) -> str:
    write_report(home, out, **span)  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["r.md", "R.MD", "r.markdown"])
def test_the_name_of_the_file_makes_it_markdown(home: Home, tmp_path: Path, name: str) -> None:
    """A file called .md has headings, threats with reasons, tracks, the last day, quality."""
    text = _read(home, tmp_path / name)
    assert text.startswith("# Darknet report, 1 to 10 March 2025\n")
    assert "- **dns-3** (returned campaign, score 0.55, 10 March 2025): 53/udp dns 100%" in text
    assert "  back after 8 days.  \n  Key dns-3\\@2025-03-10.\n" in text
    assert "| telnet-1 | 408 | `████·█████` |" in text
    assert "sensors\\_awake" in text and "the day breaks its contract" in text


def test_it_renders_without_a_loose_end(home: Home, tmp_path: Path) -> None:
    """Every table has rows as wide as its head, and no sign is left over."""
    page = READER.render(_read(home, tmp_path / "r.md"))
    assert page.count("<table>") == 5
    for table in re.findall(r"<table>.*?</table>", page, re.DOTALL):
        rows = re.findall(r"<tr>.*?</tr>", table, re.DOTALL)
        assert len({len(re.findall(r"<t[hd][ >]", row)) for row in rows}) == 1
    assert "**" not in page and "| ---" not in page


def test_a_past_day_is_a_span_of_one(home: Home, tmp_path: Path) -> None:
    """`last` and `days` choose the span as for the page."""
    text = _read(home, tmp_path / "r.md", last=date(2025, 3, 3), days=1)
    assert text.startswith("# Darknet report, 3 March 2025\n")
    assert "**http-alt-2** (new" in text and "dns-3** (returned" not in text


def test_the_same_database_gives_the_same_bytes(home: Home, tmp_path: Path) -> None:
    """Two reports are equal."""
    assert _read(home, tmp_path / "a.md") == _read(home, tmp_path / "b.md")


def test_hostile_names_are_only_text(
    story: Story, build: Callable[..., Home], tmp_path: Path
) -> None:
    """Markup, links, cells and headings in names and reasons are shown as they are."""
    last = date(2025, 3, 10)
    story.add("threats", (last, 2, "new", 0.9, HOSTILE, 12, HOSTILE, HOSTILE, last))
    states = story.rows["pipeline.track_states"]
    states[1] = tuple(HOSTILE if value == "http-alt-2" else value for value in states[1])
    page = READER.render(_read(build(story, tmp_path / "home"), tmp_path / "r.md"))
    assert page.count("<h1>") == 1 and page.count("<table>") == 5
    assert not re.search(r"<(script|img|a)\b|<code>x", page)
    assert page.count("<em>") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@given(st.text(max_size=60))
def test_any_text_is_shown_as_it_is(text: str) -> None:
    """Whatever is escaped makes one paragraph without markup, in a line and in a table's cell."""
    shown = READER.render("a " + markdown(text) + " z")
    assert re.fullmatch(r"<p>a [^<]*z</p>\n", shown)
    cell = READER.render(f"| h |\n| --- |\n| a {markdown(text)} z |\n")
    assert len(re.findall("<t[hd]>", cell)) == 2
