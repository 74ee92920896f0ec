"""A home, and records of days as the pipeline would commit them."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path
from types import MappingProxyType

import duckdb
import polars as pl
import pytest

from dante.store.home import Home
from dante.store.manifests import (
    ingests,
)
from dante.store.state import DAY_TABLES, DayRecord, RunRecord

DAY = dt.date(2025, 3, 1)
REPO = Path(__file__).resolve().parents[2]
NOW = dt.datetime(2025, 3, 2, 1, 2, 3)


def day(number: int) -> dt.date:
    return DAY + dt.timedelta(days=number)


def record(day: dt.date, src: str = "192.0.2.1", model_id: str = "m1") -> DayRecord:
    """A day of one sender in one track."""
    threat = {
        "track_id": 1,
        "kind": "new",
        "score": 1.0,
        "reasons": "r",
        "senders": 1,
        "key": f"telnet-1@{DAY}",
        "shape": "campaign",
        "news_day": DAY,
    }
    frames: dict[str, list[dict[str, object]]] = {
        "pipeline.track_states": [
            {
                "track_id": 1,
                "name": "telnet-1",
                "state": "active",
                "first_day": DAY,
                "last_day": day,
                "days_active": 1,
                "packets": 5,
                "peak_senders": 1,
                "size": 1.0,
                "heard": 1.0,
                "words": [393239],
                "weights": [1.0],
                "users": [1.0],
                "traits": [1],
                "trait_senders": [1.0],
                "hours": [1.0] * 24,
                "networks": [0],
                "network_senders": [1.0],
                "forgotten": 0.0,
                "senders": [7],
                "news_day": DAY,
                "news_away": None,
                "raised": 0,
                "stability": 0.0,
            }
        ],
        "memberships": [
            {
                "src": src,
                "track_id": 1,
                "cluster_id": 0,
                "packets": 5,
                "strength": 1.0,
                "address": 7,
            }
        ],
        "lineage": [{"track_id": 1, "event": "birth", "related_track_id": None, "similarity": 0.0}],
        "decisions": [
            {
                "cluster_id": 0,
                "track_id": 1,
                "probability": 0.9,
                "taken": True,
                "ports": 1.0,
                "rare_ports": 1.0,
                "headers": 1.0,
                "hours": 1.0,
                "networks": 0.0,
                "senders_shared": 1.0,
            }
        ],
        "track_days": [
            {"track_id": 1, "senders": 1, "packets": 5, "top_ports": "p", "top_networks": "n"}
        ],
        "threats": [threat],
        "threats_held": [threat],
        "floods": [
            {
                "src": src,
                "shape": "flood",
                "port": "23/tcp",
                "ports": 1,
                "packets": 5,
                "usual": 1,
                "times": 5.0,
                "address": 7,
            }
        ],
        "pipeline.port_days": [{"word": 393239, "packets": 5}],
        "pipeline.volumes": [{"least": 1, "widest": 1}],
        "daily": [
            {
                "packets": 5,
                "backscatter_packets": 0,
                "senders": 1,
                "clusters": 1,
                "noise_senders": 0,
                "tracks_active": 1,
                "births": 1,
                "model_id": model_id,
            }
        ],
        "quality": [
            {"contract": "c", "check": "k", "passed": True, "observed": "o", "severity": "error"}
        ],
    }
    assert set(frames) == set(DAY_TABLES)
    tables = {
        name: pl.DataFrame([{"day": day, **row} for row in rows], infer_schema_length=None)
        for name, rows in frames.items()
    }
    models = pl.DataFrame(
        [
            {
                "model_id": model_id,
                "trained_on": DAY,
                "window_start": DAY,
                "window_end": DAY,
                "words": 1,
                "dimensions": 2,
            }
        ]
    )
    return DayRecord(day, f"fp-{day}-{src}", MappingProxyType(tables), models, ingests([]))


def run(run_id: str = "r", day: dt.date | None = DAY) -> RunRecord:
    return RunRecord(run_id, "run", day, "completed", NOW, 1.5)


def count(con: duckdb.DuckDBPyConnection, table: str) -> int:
    row = con.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def elsewhere(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A new home."""
    return Home(tmp_path / "home")
