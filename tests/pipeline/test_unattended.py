"""What goes on for months with nobody at it: broken days, late sources, retention, backups."""

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pytest

from dante.errors import ConfigError, ContractBrokenError, DanteError, UsageError
from dante.pipeline.arrival import awaited, seconds_to_wait
from dante.pipeline.backfill import backfill, day_states, first_undone, is_current, plan_backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.declared import ingest_declared, pending_files
from dante.pipeline.retention import prune
from dante.pipeline.run import rewind, run_day
from dante.store.backup import backup, restore
from dante.store.state import open_state

if TYPE_CHECKING:
    from .conftest import Telescope

from .conftest import DAYS, FIRST, LAST, SETTINGS, assert_same, day, dump, fill

Make = Callable[[str], Context]


# Days that break their contract


def _few(folder: Path, number: int) -> Path:
    """Five packets of a day, which are too few."""
    path = folder / f"few-{number}.csv"
    lines = [f"{day(number)}T00:00:0{n}Z,10.1.1.{n},tcp,23" for n in range(5)]
    path.write_text("\n".join(["ts,src,proto,dport", *lines]) + "\n")
    return path


def test_a_broken_day_is_skipped_marked_and_mended(telescope: "Telescope", tmp_path: Path) -> None:
    """Skipped it is on record and not judged again; with its packets all is as if never broken."""
    context = fill(tmp_path / "h", [telescope.files[0], _few(tmp_path, 2), telescope.files[2]])
    plan = backfill(context, FIRST, day(3), on_broken="skip")
    assert plan.broken == (day(2),)
    assert day_states(context)[day(2)] == "broken"
    published = dump(context, without=())
    assert published["daily"]["day"].to_list() == [day(1), day(3)]
    failed = published["runs"].filter(pl.col("status") == "failed")
    assert failed["day"].to_list() == [day(2)]
    assert published["quality"].filter(day=day(2), passed=False).height == 1

    again = plan_backfill(context, FIRST, day(3), on_broken="skip")
    assert (again.todo, again.broken) == ((), (day(2),))
    with pytest.raises(ContractBrokenError):
        backfill(context, FIRST, day(3))
    assert dump(context)["daily"]["day"].to_list() == [day(1), day(3)], "stopping takes nothing"

    fill(tmp_path / "h", [telescope.files[1]])
    (few,) = [m for m in open_context(tmp_path / "h").manifests if m.source == "few-2.csv"]
    context.home.manifest(few.digest).unlink()
    context = open_context(tmp_path / "h")
    assert day_states(context)[day(2)] == "waiting"
    backfill(context, FIRST, day(3), on_broken="skip")
    whole = fill(tmp_path / "w", list(telescope.files[:3]))
    backfill(whole, FIRST, day(3))
    assert_same(dump(context), dump(whole))


def test_there_are_two_ways_to_meet_a_broken_day(done: Context) -> None:
    """Any other word than stop and skip is a wrong request."""
    with pytest.raises(UsageError, match="stop or skip"):
        plan_backfill(done, FIRST, LAST, on_broken="ignore")


# What arrives


def _source(root: Path, incoming: Path, more: str = "") -> None:
    root.mkdir(exist_ok=True)
    text = f'{SETTINGS}[[sources]]\nname = "edge"\npath = "{incoming}/*.parquet"\n{more}'
    (root / "dante.toml").write_text(text)


def test_a_declared_folder_may_be_empty_at_first(telescope: "Telescope", tmp_path: Path) -> None:
    """A pattern that names nothing yet is waited for; then its files are taken, once."""
    incoming, root = tmp_path / "in", tmp_path / "h"
    incoming.mkdir()
    _source(root, incoming)
    assert ingest_declared(open_context(root)) == []
    assert awaited(open_context(root), FIRST) == ["edge"]
    shutil.copy(telescope.files[0], incoming)
    assert len(pending_files(open_context(root))) == 1
    ingest_declared(open_context(root))
    assert pending_files(open_context(root)) == []
    assert awaited(open_context(root), FIRST) == []
    assert awaited(open_context(root), day(2)) == ["edge"]
    # A file that was moved away after it was read has still arrived.
    shutil.rmtree(incoming)
    incoming.mkdir()
    assert awaited(open_context(root), FIRST) == []


