"""One telescope, one home backfilled directly, and one Prefect server, for all tests of flows."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from dante.pipeline import backfill, ingest_files, open_context
from dante.simulate import Scenario, simulate
from dante.sources import Reading

DAYS = tuple(date(2025, 3, day) for day in range(1, 5))
_SETTINGS = "[model]\ntrain_words = 20000\n[threat]\nmin_score = 0.1\nhistory_days = 1\n"


@pytest.fixture(scope="session")
def days() -> tuple[date, ...]:
    """The days of the telescope."""
    return DAYS


@pytest.fixture(scope="session")
def captures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file of packets a day, in order."""
    out = tmp_path_factory.mktemp("telescope")
    simulate(Scenario(days=len(DAYS), senders=200), out)
    return sorted((out / "packets").iterdir())


@pytest.fixture(scope="session")
def direct(captures: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home ingested and backfilled without Prefect; to be copied, never changed."""
    home = tmp_path_factory.mktemp("direct") / "home"
    home.mkdir()
    (home / "dante.toml").write_text(_SETTINGS)
    ingest_files(open_context(home), [(path, Reading()) for path in captures])
    backfill(open_context(home), DAYS[0], DAYS[-1])
    return home


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A home without packets, with the same settings."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dante.toml").write_text(_SETTINGS)
    return home


@pytest.fixture
def copied(direct: Path, tmp_path: Path) -> Path:
    """A copy of the backfilled home."""
    return Path(shutil.copytree(direct, tmp_path / "copied"))


Rows = Callable[[Path], dict[str, list[tuple[object, ...]]]]


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Every row of every view in a total order; without `runs`, and without times of ingest."""
    from dante.store.home import Home
    from dante.store.publish import PUBLISHED, read_lineage

    def published(home: Path) -> dict[str, list[tuple[object, ...]]]:
        with read_lineage(Home(home)) as con:
            return {
                view: con.execute(
                    f"SELECT * {'EXCLUDE (ingested_at)' if view == 'ingests' else ''} "
                    f"FROM {view} ORDER BY ALL"
                ).fetchall()
                for view in PUBLISHED
                if view != "runs"
            }

    return published


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Prefect server of our own until the tests end; its address."""
    pytest.importorskip("prefect")
    patch = pytest.MonkeyPatch()
    patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
    patch.setenv("DO_NOT_TRACK", "1")
    patch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    patch.setenv("PREFECT_SERVER_UI_ENABLED", "false")
    patch.setenv("NO_PROXY", "127.0.0.1,localhost")
    patch.delenv("PREFECT_API_URL", raising=False)
    from prefect.settings import PREFECT_API_URL
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        address = PREFECT_API_URL.value()
        assert address
        yield address
    patch.undo()
