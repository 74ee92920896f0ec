"""What is broken, missing, damaged or busy is said in a sentence, and can be gone on from."""

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from dante.errors import BusyError, ContractBrokenError, DanteError, NotEnoughDataError
from dante.pipeline import stages
from dante.pipeline.backfill import backfill, plan_backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.declared import ingest_declared
from dante.pipeline.run import run_day
from dante.schema import PACKETS
from dante.store.manifests import read_manifests
from dante.store.publish import read_lineage

from .conftest import FIRST, LAST, SETTINGS, assert_same, day, dump, fill

if TYPE_CHECKING:
    from .conftest import Telescope

Make = Callable[[str], Context]
REPO = Path(__file__).resolve().parents[2]


def _packets(path: Path, number: int, rows: list[tuple[int, int, int]]) -> Path:
    """A file of one day's TCP packets: sender, port, flags."""
    start = dt.datetime.combine(day(number), dt.time(), dt.UTC)
    frame = pl.DataFrame(
        [
            {
                "ts": start + dt.timedelta(seconds=i),
                "src": src,
                "proto": 6,
                "dport": port,
                "tcp_flags": flags,
            }
            for i, (src, port, flags) in enumerate(rows)
        ],
        schema=PACKETS,
    )
    frame.write_parquet(path)
    return path


