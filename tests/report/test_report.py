"""The report as a reader, a browser and a hostile sender meet it."""

import html
import re
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dante.errors import DanteError, NotEnoughDataError, UsageError
from dante.report import write_report
from dante.report.page import render
from dante.store.home import Home
from dante.store.publish import publish, read_lineage

FIRST = date(2025, 3, 1)
VOID = {"meta", "link", "br", "hr", "img", "input", "rect"}


class Page(HTMLParser):
    """Elements of a page with their attributes, its text, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.balanced = True
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.balanced &= bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def _read(home: Home, out: Path, **span: Any) -> Page:
    write_report(home, out, **span)
    page = Page(out.read_text(encoding="utf-8"))
    assert page.balanced and not page.open
    return page


def test_page_needs_nothing_from_outside(home: Home, tmp_path: Path) -> None:
    """The page has no script, no link out of it and nothing that is fetched."""
    page = _read(home, tmp_path / "r.html")
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert "://" not in text and "url(" not in text and "@import" not in text
    for _, attributes in page.elements:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")


def test_links_within_the_page_arrive(home: Home, tmp_path: Path) -> None:
    """Every link and reference leads to an id of the page, and no id is there twice."""
    page = _read(home, tmp_path / "r.html")
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        if target := attributes.get("href"):
            assert target[1:] in ids
        for label in (attributes.get("aria-labelledby") or "").split():
            assert label in ids


def test_tables_and_drawings_can_be_heard(home: Home, tmp_path: Path) -> None:
    """Every table header has a scope; every drawing is hidden from a reader or has a title."""
    page = _read(home, tmp_path / "r.html")
    assert page.named("th") and all(a.get("scope") in ("col", "row") for a in page.named("th"))
    drawings = [a for a in page.named("svg") if a.get("role") == "img"]
    assert len(drawings) == 5 and all(
        len((a["aria-labelledby"] or "").split()) == 2 for a in drawings
    )
    assert page.named("html")[0]["lang"] == "en"


def test_same_input_gives_the_same_bytes(
    story: Any, build: Callable[..., Home], tmp_path: Path
) -> None:
    """The bytes depend neither on the order of rows nor on when a day was run."""
    pages = []
    for number, backwards in enumerate((False, True, False)):
        home = build(story, tmp_path / f"home{number}", backwards=backwards)
        write_report(home, tmp_path / "r.html")
        pages.append((tmp_path / "r.html").read_bytes())
    assert pages[0] == pages[1] == pages[2]


def test_headline_counts_what_the_tables_hold(home: Home, tmp_path: Path) -> None:
    """Packets, tracks, threats, the gap and the failed checks are counted, with thousands."""
    text = _read(home, tmp_path / "r.html").text
    packets = sum(12_000 + n for n in range(9))
    assert f"Packets {packets:,}" in text
    assert "1 to 10 March 2025" in text
    assert "Threats 2 1 in the last 7 days" in text and "Tracks 3 2 awake" in text
    assert "Days 9 1 without data" in text and "no data of 5 March 2025" in text
    assert "Checks failed 2 of 11" in text


def test_threats_are_newest_first_with_their_ports_named(home: Home, tmp_path: Path) -> None:
    """Threats come newest first, with kind, reasons in words and the services of their ports."""
    text = _read(home, tmp_path / "r.html").text
    threats = text[text.index("Newest first") : text.index("Timeline of tracks")]
    assert threats.index("dns-3") < threats.index("http-alt-2")
    assert "53/udp dns 100%" in threats and "8000/tcp http-alt 100%" in threats
    assert "4711/udp 7%" in threats and "12 senders try 8000/tcp" in threats
    assert "returned" in threats and "0.71" in threats


def test_the_last_day_lists_its_tracks_by_senders(home: Home, tmp_path: Path) -> None:
    """The last day's activities are those of that day, the largest first, with their networks."""
    text = _read(home, tmp_path / "r.html").text
    last = text[text.index("The last day: 10 March 2025") : text.index("Day by day Backscatter")]
    assert "telnet-1 408" in last and last.index("telnet-1") < last.index("dns-3")
    assert "http-alt-2" not in last
    assert "203.0.113.0/24 62%" in last and "1 came back" in last


