"""However the days are gone through, the same is published."""

import hashlib
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

from dante.errors import UsageError
from dante.pipeline.backfill import backfill, plan_backfill
from dante.pipeline.context import Context, open_context
from dante.pipeline.ingest import ingest_files
from dante.pipeline.run import rewind, run_day
from dante.sources import Reading

if TYPE_CHECKING:
    from .conftest import Telescope

from .conftest import DAYS, FIRST, LAST, assert_same, day, dump, fill

Make = Callable[[str], Context]


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".json"
    }


def test_another_home_makes_the_same_bytes(telescope: "Telescope", tmp_path: Path) -> None:
    """Ingested in another order into another place: equal packets, profiles, models and views."""
    context = fill(tmp_path / "other", list(reversed(telescope.files)))
    backfill(context, FIRST, LAST)
    assert_same(dump(context), telescope.published)
    for part in ("lake/packets", "lake/profiles", "models"):
        assert _tree(context.home.root / part) == _tree(telescope.home / part)


def test_what_is_known_of_later_days_changes_nothing(
    telescope: "Telescope", ingested: Make
) -> None:
    """Days run one by one while the lake holds later ones are those of a lake without them."""
    context = ingested("all")
    for number in range(1, 5):
        run_day(context, day(number))
    alone = fill(context.home.root.parent / "four", telescope.files[:4])
    backfill(alone, FIRST, day(4))
    without = ("runs", "ingests")
    assert_same(dump(context, without=without), dump(alone, without=without))


def test_packets_that_come_day_by_day_are_a_backfill(
    telescope: "Telescope", tmp_path: Path
) -> None:
    """A telescope that ingests and runs each day as it comes ends where a backfill ends."""
    for number, file in enumerate(telescope.files, 1):
        context = fill(tmp_path / "live", [file])
        run_day(context, day(number))
    assert_same(dump(context), telescope.published)
    assert plan_backfill(context, FIRST, LAST).todo == ()


def test_two_halves_are_a_backfill(telescope: "Telescope", ingested: Make) -> None:
    """A backfill of the first days and one of the others publish what one does."""
    context = ingested("halves")
    backfill(context, FIRST, day(5))
    backfill(context, day(6), LAST)
    assert_same(dump(context), telescope.published)


def test_a_day_run_again_makes_the_later_ones_stale(telescope: "Telescope", done: Context) -> None:
    """After running a middle day again a backfill redoes the days after it, to the same end."""
    run_day(done, day(5))
    plan = plan_backfill(done, FIRST, LAST)
    assert plan.todo == tuple(day(n) for n in range(6, DAYS + 1))
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)


def test_rewinding_and_going_on_ends_at_the_same(telescope: "Telescope", done: Context) -> None:
    """A rewind publishes no row of the day or later, and a backfill brings back all of them."""
    assert rewind(done, day(6)) == [day(n) for n in range(6, DAYS + 1)]
    for view, frame in dump(done).items():
        if "day" in frame.columns and view != "ingests":
            assert frame.filter(pl.col("day") > day(5)).height == 0, view
    assert_same(
        {view: dump(done)[view] for view in ("memberships", "lineage", "threats")},
        {
            view: telescope.published[view].filter(pl.col("day") < day(6))
            for view in ("memberships", "lineage", "threats")
        },
    )
    backfill(done, FIRST, LAST)
    assert_same(dump(done), telescope.published)


def test_rewinding_everything_leaves_an_empty_publication(done: Context) -> None:
    """Nothing but what was ingested and run is left after a rewind to the first day."""
    assert len(rewind(done, FIRST)) == DAYS
    published = dump(done)
    assert published.pop("ingests").height == DAYS
    assert all(frame.height == 0 for frame in published.values())
    assert rewind(done, FIRST) == []


def test_a_second_backfill_does_nothing(done: Context) -> None:
    """Where all days are done nothing is run and the publication is left alone."""
    before = (done.home.lineage.stat().st_mtime_ns, done.home.lineage.read_bytes())
    plan = backfill(done, FIRST, LAST)
    assert (plan.todo, len(plan.done)) == ((), DAYS)
    assert (done.home.lineage.stat().st_mtime_ns, done.home.lineage.read_bytes()) == before