def test_a_day_that_breaks_its_contract_is_shown_and_not_tracked(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """Nine packets: checks and failed run are published, no member is, and days before stay."""
    thin = _packets(tmp_path / "thin.parquet", 4, [(src, 23, 2) for src in range(9)])
    context = fill(tmp_path / "h", [*telescope.files[:3], thin, *telescope.files[4:6]])
    with pytest.raises(ContractBrokenError, match="2025-03-04 breaks its contract packets"):
        backfill(context, FIRST, day(6))
    published = dump(context, without=())
    assert published["daily"]["day"].to_list() == [day(1), day(2), day(3)]
    assert day(4) not in published["memberships"]["day"].to_list()
    failed = published["quality"].filter((pl.col("day") == day(4)) & ~pl.col("passed"))
    assert failed["check"].to_list() == ["volume_floor"]
    run = published["runs"].filter(pl.col("status") == "failed").row(0, named=True)
    assert (run["day"], run["flow"]) == (day(4), "backfill")
    assert "breaks its contract" in run["error"]
    # Asked for outright, the days after it can be had.
    backfill(context, day(5), day(6))
    assert dump(context)["daily"]["day"].to_list() == [day(n) for n in (1, 2, 3, 5, 6)]


def test_a_broken_day_is_mended_by_the_missing_packets(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """Once the rest of a thin day comes, the backfill goes on where it stopped."""
    whole = pl.read_parquet(telescope.files[1])
    whole.head(9).write_parquet(tmp_path / "a.parquet")
    whole.slice(9).write_parquet(tmp_path / "b.parquet")
    context = fill(tmp_path / "h", [telescope.files[0], tmp_path / "a.parquet"])
    with pytest.raises(ContractBrokenError):
        run_day(context, day(2))
    context = fill(tmp_path / "h", [tmp_path / "b.parquet"])
    backfill(context, FIRST, day(2))
    published = dump(context)
    assert published["quality"].filter(~pl.col("passed")).height == 0
    whole_day = telescope.published["memberships"].filter(pl.col("day") <= day(2))
    assert published["memberships"].equals(whole_day)


def test_a_day_that_comes_to_break_its_contract_loses_its_old_result(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """A day done before, whose source was taken out but for a few packets, is not shown as done."""
    thin = _packets(tmp_path / "thin.parquet", 2, [(src, 23, 2) for src in range(9)])
    context = fill(tmp_path / "h", [*telescope.files[:2], thin])
    backfill(context, FIRST, day(2))
    source = next(m for m in context.manifests if day(2) in m.rows and m.source != thin.name)
    context.home.manifest(source.digest).unlink()
    context = open_context(tmp_path / "h")
    with pytest.raises(ContractBrokenError):
        backfill(context, FIRST, day(2))
    assert day(2) not in dump(context)["memberships"]["day"].to_list()


def test_a_day_without_packets_says_what_there_is(done: Context, tmp_path: Path) -> None:
    """Running or backfilling a day without packets names the days that have some."""
    for wrong in (lambda: run_day(done, day(40)), lambda: backfill(done, day(40), day(41))):
        with pytest.raises(NotEnoughDataError, match="it holds 2025-03-01 to 2025-03-08"):
            wrong()
    with pytest.raises(NotEnoughDataError, match="it is empty"):
        backfill(open_context(tmp_path / "new"), FIRST, LAST)


def test_a_day_of_backscatter_is_done_without_members(tmp_path: Path) -> None:
    """Replies only, even on the very first day: counted, nobody in it, and the next day goes on."""
    replies = _packets(tmp_path / "a.parquet", 1, [(src, 1024, 0x12) for src in range(30)])
    scans = _packets(tmp_path / "b.parquet", 2, [(src, 23, 2) for src in range(30)])
    context = fill(tmp_path / "h", [replies, scans])
    backfill(context, FIRST, day(2))
    daily = dump(context)["daily"]
    assert daily["backscatter_packets"].to_list() == [30, 0]
    assert daily["senders"].to_list() == [0, 30]
    assert daily["births"].to_list() == [0, 1]


def test_a_telescope_that_sees_two_ports_is_tracked(tmp_path: Path) -> None:
    """Thirty senders of 22/tcp and 23/tcp each are one cluster, not an error."""
    rows = [(src, port, 2) for src in range(30) for port in (22, 23)]
    context = fill(tmp_path / "h", [_packets(tmp_path / "a.parquet", 1, rows)])
    run_day(context, FIRST)
    assert dump(context)["daily"]["clusters"].to_list() == [1]


def test_damaged_profiles_are_named_or_made_again(telescope: "Telescope", done: Context) -> None:
    """A day's own profiles are made again; a past day's damaged ones are named in a sentence."""
    done.home.profiles(day(8)).write_bytes(b"not parquet")
    run_day(done, day(8))
    for folder in done.home.models.iterdir():
        shutil.rmtree(folder)
    done.home.profiles(day(5)).write_bytes(b"not parquet")
    with pytest.raises(DanteError, match=r"day=2025-03-05\.parquet cannot be read"):
        run_day(done, day(8))
    # Doing what the message says mends it.
    done.home.profiles(day(5)).unlink()
    run_day(done, day(8))
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)


def test_a_damaged_model_is_named_and_trained_again_once_deleted(
    telescope: "Telescope", done: Context
) -> None:
    """The message names the model's folder; without it the same model is made anew."""
    folder = done.home.models / stages.plan_training(done, day(8)).model_id
    before = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(b"no array")
    with pytest.raises(DanteError, match=folder.name):
        run_day(done, day(8))
    shutil.rmtree(folder)
    run_day(done, day(8))
    assert (folder / "vectors.npy").read_bytes() == before
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)


def test_missing_packets_of_an_ingested_source_are_named(done: Context) -> None:
    """A file of packets that was deleted by hand is an error that names source and day."""
    manifest = next(manifest for manifest in done.manifests if day(3) in manifest.rows)
    done.home.packets(day(3), manifest.digest).unlink()
    with pytest.raises(DanteError, match=r"packets of 2025-03-03 .* are missing"):
        run_day(done, day(3))


def test_damaged_packets_are_an_error_in_a_sentence(ingested: Make) -> None:
    """A file of packets that is no Parquet is named; the days before it are done all the same."""
    context = ingested("h")
    manifest = next(manifest for manifest in context.manifests if day(3) in manifest.rows)
    context.home.packets(day(3), manifest.digest).write_bytes(b"not parquet")
    with pytest.raises(DanteError, match="2025-03-03"):
        backfill(context, FIRST, day(4))
    assert dump(context)["daily"]["day"].to_list() == [day(1), day(2)]


def test_a_damaged_manifest_is_named(done: Context) -> None:
    """Opening a home with half a manifest says which file it is and what to do."""
    path = sorted(done.home.manifests.glob("*.json"))[0]
    path.write_text(path.read_text()[:100])
    with pytest.raises(DanteError, match=f"{path.name} is damaged"):
        open_context(done.home.root)


def test_no_two_runs_at_once(done: Context) -> None:
    """While another process is at work on the home, run and backfill refuse at once."""
    code = (
        "import sys; from pathlib import Path; from dante.store.home import Home\n"
        "with Home(Path(sys.argv[1])).lock('pipeline'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(done.home.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        for call in (lambda: run_day(done, FIRST), lambda: backfill(done, FIRST, LAST)):
            with pytest.raises(BusyError, match="at work"):
                call()
        holder.communicate(b"")
    run_day(done, LAST)


def test_a_killed_run_leaves_the_last_commit(telescope: "Telescope", done: Context) -> None:
    """A run killed before its commit changed nothing, and a backfill after it ends as ever."""
    code = (
        "import os, sys; from datetime import date\n"
        "from dante.pipeline.context import open_context\n"
        "from dante.pipeline.run import rewind, run_day\n"
        "from dante.store.state import State\n"
        "context = open_context(sys.argv[1]); rewind(context, date(2025, 3, 7))\n"
        "State._replace_ingests = lambda *_: os.kill(os.getpid(), 9)\n"
        "run_day(context, date(2025, 3, 7))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(done.home.root)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        check=False,
    )
    assert ended.returncode == -9
    assert plan_backfill(done, FIRST, LAST).todo == (day(7), day(8))
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)


def _declared(telescope: "Telescope", root: Path) -> Path:
    """A home that declares one folder, with two days in it."""
    incoming = root / "incoming"
    incoming.mkdir(parents=True)
    for file in telescope.files[:2]:
        shutil.copy(file, incoming)
    (root / "dante.toml").write_text(SETTINGS + '[[sources]]\npath = "incoming"\n')
    return incoming


def test_declared_sources_are_read_once(telescope: "Telescope", tmp_path: Path) -> None:
    """What was taken in is not read again, and a new file is taken in by itself."""
    incoming = _declared(telescope, tmp_path)
    first = ingest_declared(open_context(tmp_path))
    assert [item.already for item in first] == [False, False]
    assert ingest_declared(open_context(tmp_path)) == []
    shutil.copy(telescope.files[2], incoming)
    assert [item.source for item in ingest_declared(open_context(tmp_path))] == [
        "2025-03-03.parquet"
    ]
    assert open_context(tmp_path).days == [day(1), day(2), day(3)]


def test_a_declared_source_comes_back_after_its_damaged_manifest_was_deleted(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """Doing what the error of a damaged manifest says brings the packets back."""
    _declared(telescope, tmp_path)
    ingest_declared(open_context(tmp_path))
    for path in (tmp_path / "lake" / "ingests").glob("*.json"):
        path.unlink()
    ingest_declared(open_context(tmp_path))
    assert open_context(tmp_path).days == [day(1), day(2)]


def test_what_was_seen_before_may_be_damaged(telescope: "Telescope", tmp_path: Path) -> None:
    """What is known of the sources' files may be damaged or deleted: they are looked at anew."""
    _declared(telescope, tmp_path)
    ingest_declared(open_context(tmp_path))
    (tmp_path / "lake" / "sources.json").write_text('{"half')
    assert all(item.already for item in ingest_declared(open_context(tmp_path)))


def test_a_declared_file_that_grows_is_not_counted_twice(tmp_path: Path) -> None:
    """A log that is appended to gives each of its packets once."""
    log = tmp_path / "log.csv"
    lines = [f"2025-03-01T00:00:{i:02d}Z,192.0.2.{i},tcp,23" for i in range(40)]
    (tmp_path / "dante.toml").write_text(SETTINGS + '[[sources]]\npath = "log.csv"\n')
    for n in (20, 40):
        log.write_text("\n".join(["ts,src,proto,dport", *lines[:n]]) + "\n")
        ingest_declared(open_context(tmp_path))
    assert open_context(tmp_path).packets(FIRST) == 40


def test_every_row_of_a_source_is_counted(tmp_path: Path) -> None:
    """Rows kept and rows refused in `ingests`, unknown days too, are what the file held."""
    bad = [
        "not a time,192.0.2.1,tcp,23",
        "2025-03-01T01:00:00Z,nobody,tcp,23",
        "1971-01-01T00:00:00Z,192.0.2.1,tcp,23",
    ]
    good = [f"2025-03-01T00:00:{i:02d}Z,192.0.2.{i},tcp,23" for i in range(20)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join(["ts,src,proto,dport", *good, *bad]) + "\n")
    context = fill(tmp_path / "h", [path])
    backfill(context, FIRST, FIRST)
    with read_lineage(context.home) as con:
        counted = con.execute("SELECT sum(rows), sum(quarantined) FROM ingests").fetchone()
    assert counted == (20, 3)
    held = list((tmp_path / "h" / "lake" / "quarantine").rglob("*.parquet"))
    refused = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in held])
    assert refused.height == 3
    assert refused["reason"].null_count() == 0


