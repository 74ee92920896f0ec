"""A small telescope and its undisturbed end, `dante` as a function, and the table of faults."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from dante.cli import main
from dante.simulate import Scenario, simulate
from dante.store.home import Home
from dante.store.publish import PUBLISHED, read_lineage

SETTINGS = "[model]\ntrain_words = 20000\nepochs = 2\ndimensions = 16\n"
FIRST, LAST = "2025-03-01", "2025-03-02"

Dante = Callable[..., tuple[int, str]]


@pytest.fixture
def dante(monkeypatch: pytest.MonkeyPatch) -> Dante:
    """Run a command in this process: its exit code, and the last line it said."""
    for name in list(os.environ):
        if name.startswith(("DANTE_", "PREFECT_API")) and name != "DANTE_FAULTS":
            monkeypatch.delenv(name)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dante", *map(str, arguments)])
        said, code = io.StringIO(), 0
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return code, (said.getvalue().splitlines() or [""])[-1]

    return run


@pytest.fixture(scope="session")
def packets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of packets, a file each."""
    out = tmp_path_factory.mktemp("telescope")
    scenario = Scenario(days=2, senders=80, seed=3, first_day=date(2025, 3, 1))
    return simulate(scenario, out).packets


def views(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """All that is published, rows in order, but the times of work."""
    with read_lineage(Home(home)) as con:
        return {
            view: con.execute(
                f"SELECT * {'EXCLUDE (ingested_at)' if view == 'ingests' else ''} "
                f"FROM {view} ORDER BY ALL"
            ).fetchall()
            for view in PUBLISHED
            if view != "runs"
        }


@pytest.fixture(scope="session")
def finished(packets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with both days done, and nothing ever amiss; to be copied."""
    from dante.pipeline.backfill import backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.ingest import ingest_files
    from dante.sources import Reading

    home = tmp_path_factory.mktemp("finished") / "home"
    home.mkdir()
    (home / "dante.toml").write_text(SETTINGS)
    ingest_files(open_context(home), [(file, Reading()) for file in sorted(packets.iterdir())])
    backfill(open_context(home), date.fromisoformat(FIRST), date.fromisoformat(LAST))
    return home


@pytest.fixture(scope="session")
def wanted(finished: Path) -> dict[str, list[tuple[object, ...]]]:
    """What an undisturbed run publishes."""
    return views(finished)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A new home."""
    made = tmp_path / "home"
    made.mkdir()
    (made / "dante.toml").write_text(SETTINGS)
    return made


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished home."""
    return Path(shutil.copytree(finished, tmp_path / "done"))


Mounted = Callable[[str], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mounted]]:
    """A folder that is a disk of its own, and a function that mounts it otherwise."""
    folder = tmp_path / "disk"
    folder.mkdir()
    make = ["mount", "-t", "tmpfs", "-o", "size=100m", "dante-test", str(folder)]
    if os.geteuid() or subprocess.run(make, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs the right to mount one")

    def mounted(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    try:
        yield folder, mounted
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def tidy() -> Callable[[str], str]:
    """A sentence as it stands in the table: without what is other on each machine and day."""

    def tidied(said: str) -> str:
        said = re.sub(r"/\S*/(home|done|disk|cut\.parquet)", r"\1", said.removeprefix("dante: "))
        said = re.sub(r"\b[0-9a-f]{32}\b", "DIGEST", said)
        said = re.sub(r"w2v-(\d{4}-\d\d-\d\d)-[0-9a-f]{12}", r"w2v-\1-DIGEST", said)
        # What the reader of arrays says is its own.
        said = re.sub(r"DIGEST cannot be read \(.*\);", "DIGEST cannot be read (…);", said)
        return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:4200", said)

    return tidied