@pytest.mark.parametrize(("expected", "late"), [("day", []), ("end", ["edge"]), ("no", [])])
def test_what_is_expected_of_a_source(tmp_path: Path, expected: str, late: list[str]) -> None:
    """A day's first packets are enough, or its last hour must be there, or nothing is expected."""
    incoming, root = tmp_path / "in", tmp_path / "h"
    incoming.mkdir()
    _source(root, incoming, f'expected = "{expected}"\n')
    rows = [{"ts": dt.datetime(2025, 3, 1, 5, n, tzinfo=dt.UTC), "src": n, "dport": 23, "proto": 6}
            for n in range(20)]  # fmt: skip
    pl.DataFrame(rows).write_parquet(incoming / "a.parquet")
    ingest_declared(open_context(root))
    assert awaited(open_context(root), FIRST) == late
    if expected == "end":
        last = [{**rows[0], "ts": dt.datetime(2025, 3, 1, 23, 5, tzinfo=dt.UTC)}]
        pl.DataFrame(last).write_parquet(incoming / "b.parquet")
        ingest_declared(open_context(root))
        assert awaited(open_context(root), FIRST) == []


def test_late_sources_are_waited_for_until_the_stated_hour(tmp_path: Path) -> None:
    """Looks are so far apart as is stated, the last is at the stated hour, and then it goes on."""
    incoming, root = tmp_path / "in", tmp_path / "h"
    incoming.mkdir()
    _source(root, incoming, "[arrival]\nwait_hours = 2\npoll_minutes = 30\n")
    context = open_context(root)

    def at(hour: int, minute: int) -> float:
        now = dt.datetime(2025, 3, 2, hour, minute, tzinfo=dt.UTC)
        return seconds_to_wait(context, FIRST, now)

    assert (at(0, 0), at(1, 0), at(1, 50), at(2, 0), at(9, 0)) == (1800, 1800, 600, 0, 0)


def test_quality_says_what_had_not_arrived(telescope: "Telescope", tmp_path: Path) -> None:
    """A day run without one of its sources says so; when that comes it is stale, then right."""
    incoming, root = tmp_path / "in", tmp_path / "h"
    for name in ("a", "b"):
        (incoming / name).mkdir(parents=True)
    shutil.copy(telescope.files[0], incoming / "a")
    root.mkdir()
    blocks = "".join(f'[[sources]]\nname = "{n}"\npath = "{incoming}/{n}"\n' for n in "ab")
    (root / "dante.toml").write_text(SETTINGS + blocks)
    ingest_declared(open_context(root))
    run_day(open_context(root), FIRST)

    def said() -> list[tuple[object, ...]]:
        rows = dump(open_context(root))["quality"].filter(check="arrival")
        return rows.select("passed", "observed", "severity").rows()

    assert said() == [(False, "nothing, or not all, of the day from b", "warning")]
    pl.read_parquet(telescope.files[0]).head(50).write_parquet(incoming / "b" / "late.parquet")
    ingest_declared(open_context(root))
    context = open_context(root)
    assert day_states(context)[FIRST] == "stale"
    assert first_undone(context, FIRST) == FIRST
    backfill(context, FIRST, FIRST)
    assert said() == [(True, "all of 2 expected sources are there", "warning")]


def test_what_was_missed_begins_with_the_first_day_done(done: Context, ingested: Make) -> None:
    """All done: nothing; a gap: the gap; nothing done: the first day with packets."""
    assert first_undone(done, LAST) is None
    with open_state(done.home) as state:
        state.forget_day(day(3))
    assert first_undone(done, LAST) == day(3)
    assert first_undone(done, day(2)) is None
    assert first_undone(ingested("new"), LAST) == FIRST


# Retention


def _keeping(root: Path, packets: int) -> Context:
    text = SETTINGS + f"train_window = {min(packets, 30)}\n[retention]\npackets_days = {packets}\n"
    (root / "dante.toml").write_text(text)
    return open_context(root)