def test_quality_tells_of_failures_and_quarantine(home: Home, tmp_path: Path) -> None:
    """Failed checks, days that stopped and the rows refused of each source are told."""
    text = _read(home, tmp_path / "r.html").text
    quality = text[text.index("Days that stopped") :]
    assert "2025-03-11 the day breaks its contract" in quality
    assert "sensors_awake warning 1 silent hour" in quality
    assert quality.index("volume_least") < quality.index("sensors_awake")
    assert quality.index("broken.csv 1 0 0 77") < quality.index("telescope.pcap 1 9 107,991 18")
    assert "1,234 ports of 2025-03-01" in quality


def test_a_span_leaves_out_what_is_not_in_it(home: Home, tmp_path: Path) -> None:
    """A report of a past span neither knows of later days nor of those before its first."""
    text = _read(home, tmp_path / "r.html", last=date(2025, 3, 7), days=3).text
    assert "5 to 7 March 2025" in text
    assert "dns-3" not in text and "days that stopped" not in text.lower()
    assert "Threats 0" in text and "Checks failed 0 of 2" in text
    assert "2025-03-04" not in text.split("Data quality")[0]


def test_the_span_ends_with_a_committed_day(home: Home, tmp_path: Path) -> None:
    """A last day that is not there is answered with the newest committed one before it."""
    text = _read(home, tmp_path / "r.html", last=date(2025, 3, 5)).text
    assert "1 to 4 March 2025" in text


def test_hostile_text_stays_text(story: Any, build: Callable[..., Home], tmp_path: Path) -> None:
    """Names, ports, reasons, sources and errors cannot add elements or turn the text around."""
    evil = '"><script>alert(1)</script><img src=x onerror=y>\u202e\x00&amp; {{ 7 * 7 }}'
    day = FIRST + timedelta(days=9)
    plain = Page(_page(build(story, tmp_path / "plain"), tmp_path))
    story.track(9, evil, [day], 5_000, f"{evil} 100%, {evil}")
    story.add("threats", (day, 9, evil, 0.9, f"{evil}; {evil}", 10, evil, evil, day))
    story.add("ingests", (day, evil, "cc", 1, 1, datetime(2025, 1, 1)))
    story.add("quality", (day, evil, evil, False, evil, evil))
    story.failures.append((FIRST + timedelta(days=11), evil))
    text = _page(build(story, tmp_path / "evil"), tmp_path)
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements}
    assert page.balanced and "\u202e" not in text and "\x00" not in text
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert page.text.count("<script>alert(1)</script>") >= 6
    assert "{{ 7 * 7 }}" in page.text


def _page(home: Home, folder: Path) -> str:
    write_report(home, folder / "r.html")
    return (folder / "r.html").read_text(encoding="utf-8")


def test_quiet_days_make_a_page_too(story: Any, build: Callable[..., Home], tmp_path: Path) -> None:
    """One day without tracks, threats, checks, sources or packets still has its page."""
    for table in story.rows:
        if table not in ("daily", "models"):
            story.rows[table].clear()
    story.rows["daily"] = [(FIRST, 0, 0, 0, 0, 0, 0, 0, "m-1")]
    story.failures.clear()
    text = _read(build(story, tmp_path / "home"), tmp_path / "r.html").text
    assert "1 March 2025" in text and "In 1 day 0 packets came" in text
    assert "No track that was born" in text and "No check was made" in text


