"""The report's ten days, with senders, and a server of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from dante.schema import parse_address
from dante.store.home import Home
from dante.web import create_app
from tests.report.conftest import FIRST, Story, build, story_of_ten_days

BASE = "http://127.0.0.1:8300"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}\u202egnp.exe"
PAGES = (
    "/",
    "/?day=2025-03-03",
    "/timeline",
    "/timeline?first=2025-03-02&last=2025-03-06&threats=true&port=8000&least=5&order=senders",
    "/tracks/1",
    "/tracks/2",
    "/tracks/http-alt-2?q=203.0.113&order=days",
    "/sender?q=203.0.113.7",
    "/sender?q=203.0.113.0/24",
    "/sender?q=2001:db8:1:2::/64",
    "/sender?q=198.51.100.1",
    "/map",
    "/map?day=2025-03-03",
    "/quality",
    "/quality?days=3",
    "/search",
    "/search?q=23",
    "/search?q=telnet",
    "/search?q=nothing%20like%20it",
    "/docs",
)


def story_with_senders() -> Story:
    """The ten days, where three senders of two networks and one of IPv6 come and go."""
    story = story_of_ten_days()
    days = sorted(row[0] for row in story.rows["daily"])
    for number, day in enumerate(days):
        for n in range(3):
            src = f"203.0.{113 + n // 2}.{20 + n}"
            story.add("memberships", (day, src, 1, 0, 2 + n, 0.9, parse_address(src)))
        if number in (2, 3):
            src = "203.0.113.99"
            story.add("memberships", (day, src, 2, 1, 7, 0.9, parse_address(src)))
        wide = "2001:db8:1:2::"
        track, cluster = (3, 2) if number in (1, 7) else (None, None)
        number_of = parse_address(wide)
        story.add("memberships", (day, f"{wide}/64", track, cluster, 4, 0.5, number_of))
    return story


def client_of(app: FastAPI) -> TestClient:
    """A client on this machine; it follows no redirects, and errors of ours become answers."""
    return TestClient(app, base_url=BASE, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of the ten days; not to be changed."""
    return build(story_with_senders(), tmp_path_factory.mktemp("web") / "home")


@pytest.fixture(scope="session")
def client(home: Home) -> Iterator[TestClient]:
    """A client of its server."""
    with client_of(create_app(home)) as client:
        yield client


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a home whose names, ports, networks, reasons and sources are attacks."""
    story = story_with_senders()
    track = story.rows["pipeline.track_states"][1]
    story.rows["pipeline.track_states"][1] = tuple(
        HOSTILE if value == "http-alt-2" else value for value in track
    )
    day = FIRST.replace(day=3)
    ports = f'{HOSTILE} 100%, 8000/tcp" onclick=x 5%'
    story.rows["track_days"] = [
        (*row[:4], ports, HOSTILE) if row[1] == 2 else row for row in story.rows["track_days"]
    ]
    last = FIRST.replace(day=10)
    story.add("threats", (last, 2, HOSTILE, 0.9, HOSTILE, 12, HOSTILE, HOSTILE, last))
    story.add("threats_held", (last, 2, HOSTILE, 0.8, HOSTILE, 12, "held", HOSTILE, last))
    story.add("floods", (last, HOSTILE, HOSTILE, HOSTILE, 1, 9, 1, 9.0, 3405803875))
    story.add("decisions", (last, 0, 2, 0.5, True, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1))
    story.add("ingests", (day, HOSTILE, "cc", 1, 1, story.rows["ingests"][0][5]))
    story.add("quality", (FIRST.replace(day=10), HOSTILE, HOSTILE, False, HOSTILE, HOSTILE))
    story.failures.append((FIRST.replace(day=12), HOSTILE))
    home = build(story, tmp_path_factory.mktemp("hostile") / "home")
    with client_of(create_app(home)) as client:
        yield client


@pytest.fixture(name="build")
def _build() -> Callable[[Story, Path], Home]:
    return build
