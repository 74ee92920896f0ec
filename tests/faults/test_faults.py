"""Faults one by one: each ends in a finished day after a retry, or in a sentence, nothing lost."""

import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Self

import pytest

from dante.store.home import Home
from dante.store.publish import read_lineage

from .conftest import FIRST, LAST, SETTINGS, Dante, Mounted, views

ROOT = Path(__file__).resolve().parents[2]
ENV = {
    **{k: v for k, v in os.environ.items() if not k.startswith(("DANTE_", "PREFECT_API"))},
    "PYTHONPATH": str(ROOT),
}
Fault = Callable[[str, str, str], None]
Tidy = Callable[[str], str]
Wanted = dict[str, list[tuple[object, ...]]]

_SAME = "the same command does the rest; views equal an undisturbed run's"


def _backfill(dante: Dante, home: Path) -> tuple[int, str]:
    return dante("backfill", FIRST, LAST, "--home", home)


def _mended(dante: Dante, home: Path, packets: Path, wanted: Wanted) -> None:
    """Ingest and backfill as if nothing had been, and compare."""
    assert dante("ingest", packets, "--home", home)[0] == 0
    assert _backfill(dante, home)[0] == 0
    assert views(home) == wanted


def test_the_disk_is_full_in_ingest(
    dante: Dante, disk: tuple[Path, Mounted], packets: Path, wanted: Wanted, tidy: Tidy,
    fault: Fault,
) -> None:  # fmt: skip
    """A disk too small for the packets: a sentence, no source counts, and room mends it."""
    home, mount = disk
    (home / "dante.toml").write_text(SETTINGS)
    mount("size=12k")
    code, said = dante("ingest", packets, "--home", home)
    assert code == 1
    assert not list((home / "lake" / "ingests").glob("*")), "no source counts half"
    mount("size=100m")
    _mended(dante, home, packets, wanted)
    fault("disk full, in ingest", tidy(said), f"nothing counts until it is whole; {_SAME}")


@pytest.mark.parametrize("size", [60, 500, 900], ids=["at first", "in a commit", "publishing"])
def test_the_disk_is_full_in_a_backfill(
    dante: Dante, disk: tuple[Path, Mounted], packets: Path, wanted: Wanted, tidy: Tidy,
    fault: Fault, size: int,
) -> None:  # fmt: skip
    """A disk that fills up in the state's file: a sentence, whole days only, room mends it."""
    home, mount = disk
    (home / "dante.toml").write_text(SETTINGS)
    assert dante("ingest", packets, "--home", home)[0] == 0
    mount(f"size={size}k")
    code, said = _backfill(dante, home)
    assert code == 1
    mount("size=100m")
    _mended(dante, home, packets, wanted)
    fault("disk full, in commit or publication", tidy(said), _SAME)


def test_the_home_is_read_only(
    dante: Dante, disk: tuple[Path, Mounted], finished: Path, packets: Path, wanted: Wanted,
    tidy: Tidy, fault: Fault,
) -> None:  # fmt: skip
    """Work is refused in a sentence, what is published can be read, and nothing has changed."""
    home, mount = disk
    shutil.copytree(finished, home, dirs_exist_ok=True)
    mount("ro")
    refused = {
        dante(*words, "--home", home)
        for words in (("ingest", packets, "--again"), ("run", LAST), ("rewind", LAST))
    }
    assert len(refused) == 1
    ((code, said),) = refused
    assert code == 1
    assert views(home) == wanted
    for words in (("status",), ("backfill", FIRST, LAST, "--dry-run"), ("threats",)):
        assert dante(*words, "--home", home)[0] == 0
    mount("rw")
    assert dante("run", LAST, "--home", home)[0] == 0
    assert views(home) == wanted
    fault("read-only home", tidy(said), "what is published stays readable; nothing is changed")


