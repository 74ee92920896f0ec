"""A home made by hand: three campaigns called threats, one of them by a hostile name."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from dante.schema import address_text, parse_address
from dante.sequences import SENDERS, DaySequences, write_sequences
from dante.store.home import Home
from dante.store.publish import publish
from dante.store.state import DAY_TABLES, DayRecord, RunRecord, open_state
from dante.tracking.track import TRACK_STATES

FIRST = date(2025, 3, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(6)]
HOSTILE = (
    '=cmd|"/C calc"!A0\n"; sid:1;) drop ip any any -> any any (msg:"x\\;\u202e}\nadd table inet x\n'
    "../../etc/passwd <script>alert(1)</script> DROP TABLE tracks;--"
)
TELNET = ["1.2.3.4", "1.2.3.5", "8.8.4.4", "2a01:4f8:1:2::9", "10.0.0.7"]
DNS = ["9.9.9.9", "9.9.9.10"]
ODD = ["185.1.1.1", "185.1.1.2"]
_TCP, _UDP = 6 * 65536, 17 * 65536
# Track: its name, its days, its senders, its words.
_TRACKS: dict[int, tuple[str, list[date], list[str], list[int]]] = {
    1: ("telnet-1", DAYS[1:], TELNET, [_TCP + 23, _TCP + 2323]),
    2: (HOSTILE, DAYS[2:3] + DAYS[4:5], ODD, [_TCP + 4444]),
    3: ("dns-3", DAYS[3:], DNS, [_UDP + 53]),
}
_THREATS = {
    DAYS[1]: [(1, "new", 0.9)],
    DAYS[2]: [(2, "new", 0.6)],
    DAYS[3]: [(1, "new", 0.7), (3, "new", 0.8)],
    DAYS[4]: [(2, "returned", 0.55)],
}


def _numbers(texts: list[str]) -> list[int]:
    return [parse_address(text) or 0 for text in texts]


def _rows(day: date) -> dict[str, list[dict[str, Any]]]:
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in DAY_TABLES}
    for track_id, (name, days, senders, words) in _TRACKS.items():
        if day not in days:
            continue
        numbers = _numbers(senders)
        state: dict[str, Any] = {
            name: [] if isinstance(kind, pl.List) else 0 for name, kind in TRACK_STATES.items()
        } | {
            "track_id": track_id, "name": name, "state": "active", "first_day": days[0],
            "last_day": day, "days_active": days.index(day) + 1, "packets": 70,
            "peak_senders": len(senders), "words": words, "weights": [1.0] * len(words),
            "senders": numbers, "news_day": days[0], "news_away": None,
        }  # fmt: skip
        tables["pipeline.track_states"].append(state)
        for place, number in enumerate(numbers):
            tables["memberships"].append({
                "src": address_text(pl.Series([number]))[0], "track_id": track_id,
                "cluster_id": track_id, "packets": 10 + place, "strength": 1.0, "address": number,
            })  # fmt: skip
        event = "birth" if day == days[0] else "continue"
        tables["lineage"].append(
            {"track_id": track_id, "event": event, "related_track_id": None, "similarity": 0.5,
             "shared_senders": 1}
        )  # fmt: skip
        proto = "udp" if words[0] >= _UDP else "tcp"
        tables["track_days"].append({
            "track_id": track_id, "senders": len(senders), "packets": 60,
            "top_ports": ", ".join(f"{word % 65536}/{proto} 100%" for word in words),
            "top_networks": "1.2.3.0/24 40%",
        })  # fmt: skip
    for track_id, kind, score in _THREATS.get(day, []):
        tables["threats"].append({
            "track_id": track_id, "kind": kind, "score": score, "senders": 5,
            "reasons": "nothing like it before; 5 senders", "shape": "campaign",
            "news_day": FIRST if kind == "new" else day, "key": f"{track_id}@{kind}",
        })  # fmt: skip
    # A sender of no campaign.
    tables["memberships"].append(
        {"src": "7.7.7.7", "track_id": None, "cluster_id": None, "packets": 3, "strength": 0.0,
         "address": parse_address("7.7.7.7")}
    )  # fmt: skip
    tables["daily"].append({
        "packets": 100, "backscatter_packets": 1, "senders": 9, "clusters": 3, "noise_senders": 1,
        "tracks_active": 3, "births": 1, "model_id": "m",
    })  # fmt: skip
    return tables


def _profiles(home: Home, day: date) -> None:
    rows = [
        {
            "src": number,
            "packets": 10,
            "sentence": words,
            "words": words,
            "counts": [5] * len(words),
        }
        for _, days, senders, words in _TRACKS.values()
        if day in days
        for number in _numbers(senders)
    ]
    frame = pl.DataFrame(sorted(rows, key=lambda row: row["src"]), schema=SENDERS)
    write_sequences(DaySequences(frame, 100, 1), home.profiles(day), inputs="i")


def build(root: Path) -> Home:
    """Commit six days and publish them."""
    home = Home(root)
    types: dict[str, Any] = {
        "pipeline.track_states": dict(TRACK_STATES),
        "memberships": {
            "day": pl.Date, "src": pl.String, "track_id": pl.Int32, "cluster_id": pl.Int32,
            "packets": pl.Int64, "strength": pl.Float64, "address": pl.UInt64,
        },
    }  # fmt: skip
    with open_state(home) as state:
        for day in DAYS:
            tables = {}
            for table, rows in _rows(day).items():
                dated = [{**row, "day": day} for row in rows]
                tables[table] = pl.DataFrame(
                    dated, schema=types.get(table), infer_schema_length=None
                )
            models = pl.DataFrame(
                [{"model_id": "m", "trained_on": FIRST, "window_start": FIRST,
                  "window_end": FIRST, "words": 3, "dimensions": 2}]
            )  # fmt: skip
            ingests = pl.DataFrame(
                [{"day": FIRST, "source": "=1+1.csv", "digest": "d", "rows": 1, "quarantined": 0}]
            ).with_columns(ingested_at=pl.lit(FIRST).cast(pl.Datetime("us")))
            record = DayRecord(day, f"f{day}", MappingProxyType(tables), models, ingests)
            started = pl.Series([day]).cast(pl.Datetime("us"))[0]
            state.commit_day(record, RunRecord(f"r{day}", "run", day, "completed", started, 1.0))
            _profiles(home, day)
    publish(home)
    return home


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The home, to be looked at and never changed."""
    yield build(tmp_path_factory.mktemp("exported") / "home")


@pytest.fixture
def own_home(tmp_path: Path) -> Home:
    """A home to do anything to."""
    return build(tmp_path / "home")
