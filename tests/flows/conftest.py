"""One telescope, one home backfilled directly, and one `dante up`, for all tests of flows."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from dante.pipeline.backfill import backfill
from dante.pipeline.context import open_context
from dante.pipeline.ingest import ingest_files
from dante.simulate import Scenario, simulate
from dante.sources import Reading

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a-token-that-nobody-may-see"
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


class Standing:
    """`dante up` in a process of its own.

    Attributes:
        home: its home.
        url: of its server.
        log: a file of all that it and its parts say.
        process: its process.
    """

    def __init__(self, folder: Path) -> None:
        """Start it."""
        self.home, self.log = folder / "home", folder / "log"
        (self.home / "drop").mkdir(parents=True)
        declared = '[[sources]]\npath = "drop/*.parquet"\nexpected = "no"\n'
        (self.home / "dante.toml").write_text(_SETTINGS + declared)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api"
        words = ["up", "--home", str(self.home), "--port", str(port)]
        env = {k: v for k, v in os.environ.items() if not k.startswith(("DANTE_", "PREFECT_"))}
        env |= {
            "PYTHONPATH": str(ROOT),
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "DANTE_WEBHOOK__URL": f"http://127.0.0.1:9/hook?token={SECRET}",
            "DANTE_WEBHOOK__ATTEMPTS": "1",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from dante.cli import main; main()", *words],
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Wait until its worker is there."""
        while b"Worker 'ProcessWorker" not in self.log.read_bytes():
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.2)

    def stop(self) -> int:
        """Ask it to end, as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """A server, and all that `dante up` makes on it, until the tests end."""
    pytest.importorskip("prefect")
    made = Standing(tmp_path_factory.mktemp("up"))
    try:
        made.wait()
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()


@pytest.fixture(scope="session")
def server(standing: Standing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of that server, which flows of this process use too."""
    patch = pytest.MonkeyPatch()
    patch.setenv("DO_NOT_TRACK", "1")
    patch.setenv("NO_PROXY", "127.0.0.1,localhost")
    patch.delenv("PREFECT_API_URL", raising=False)
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    own = {PREFECT_API_URL: standing.url, PREFECT_HOME: tmp_path_factory.mktemp("prefect")}
    with temporary_settings(own):
        yield standing.url
    patch.undo()


def of_home(home: Path, *more: str) -> list[int]:
    """Processes that have this home, and further variables, in their environment."""
    wanted = {f"DANTE_HOME={home}".encode()}
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            known = (entry / "environ").read_bytes().split(b"\0")
            names = {item.partition(b"=")[0].decode() for item in known}
            if wanted <= set(known) and names.issuperset(more):
                found.append(int(entry.name))
    return found