def test_a_long_span_stays_small(story: Any, build: Callable[..., Home], tmp_path: Path) -> None:
    """190 days of 90 tracks with a threat every day are less than a megabyte."""
    days = [FIRST + timedelta(days=n) for n in range(190)]
    for table in ("pipeline.track_states", "track_days", "lineage", "daily", "threats"):
        story.rows[table].clear()
    for track in range(1, 91):
        worked = [day for n, day in enumerate(days) if (n * 7919 + track * 31) % 5]
        story.track(track, f"service-{track}", worked, track * 7, "23/tcp 100%, 80/tcp 12%")
    for n, day in enumerate(days):
        story.add("daily", (day, 10_000 + n * n, n, 900 + n, 80, 40, 72, n % 4, "m-1"))
        key = f"service-{1 + n % 90}@{days[0]}"
        threat = (day, 1 + n % 90, "new", 0.6, "never seen; " * 8, 12, key, "campaign", days[0])
        story.add("threats", threat)
    page = _page(build(story, tmp_path / "home"), tmp_path)
    assert len(page.encode()) < 1_000_000
    assert "30 other tracks" in Page(page).text


def test_the_questions_in_the_footer_have_answers(home: Home, tmp_path: Path) -> None:
    """Every `dante query` the page proposes runs on the published database."""
    text = html.unescape(re.sub("<[^>]*>", "", _page(home, tmp_path)))
    questions = re.findall(r"dante query \"([^\"]*)\"", text)
    assert len(questions) >= 3
    with closing(read_lineage(home)) as con:
        for question in questions:
            con.execute(question).fetchall()


def test_nothing_published_is_not_enough_data(tmp_path: Path) -> None:
    """Without a published day there is no report, and an older file stays as it was."""
    out = tmp_path / "r.html"
    out.write_text("older", encoding="utf-8")
    with pytest.raises(NotEnoughDataError, match="backfill"):
        write_report(Home(tmp_path / "none"), out)
    publish(Home(tmp_path / "empty"))
    with pytest.raises(NotEnoughDataError, match="backfill"):
        write_report(Home(tmp_path / "empty"), out)
    assert out.read_text(encoding="utf-8") == "older"
    assert {path.name for path in tmp_path.iterdir()} == {"r.html", "empty"}


def test_wrong_requests_say_what_is_wrong(home: Home, tmp_path: Path) -> None:
    """A span of no days, one before the first day, and a folder as the file are refused."""
    with pytest.raises(UsageError, match="0 days"):
        write_report(home, tmp_path / "r.html", days=0)
    with pytest.raises(NotEnoughDataError, match="2025-03-01 to 2025-03-10"):
        write_report(home, tmp_path / "r.html", last=date(2024, 1, 1))
    with pytest.raises(UsageError, match="folder"):
        write_report(home, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DanteError, match="cannot be written"):
        write_report(home, tmp_path / "file" / "r.html")


@pytest.mark.parametrize("form", ["html", "md"])
def test_it_says_shape_key_floods_and_what_was_held_back(
    home: Home, tmp_path: Path, form: str
) -> None:
    """A threat has its shape and key; floods are listed, and what the budget held back counted."""
    out = tmp_path / f"report.{form}"
    write_report(home, out)
    text = out.read_text(encoding="utf-8").replace("\\@", "@")
    assert "dns-3@2025-03-10" in text and "campaign" in text
    assert "1 more passed the test and was held back" in text
    assert "2193/udp" in text and "11,116" in text and "40,000 ports" in text
    # Of a past span nothing that came later is told.
    write_report(home, out, last=FIRST + timedelta(days=4))
    text = out.read_text(encoding="utf-8")
    assert "held back" not in text and "2193/udp" not in text and "53/udp" in text


def test_countries_and_owners_of_threats_are_named(home: Home) -> None:
    """What lists call the senders of a threat stands with it, if it has no day after the span."""
    named = [("country", "NL", 3, 0.75), ("country", "BR", 1, 0.25), ("asn", "AS7 <b>&", 4, 1.0)]

    def finish(con: Any) -> None:
        con.executemany("INSERT INTO track_labels VALUES (3, ?, ?, ?, ?)", named)

    publish(home, finish=finish)
    with closing(read_lineage(home)) as con:
        assert "senders of NL 75%, BR 25%, AS7 &lt;b&gt;&amp; 100%" in render(con)
        assert "senders of NL" in render(con, form="md")
        assert "NL" not in render(con, last=FIRST + timedelta(days=5))
