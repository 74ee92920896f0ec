"""A small world to follow tracks in: clusters said outright, memory kept by the real state."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import duckdb
import numpy as np
import polars as pl
import pytest

from dante.clustering.day import CLUSTERED
from dante.config import Settings
from dante.embedding import PortModel
from dante.embedding.model import ModelCard
from dante.labels.scanners import BenignNetworks
from dante.sequences import SENDERS
from dante.store.migrations import apply_migrations
from dante.store.state import DAY_TABLES, DayRecord, State
from dante.tracking import EARLIER, WINDOW, DayTracks, load_memory, track_day

DAY = dt.date(2025, 3, 1)
TCP = 6 * 65536
NOBODY = BenignNetworks(np.empty(0, np.uint64), np.empty(0, np.uint64))

Cluster = tuple[range | list[int], list[int]]
"""Senders, and the ports each of them tries."""


def small_model(usual: Mapping[int, int] | None = None, sender_days: int = 1000) -> PortModel:
    """A model of ports 1 to 400 in random directions; `usual`: sender-days by port."""
    words = np.arange(TCP + 1, TCP + 401, dtype=np.uint32)
    vectors = np.random.Generator(np.random.PCG64(9)).standard_normal((len(words), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seen = np.array([(usual or {}).get(int(word) - TCP, 1) for word in words], dtype=np.int64)
    card = ModelCard("m", DAY, DAY, 1, len(words), 32, 9, 9, sender_days, "i", {})
    return PortModel(card, words, vectors.astype(np.float32), seen)


@dataclass
class World:
    """A telescope whose clusters are given; every day goes through the real tracker and state."""

    settings: Settings
    state: State
    benign: BenignNetworks = NOBODY
    model: PortModel = field(default_factory=small_model)
    first: dt.date = DAY
    tools: Mapping[int, int] = field(default_factory=dict)
    frames: dict[dt.date, pl.DataFrame] = field(default_factory=dict)

    def day(
        self,
        number: int,
        clusters: list[Cluster],
        noise: list[Cluster] | None = None,
        *,
        one_cluster: bool = False,
    ) -> DayTracks:
        """Track day `number` (0 the first) and keep it; `one_cluster`: of all that are given."""
        rows, members = [], []
        for cluster_id, (sources, ports) in [
            *enumerate(clusters),
            *((None, group) for group in noise or []),
        ]:
            for src in sources:
                words = sorted(TCP + port for port in ports)
                rows.append(
                    {
                        "src": src,
                        "packets": 3 * len(ports),
                        "sentence": words,
                        "words": words,
                        "counts": [3] * len(ports),
                        "tool": self.tools.get(src),
                    }
                )
                place = 0 if one_cluster and cluster_id is not None else cluster_id
                members.append((src, place, 3 * len(ports), False))
        day = self.first + dt.timedelta(days=number)
        senders = pl.DataFrame(rows, schema=SENDERS).sort("src")
        clustered = pl.DataFrame(members, schema=CLUSTERED, orient="row").sort("src")
        assert senders["src"].is_unique().all(), "a sender is in one cluster"
        return self.track(day, senders, clustered)

    def track(self, day: dt.date, senders: pl.DataFrame, clustered: pl.DataFrame) -> DayTracks:
        """Track a day with these senders in these clusters, and keep it."""
        self.frames[day] = senders
        memory = load_memory(self.state, day, window=self.settings.track.window)

        def earlier(src: pl.Series) -> pl.DataFrame:
            seen = [
                frame.filter(pl.col("src").is_in(src.implode()))
                .with_columns(day=pl.lit(before))
                .select(EARLIER.keys())
                for before, frame in sorted(self.frames.items())
                if 0 < (day - before).days < WINDOW
            ]
            return pl.concat([pl.DataFrame(schema=EARLIER), *seen])

        found = track_day(
            day, senders, clustered, self.model, memory, self.settings, self.benign, earlier
        )
        self._commit(day, found)
        return found

    def _commit(self, day: dt.date, found: DayTracks) -> None:
        frames = dict.fromkeys(DAY_TABLES, pl.DataFrame()) | {
            "pipeline.track_states": found.states,
            "memberships": found.memberships,
            "lineage": found.lineage,
            "decisions": found.decisions,
            "track_days": found.track_days,
            "threats": found.threats,
            "threats_held": found.held,
        }
        nothing = pl.DataFrame(schema={"model_id": pl.String})
        self.state.commit_day(
            DayRecord(day, f"f{day}", MappingProxyType(frames), nothing, pl.DataFrame())
        )

    def states(self) -> dict[int, dict[str, object]]:
        """The newest row of every track."""
        rows = self.state.frame("SELECT * FROM pipeline.track_states ORDER BY day")
        return {row["track_id"]: row for row in rows.iter_rows(named=True)}


def events_of(found: DayTracks) -> list[tuple[int, str, int | None]]:
    """The day's events: of which track, what, and with which other."""
    return [
        (row["track_id"], row["event"], row["related_track_id"])
        for row in found.lineage.iter_rows(named=True)
    ]


@pytest.fixture
def new_world(tmp_path: object) -> Iterator[Callable[..., World]]:
    """Makes worlds; keywords are sections of settings, each a mapping."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def make(benign: BenignNetworks = NOBODY, **sections: object) -> World:
        con = duckdb.connect()
        opened.append(con)
        apply_migrations(con)
        settings = Settings.model_validate({"home": tmp_path, **sections})
        return World(settings, State(con), benign)

    yield make
    for con in opened:
        con.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    """A world with the settings as they come."""
    return new_world()