def test_a_folder_of_work_is_not_needed(telescope: "Telescope", done: Context) -> None:
    """What stages hand to one another may be deleted between runs."""
    shutil.rmtree(done.home.work)
    assert plan_backfill(done, FIRST, LAST).todo == ()
    run_day(done, LAST)
    assert_same(dump(done), telescope.published)


def test_tracking_a_day_that_was_not_clustered_says_so(ingested: Make) -> None:
    """The stage alone, without the one before it, is an error in a sentence."""
    context = ingested("h")
    with pytest.raises(DanteError, match="is not clustered yet"):
        stages.track(context, FIRST)
    assert not context.home.state.exists()


def test_packets_that_come_between_two_stages_are_in_what_is_committed(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """A flow opens the home anew for each stage; the day it commits is of one piece."""
    late = _packets(tmp_path / "late.parquet", 1, [(src, 2323, 2) for src in range(1, 90)] * 2)
    whole = fill(tmp_path / "whole", [telescope.files[0], late])
    backfill(whole, FIRST, FIRST)
    context = fill(tmp_path / "h", [telescope.files[0]])
    for stage in (stages.check, stages.sequences, stages.model, stages.cluster):
        stage(context, FIRST)
    context = fill(tmp_path / "h", [late])
    stages.track(context, FIRST)
    stages.publish_lineage(context, FIRST)
    assert_same(dump(context), dump(whole))


def test_the_real_log_of_2013_goes_through(tmp_path: Path) -> None:
    """The AWS honeypot log: every row is a packet or refused, and its days are tracked."""
    from dante.pipeline.ingest import ingest_file
    from dante.sources import Reading, load_mapping

    log = REPO / ".." / "shared" / "data" / "marx" / "marx.csv.gz"
    if not log.is_file():
        pytest.skip("the marx log is not beside the repository")
    (tmp_path / "dante.toml").write_text(SETTINGS)
    context = open_context(tmp_path)
    reading = Reading(mapping=load_mapping(REPO / "examples" / "marx.toml"))
    taken = ingest_file(context.home, log, reading, context.contract)
    assert taken.rows + taken.quarantined == 451_581
    assert taken.quarantined < taken.rows // 1000
    context = open_context(tmp_path)
    first = context.days[0]
    backfill(context, first, first + dt.timedelta(days=5))
    published = dump(context)
    assert published["daily"].height == 6
    assert published["daily"]["clusters"].min() >= 1  # type: ignore[operator]
    assert published["lineage"].filter(pl.col("event") == "continue").height > 5
    names = {manifest.source for manifest in read_manifests(context.home)}
    assert names == {"marx.csv.gz"}
    assert json.loads(next(context.home.manifests.glob("*.json")).read_text())["rows"]
