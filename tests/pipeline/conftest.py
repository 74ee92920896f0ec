"""One small telescope, simulated once and backfilled once; tests that change it copy it."""

import datetime as dt
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from dante.pipeline.backfill import backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.ingest import ingest_files
from dante.simulate import Scenario, simulate
from dante.sources import Reading
from dante.store.publish import PUBLISHED, read_lineage

FIRST = dt.date(2025, 3, 1)
DAYS = 8
LAST = FIRST + dt.timedelta(days=DAYS - 1)
SETTINGS = "[model]\ntrain_words = 20000\nepochs = 2\ndimensions = 16\n"


def day(number: int) -> dt.date:
    """Day `number` of the telescope, 1 the first."""
    return FIRST + dt.timedelta(days=number - 1)


def dump(context: Context, *, without: tuple[str, ...] = ("runs",)) -> dict[str, pl.DataFrame]:
    """What is published, rows sorted, but the times at which work was done."""
    tables = {}
    with read_lineage(context.home) as con:
        for view in PUBLISHED:
            if view not in without:
                frame = con.sql(f"SELECT * FROM {view}").pl()
                frame = frame.drop("ingested_at", strict=False)
                tables[view] = frame.sort(frame.columns, nulls_last=True)
    return tables


def assert_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    """Both publications are the same, row for row."""
    assert one.keys() == other.keys()
    for view, frame in one.items():
        assert frame.equals(other[view]), f"{view} differs"


@dataclass(frozen=True)
class Telescope:
    """The simulated telescope, and a home that has all of it done.

    Attributes:
        files: a file of packets for each day, in order.
        home: the home, backfilled; never to be changed.
        published: its publication.
    """

    files: tuple[Path, ...]
    home: Path
    published: dict[str, pl.DataFrame]


def fill(root: Path, files: tuple[Path, ...] | list[Path]) -> Context:
    """Ingest files into a home."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "dante.toml").exists():
        (root / "dante.toml").write_text(SETTINGS)
    ingest_files(open_context(root), [(path, Reading()) for path in files])
    return open_context(root)


@pytest.fixture(autouse=True, scope="session")
def no_outer_settings() -> None:
    """What the developer has set for their own home says nothing about these."""
    for name in [name for name in os.environ if name.startswith("DANTE_")]:
        del os.environ[name]


@pytest.fixture(scope="session")
def telescope(tmp_path_factory: pytest.TempPathFactory) -> Telescope:
    """The telescope, done in one backfill."""
    out = tmp_path_factory.mktemp("telescope")
    paths = simulate(Scenario(days=DAYS, senders=300, seed=3, first_day=FIRST), out / "sim")
    files = tuple(sorted(paths.packets.glob("*.parquet")))
    context = fill(out / "home", files)
    backfill(context, FIRST, LAST)
    return Telescope(files, out / "home", dump(context))


@pytest.fixture
def done(telescope: Telescope, tmp_path: Path) -> Context:
    """A copy of the finished home, to do with as one likes."""
    shutil.copytree(telescope.home, tmp_path / "home")
    return open_context(tmp_path / "home")


@pytest.fixture
def ingested(telescope: Telescope, tmp_path: Path) -> Callable[[str], Context]:
    """Makes homes with everything ingested, models trained, and no day done."""

    def make(name: str) -> Context:
        root = tmp_path / name
        root.mkdir()
        for part in ("lake", "models"):
            shutil.copytree(telescope.home / part, root / part)
        shutil.copy(telescope.home / "dante.toml", root)
        return open_context(root)

    return make
