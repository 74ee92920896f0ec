"""A home made by hand: ten days, one of them missing, with everything a report can tell."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from dante.store.home import Home
from dante.store.publish import publish
from dante.store.state import DAY_TABLES, DayRecord, RunRecord, open_state
from dante.tracking.track import TRACK_STATES

FIRST = date(2025, 3, 1)
SCHEMAS: dict[str, dict[str, Any]] = {
    "pipeline.track_states": dict(TRACK_STATES),
    "memberships": {
        "day": pl.Date, "src": pl.String, "track_id": pl.Int32, "cluster_id": pl.Int32,
        "packets": pl.Int64, "strength": pl.Float64, "address": pl.UInt64,
    },
    "lineage": {
        "day": pl.Date, "track_id": pl.Int32, "event": pl.String, "related_track_id": pl.Int32,
        "similarity": pl.Float64, "shared_senders": pl.Int64,
    },
    "track_days": {
        "day": pl.Date, "track_id": pl.Int32, "senders": pl.Int64, "packets": pl.Int64,
        "top_ports": pl.String, "top_networks": pl.String,
    },
    "threats": {
        "day": pl.Date, "track_id": pl.Int32, "kind": pl.String, "score": pl.Float64,
        "reasons": pl.String, "senders": pl.Int64, "key": pl.String, "shape": pl.String,
        "news_day": pl.Date,
    },
    "decisions": {
        "day": pl.Date, "cluster_id": pl.Int32, "track_id": pl.Int32, "probability": pl.Float64,
        "taken": pl.Boolean, "ports": pl.Float64, "rare_ports": pl.Float64, "headers": pl.Float64,
        "hours": pl.Float64, "networks": pl.Float64, "senders_shared": pl.Float64,
    },
    "floods": {
        "day": pl.Date, "src": pl.String, "shape": pl.String, "port": pl.String,
        "ports": pl.Int64, "packets": pl.Int64, "usual": pl.Int64, "times": pl.Float64,
        "address": pl.UInt64,
    },
    "daily": {
        "day": pl.Date, "packets": pl.Int64, "backscatter_packets": pl.Int64,
        "senders": pl.Int64, "clusters": pl.Int64, "noise_senders": pl.Int64,
        "tracks_active": pl.Int64, "births": pl.Int64, "model_id": pl.String,
    },
    "quality": {
        "day": pl.Date, "contract": pl.String, "check": pl.String, "passed": pl.Boolean,
        "observed": pl.String, "severity": pl.String,
    },
    "models": {
        "model_id": pl.String, "trained_on": pl.Date, "window_start": pl.Date,
        "window_end": pl.Date, "words": pl.Int64, "dimensions": pl.Int64,
    },
    "ingests": {
        "day": pl.Date, "source": pl.String, "digest": pl.String, "rows": pl.Int64,
        "quarantined": pl.Int64, "ingested_at": pl.Datetime("us"),
    },
}  # fmt: skip
SCHEMAS["threats_held"] = SCHEMAS["threats"]


@dataclass
class Story:
    """Rows for the tables of a home, by table, as tuples in the order of their columns."""

    rows: dict[str, list[tuple[Any, ...]]] = field(
        default_factory=lambda: {table: [] for table in SCHEMAS}
    )
    failures: list[tuple[date, str]] = field(default_factory=list)

    def add(self, table: str, *rows: tuple[Any, ...]) -> None:
        """Add rows to a table."""
        self.rows[table] += rows

    def track(
        self, track_id: int, name: str, days: Iterable[date], senders: int, ports: str
    ) -> None:
        """Add a track that is at work on these days."""
        worked = sorted(days)
        for number, day in enumerate(worked):
            event = "continue" if number else "birth"
            self.add("lineage", (day, track_id, event, None, 0.9, 3))
            networks = "203.0.113.0/24 62%, 2001:db8:1::/48 9%"
            row = (day, track_id, senders + number, 10 * senders, ports, networks)
            self.add("track_days", row)
        known = {
            "track_id": track_id, "day": worked[-1], "name": name, "state": "active",
            "first_day": worked[0], "last_day": worked[-1], "days_active": len(worked),
            "peak_senders": senders, "words": [1], "weights": [1.0], "senders": [2],
            "news_day": worked[0], "news_away": None,
        }  # fmt: skip
        row = tuple(
            known.get(column, [] if isinstance(kind, pl.List) else 0)
            for column, kind in TRACK_STATES.items()
        )
        self.add("pipeline.track_states", row)

    def frame(self, table: str, *, backwards: bool = False) -> pl.DataFrame:
        """The rows of a table as a frame."""
        rows = self.rows[table][::-1] if backwards else self.rows[table]
        return pl.DataFrame(rows, schema=SCHEMAS[table], orient="row")


def build(story: Story, root: Path, *, backwards: bool = False) -> Home:
    """Commit a story day by day and publish it; `backwards` turns the rows of a day around."""
    home = Home(root)
    started = datetime(2025, 6, 1, 3, 0) if backwards else datetime(2025, 7, 1, 4, 0)
    frames = {table: story.frame(table, backwards=backwards) for table in SCHEMAS}
    with open_state(home) as state:
        for day in sorted(row[0] for row in story.rows["daily"]):
            tables = dict.fromkeys(DAY_TABLES, pl.DataFrame()) | {
                table: frames[table].filter(pl.col("day") == day)
                for table in SCHEMAS
                if table not in ("models", "ingests")
            }
            used = tables["daily"]["model_id"].to_list()
            record = DayRecord(
                day=day,
                fingerprint="f",
                tables=MappingProxyType(tables),
                models=frames["models"].filter(pl.col("model_id").is_in(used)),
                ingests=frames["ingests"],
            )
            state.commit_day(record, RunRecord(f"r{day}", "run", day, "completed", started, 1.0))
        for day, error in story.failures:
            quality = frames["quality"].filter(pl.col("day") == day)
            run = RunRecord(f"f{day}", "run", day, "failed", started, 1.0, error)
            state.add_failure(day, quality, run)
    publish(home)
    return home


def story_of_ten_days() -> Story:
    """Tracks that split, merge, sleep and return, two threats, a failed check and a gap."""
    days = [FIRST + timedelta(days=n) for n in range(10) if n != 4]
    story = Story()
    story.track(1, "telnet-1", days, 400, "23/tcp 100%, 2323/tcp 41%")
    story.track(2, "http-alt-2", days[2:5], 12, "8000/tcp 100%, 4711/udp 7%")
    story.track(3, "dns-3", [days[1], days[8]], 6, "53/udp 100%")
    story.add(
        "lineage",
        (days[2], 2, "split", 1, 0.4, 9),
        (days[7], 2, "merge", 1, 0.5, 11),
        (days[5], 3, "sleep", None, None, 0),
        (days[8], 3, "recur", None, 0.9, 0),
    )
    story.add(
        "threats",
        (
            days[2], 2, "new", 0.71, "never seen; 12 senders try 8000/tcp", 12,
            f"http-alt-2@{days[2]}", "campaign", days[2],
        ),
        (
            days[8], 3, "returned", 0.55, "back after 8 days", 6,
            f"dns-3@{days[8]}", "campaign", days[8],
        ),
    )  # fmt: skip
    held = (days[8], 1, "returned", 0.31, "held for its score", 408, "telnet-1@x", "worm", days[8])
    told = (days[7], 3, "returned", 0.2, "held, then told", 6, f"dns-3@{days[8]}", None, days[7])
    story.add("threats_held", held, told)
    story.add(
        "floods",
        (days[8], "203.0.113.99", "flood", "2193/udp", 1, 11_116, 4, 2779.0, 3405803875),
        (days[8], "198.51.100.8", "sweep", None, 40_000, 40_000, 90, 444.4, 3325256712),
        (days[1], "203.0.113.99", "flood", "53/udp", 1, 900, 90, 10.0, 3405803875),
    )
    story.add(
        "decisions",
        (days[8], 0, 1, 0.93, True, 0.97, 0.9, 1.0, 0.8, 2.0, 0.61),
        (days[8], 2, 3, 0.55, True, 0.8, 0.7, 1.0, 0.8, -1.0, 0.0),
        (days[8], 2, 1, 0.71, False, 0.9, 0.7, 1.0, 0.8, 0.0, 0.0),
        (days[2], 1, 1, 0.34, False, 0.5, 0.4, 0.9, 0.8, 0.5, 0.3),
    )
    for number, day in enumerate(days):
        model = "m-1" if number < 5 else "m-2"
        births = 1 if number in (0, 1, 2) else 0
        story.add("daily", (day, 12_000 + number, 500, 1_400 + number, 2, 90, 2, births, model))
        story.add("quality", (day, "packets@1.0.0", "ts_present", True, "0 of 9", "error"))
        story.add("ingests", (day, "telescope.pcap", "aa", 11_999, 2, datetime(2025, 3, 2)))
        story.add("memberships", (day, "203.0.113.7", 1, 0, 5, 1.0, 3405803783))
    story.add("ingests", (None, "broken.csv", "bb", 0, 77, datetime(2025, 3, 2)))
    observed = "1 silent hour, 1 of 2 sensors: east 04-05 h"
    story.add("quality", (days[3], "packets@1.0.0", "sensors_awake", False, observed, "warning"))
    failed = FIRST + timedelta(days=10)
    story.add("quality", (failed, "packets@1.0.0", "volume_least", False, "3 packets", "error"))
    story.failures.append((failed, "the day breaks its contract"))
    story.add(
        "models",
        ("m-1", FIRST, FIRST, FIRST, 120, 50),
        ("m-2", days[4], FIRST, days[4], 1_234, 50),
    )
    return story


@pytest.fixture(name="story")
def _story() -> Story:
    return story_of_ten_days()


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    return build(story_of_ten_days(), tmp_path / "home")


@pytest.fixture(name="build")
def _build() -> Callable[..., Home]:
    return build