def test_lineage_survives_retention(telescope: "Telescope", tmp_path: Path) -> None:
    """Old packets go; every view stays, no day is stale, and later days are as with them."""
    root = tmp_path / "h"
    fill(root, list(telescope.files[:5]))
    context = _keeping(root, 2)
    backfill(context, FIRST, day(4))
    before = dump(context)
    gone = prune(context)
    assert gone.days == (day(1), day(2))
    assert not list((root / "lake" / "packets" / f"day={FIRST}").glob("*"))
    context = open_context(root)
    assert day_states(context)[FIRST] == "done"
    assert dump(context)["ingests"].equals(before["ingests"])
    with pytest.raises(DanteError, match="removed by age"):
        run_day(context, FIRST)
    with pytest.raises(UsageError, match="removed by age"):
        rewind(context, FIRST)
    assert plan_backfill(context, FIRST, day(5)).todo == (day(5),)
    backfill(context, FIRST, day(5))

    kept = fill(tmp_path / "kept", list(telescope.files[:5]))
    kept = _keeping(kept.home.root, 2)
    backfill(kept, FIRST, day(5))
    assert_same(dump(context), dump(kept))


def test_retention_keeps_what_is_still_needed(done: Context) -> None:
    """Packets of stale days, and what the next model learns from, are not removed."""
    with open_state(done.home) as state:
        state.forget_day(day(2))
    root = done.home.root
    (root / "dante.toml").write_text(SETTINGS + "[retention]\npackets_days = 5\n")
    with pytest.raises(ConfigError, match="learns from 30 days"):
        prune(open_context(root))
    gone = prune(_keeping(root, 5))
    assert FIRST not in gone.days or gone.days == (FIRST,)
    assert list((root / "lake" / "packets" / f"day={day(2)}").glob("*"))


def test_what_killed_runs_left_is_removed_after_some_days(done: Context) -> None:
    """Spills and files of no source go when they are old; what is new or counts stays."""
    import os

    files = sorted(done.home.root.rglob("*.parquet"))
    old = [
        done.home.work / "spool-x" / "copy",
        done.home.root / "lake" / "packets" / f"day={FIRST}" / ("0" * 32 + ".parquet"),
        done.home.root / "lake" / "packets" / f"day={FIRST}" / ".half.parquet.part",
    ]
    new = done.home.work / "ingest-1" / "run"
    for path in (*old, new):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for path in (old[0].parent, old[1], old[2]):
        os.utime(path, (1, 1))
    assert prune(done).left == 3
    assert not any(path.exists() for path in old)
    assert new.exists()
    assert [path for path in files if not path.exists()] == []


# Backups


def test_a_backup_is_put_back(telescope: "Telescope", done: Context, tmp_path: Path) -> None:
    """State lost or overwritten: the backup's days are there at once, a backfill does the rest."""
    rewind(done, day(6))
    copy = tmp_path / "b" / "state.duckdb"
    assert backup(done.home, copy) == 5
    backfill(done, FIRST, LAST)
    done.home.state.write_bytes(b"power cut")
    assert restore(done.home, copy) == 5
    assert not is_current(done)
    assert plan_backfill(done, FIRST, LAST).todo == tuple(day(n) for n in range(6, DAYS + 1))
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)
    assert (done.home.root / "state.duckdb.before-restore").read_bytes() == b"power cut"


def test_only_a_backup_is_put_back(done: Context, tmp_path: Path) -> None:
    """Something else, a publication, or a state of a newer version is refused; nothing changes."""
    before = done.home.state.read_bytes()
    text = tmp_path / "text"
    text.write_text("no database" * 1000)
    newer = tmp_path / "newer.duckdb"
    backup(done.home, newer)
    with duckdb.connect(str(newer)) as con:
        con.execute("INSERT INTO migrations VALUES ('9999_of_the_future', now())")
    for file, words in ((text, "no backup"), (done.home.lineage, "no backup"), (newer, "newer"),
                        (tmp_path / "none", "no such file")):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            restore(done.home, file)
    with pytest.raises(UsageError, match="the home's own"):
        backup(done.home, done.home.lineage)
    assert done.home.state.read_bytes() == before