def test_two_processes_prepare_what_one_does(
    telescope: "Telescope", ingested: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `jobs=2` the days are prepared in two processes and the same is published."""
    # A home this small is not worth a second process.
    monkeypatch.setattr(import_module("dante.pipeline.backfill"), "_WORTH", 2)
    context = ingested("jobs")
    shutil.rmtree(context.home.root / "lake" / "profiles")
    backfill(context, FIRST, day(4), jobs=2)
    published = dump(context)
    for view in ("memberships", "lineage", "track_days", "threats", "daily", "quality"):
        whole = telescope.published[view].filter(pl.col("day") <= day(4))
        assert published[view].equals(whole), view


def test_late_packets_end_as_if_they_had_been_there(telescope: "Telescope", tmp_path: Path) -> None:
    """A second source for a past day makes it and all later days stale, and the end is the same."""
    whole = pl.read_parquet(telescope.files[3])
    early, late = tmp_path / "early.parquet", tmp_path / "late.parquet"
    whole.filter(pl.col("src") % 3 > 0).write_parquet(early)
    whole.filter(pl.col("src") % 3 == 0).write_parquet(late)
    others = [*telescope.files[:3], early, *telescope.files[4:6]]
    context = fill(tmp_path / "late", others)
    backfill(context, FIRST, day(6))
    context = fill(tmp_path / "late", [late])
    plan = plan_backfill(context, FIRST, day(6))
    assert plan.todo == tuple(day(n) for n in range(4, 7))
    assert plan.done == tuple(day(n) for n in range(1, 4))
    backfill(context, FIRST, day(6))

    punctual = fill(tmp_path / "punctual", [*others, late])
    backfill(punctual, FIRST, day(6))
    assert_same(dump(context), dump(punctual))


def test_a_day_that_comes_late_is_put_in_its_place(telescope: "Telescope", tmp_path: Path) -> None:
    """A whole day missed at first ends as if it had never been missing."""
    context = fill(tmp_path / "h", [*telescope.files[:3], *telescope.files[4:6]])
    backfill(context, FIRST, day(6))
    assert plan_backfill(context, FIRST, day(6)).missing == (day(4),)
    context = fill(tmp_path / "h", [telescope.files[3]])
    backfill(context, FIRST, day(6))
    expected = {
        view: frame.filter(pl.col("day") <= day(6)) if "day" in frame.columns else None
        for view, frame in telescope.published.items()
    }
    for view, frame in dump(context).items():
        if expected[view] is not None:
            assert frame.equals(expected[view]), view


def test_a_source_taken_out_takes_its_day_with_it(
    telescope: "Telescope", done: Context, tmp_path: Path
) -> None:
    """Without the only source of a day the day is gone, and the rest is as if it never was."""
    gone = next(manifest for manifest in done.manifests if day(4) in manifest.rows)
    done.home.manifest(gone.digest).unlink()
    context = open_context(done.home.root)
    assert plan_backfill(context, FIRST, day(6)).gone == (day(4),)
    backfill(context, FIRST, day(6))
    rewind(context, day(7))
    without = fill(tmp_path / "w", [*telescope.files[:3], *telescope.files[4:]])
    backfill(without, FIRST, day(6))
    assert_same(dump(context), dump(without))


def test_a_file_over_midnight_is_in_both_days(telescope: "Telescope", tmp_path: Path) -> None:
    """One file of several days gives each day its packets, and the same days in the end."""
    joined = pl.concat([pl.read_parquet(file) for file in telescope.files[:3]])
    path = tmp_path / "all.parquet"
    joined.sort("ts", maintain_order=True).write_parquet(path)
    context = fill(tmp_path / "h", [path])
    assert context.days == [day(1), day(2), day(3)]
    backfill(context, FIRST, day(3))
    published = dump(context)
    for view in ("memberships", "lineage", "track_days", "threats", "quality"):
        whole = telescope.published[view].filter(pl.col("day") <= day(3))
        assert published[view].equals(whole), view


def test_changed_settings_make_days_stale_and_unchanged_ones_do_not(
    telescope: "Telescope", done: Context
) -> None:
    """A setting that changes results makes all days stale; put back, all are done again."""
    file = done.home.root / "dante.toml"
    old = file.read_text()
    file.write_text(old + "[cluster]\nmin_senders = 6\n")
    changed = open_context(done.home.root)
    assert len(plan_backfill(changed, FIRST, LAST).todo) == DAYS
    file.write_text(old + '[[sources]]\npath = "incoming"\n')
    assert plan_backfill(open_context(done.home.root), FIRST, LAST).todo == ()
    file.write_text(old + "[cluster]\nmin_senders = 5\n")
    assert plan_backfill(open_context(done.home.root), FIRST, LAST).todo == ()


def test_a_changed_setting_is_applied_by_the_next_backfill(ingested: Make, done: Context) -> None:
    """After a backfill with other settings the result is that of a home that always had them."""
    for root in (done.home.root, ingested("fresh").home.root):
        with (root / "dante.toml").open("a") as file:
            file.write("[track]\nsleep_after = 1\n")
    redone, fresh = open_context(done.home.root), open_context(done.home.root.parent / "fresh")
    backfill(redone, FIRST, day(4))
    backfill(fresh, FIRST, day(4))
    views = ("memberships", "lineage", "track_days", "threats")
    for view in views:
        mine = dump(redone)[view].filter(pl.col("day") <= day(4))
        assert mine.equals(dump(fresh)[view]), view
    assert plan_backfill(redone, FIRST, LAST).todo == tuple(day(n) for n in range(5, DAYS + 1))


def test_a_changed_list_of_benign_networks_makes_days_stale(done: Context) -> None:
    """Threats come from the lists too, so days done with an older list are stale."""
    root = done.home.root
    (root / "benign.txt").write_text("192.0.2.0/24\n")
    with (root / "dante.toml").open("a") as file:
        file.write('[threat]\nbenign = ["benign.txt"]\n')
    backfill(open_context(root), FIRST, day(2))
    (root / "benign.txt").write_text("0.0.0.0/0\n")
    assert plan_backfill(open_context(root), FIRST, day(2)).todo


def test_a_span_the_wrong_way_round_is_refused(done: Context) -> None:
    """The last day before the first is a wrong request."""
    with pytest.raises(UsageError, match="swap"):
        backfill(done, LAST, FIRST)


def test_a_span_in_the_middle_does_the_stale_days_before_it(
    telescope: "Telescope", done: Context
) -> None:
    """Asked for late days only, a backfill first redoes stale days they are made from."""
    ingest_files(done, [(telescope.files[0], Reading(sensor="other"))])
    context = open_context(done.home.root)
    plan = plan_backfill(context, day(6), day(7))
    assert plan.todo == tuple(day(n) for n in range(1, 8))
    assert plan.missing == ()


def test_days_before_the_span_that_were_never_run_stay_out(ingested: Make) -> None:
    """A backfill of some days runs no earlier day that nobody asked for."""
    context = ingested("part")
    assert backfill(context, day(4), day(5)).todo == (day(4), day(5))
    assert dump(context)["daily"]["day"].to_list() == [day(4), day(5)]