_HOLD = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_the_database_is_locked(
    dante: Dante, done: Path, wanted: Wanted, tidy: Tidy, fault: Fault
) -> None:
    """Another program has the state open: a sentence, and after it is closed the day is done."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(done / "state.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        code, said = dante("rewind", LAST, "--home", done)
        assert code == 1
        assert views(done) == wanted
        holder.communicate(b"")
    assert dante("rewind", LAST, "--home", done)[0] == 0
    assert _backfill(dante, done)[0] == 0
    assert views(done) == wanted
    fault("database locked by another process", tidy(said), _SAME)


def test_a_model_is_damaged(
    dante: Dante, done: Path, wanted: Wanted, tidy: Tidy, fault: Fault
) -> None:
    """A model folder whose file is cut: a sentence that says what to delete; that mends it."""
    (folder,) = (done / "models").iterdir()
    vectors = folder / "vectors.npy"
    vectors.write_bytes(vectors.read_bytes()[:-9])
    code, said = dante("run", LAST, "--home", done)
    assert code == 1
    shutil.rmtree(folder)
    assert dante("run", LAST, "--home", done)[0] == 0
    assert views(done) == wanted
    fault("damaged model folder", tidy(said), "the same model is trained again; views are equal")


def test_a_parquet_file_to_be_read_is_cut_short(
    dante: Dante, home: Path, packets: Path, wanted: Wanted, tidy: Tidy, fault: Fault
) -> None:
    """A source that ends too soon is refused whole; the others are taken, and later it too."""
    folder = home.parent / "in"
    folder.mkdir()
    first, second = sorted(packets.iterdir())
    shutil.copy(first, folder)
    cut = folder / "cut.parquet"
    cut.write_bytes(second.read_bytes()[:-999])
    code, said = dante("ingest", folder, "--home", home)
    assert code == 1
    assert len(list((home / "lake" / "ingests").glob("*.json"))) == 1
    cut.unlink()
    _mended(dante, home, packets, wanted)
    fault("Parquet file cut short, before ingest", tidy(said), "other files count; " + _SAME)


@pytest.mark.parametrize("left", [0, 40, -4])
def test_a_parquet_file_of_the_lake_is_cut_short(
    dante: Dante, done: Path, packets: Path, wanted: Wanted, tidy: Tidy, fault: Fault, left: int
) -> None:
    """A damaged file of packets is named with its source; ingesting that again mends it."""
    (file,) = (done / "lake" / "packets" / f"day={LAST}").iterdir()
    file.write_bytes(file.read_bytes()[:left])
    code, said = dante("run", LAST, "--home", done)
    assert code == 1
    assert views(done) == wanted, "the day's older result stays"
    assert dante("ingest", packets / f"{LAST}.parquet", "--again", "--home", done)[0] == 0
    assert _backfill(dante, done)[0] == 0
    assert views(done) == wanted
    fault("Parquet file cut short, in the lake", tidy(said), "the day's older result stays; mended")


def test_the_clock_jumps_back(
    dante: Dante, home: Path, packets: Path, wanted: Wanted, fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A day ingested and run by a clock that is 400 days behind is the same day, in order."""
    first, second = sorted(packets.iterdir())
    assert dante("ingest", first, "--home", home)[0] == 0
    assert dante("backfill", FIRST, FIRST, "--home", home)[0] == 0

    class Behind(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Self:
            return super().now(tz) - dt.timedelta(days=400)

    for module in ("dante.pipeline.run", "dante.pipeline.ingest"):
        monkeypatch.setattr(import_module(module), "datetime", Behind)
    assert dante("ingest", second, "--home", home)[0] == 0
    assert _backfill(dante, home)[0] == 0
    assert views(home) == wanted
    with read_lineage(Home(home)) as con:
        runs = con.execute("SELECT day, started_at FROM runs ORDER BY day").fetchall()
    assert runs[0][1] > runs[1][1], "the clock was behind"
    fault("clock jumping back", "nothing", "the day is finished; views equal an undisturbed run's")


def test_two_runs_of_one_day(
    dante: Dante, done: Path, wanted: Wanted, tidy: Tidy, fault: Fault
) -> None:
    """While one run does the day a second one says so and ends; the day is whole."""
    lock = done / ".locks" / "pipeline.lock"
    lock.unlink(missing_ok=True)
    code = "from dante.cli import main; main()"
    run = subprocess.Popen([sys.executable, "-c", code, "run", LAST, "--home", str(done)], env=ENV)
    until, answer = time.monotonic() + 120, (0, "")
    while run.poll() is None and not answer[0] and time.monotonic() < until:
        if lock.exists():  # made by the one who takes it
            answer = dante("run", LAST, "--home", done)
        time.sleep(0.01)
    assert run.wait() == 0
    assert answer[0] == 1
    assert views(done) == wanted
    fault("two runs of one day at once", tidy(answer[1]), "the other does the day, whole")


def test_every_row_of_the_table_comes_from_a_test() -> None:
    """Each fault in docs/faults.md is injected by a test, and no row is from nowhere."""
    table = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    shown = [line.split("|")[1].strip() for line in rows if not line.startswith("| ---")]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    tested = {name for text in texts for name in re.findall(r'\bfault\(\s*"([^"]+)"', text)}
    assert len(shown) == len(set(shown))
    assert set(shown) == tested
