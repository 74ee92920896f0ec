"""What is removed by age: packets and refused rows of old days, and what killed runs left behind.

Lineage survives: a day whose packets were removed stays as it was committed, its profiles stay
for models to come, and its counts stay in the manifests. It cannot be run again.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from dante.errors import ConfigError
from dante.pipeline.backfill import day_states
from dante.pipeline.context import Context
from dante.store.home import Home
from dante.store.manifests import Manifest, read_manifest

__all__ = ["Pruned", "prune"]

# Seconds after which what a run would have taken away itself is nobody's any more.
_LEFT_BEHIND: Final = 2 * 86_400


@dataclass(frozen=True)
class Pruned:
    """What was removed.

    Attributes:
        packets, quarantine: files of packets and of refused rows.
        left: files and folders that killed runs had left behind.
        days: days whose packets were removed.
    """

    packets: int
    quarantine: int
    left: int
    days: tuple[date, ...]


def prune(context: Context) -> Pruned:
    """Remove packets and refused rows older than the settings keep them, and what was left behind.

    A day's age is counted from the newest day that is done, so that a clock that is wrong removes
    nothing. Packets of days that are not done, and of the days after them, stay.

    Raises:
        ConfigError: packets would be removed that the next model learns from.
        BusyError: a run is at work on this home.
    """
    keep = context.settings.retention
    least = context.settings.model.train_window
    if 0 < keep.packets_days < least:
        raise ConfigError(
            f"retention.packets_days is {keep.packets_days}, but a model learns from "
            f"{least} days (model.train_window); keep packets at least that long"
        )
    home = context.home
    if not home.root.is_dir():
        return Pruned(0, 0, 0, ())
    with home.lock("pipeline", wait=60):
        states = day_states(context)
        done = [day for day, state in states.items() if state == "done"]
        if not done:
            return Pruned(0, 0, 0, ())
        newest = done[-1]
        # A day that is to be done again needs its packets, and those after it will too.
        redo = [d for d, state in states.items() if state in ("stale", "waiting") and d > done[0]]
        sound = {day for day in done if day < min(redo, default=date.max)}
        packets = refused = 0
        days: set[date] = set()
        for was in context.manifests:
            now = _prune_packets(home, was, sound, _limit(newest, keep.packets_days))
            now = _prune_refused(home, now, _limit(newest, keep.quarantine_days))
            days |= now.pruned - was.pruned
            packets += len(now.pruned - was.pruned)
            refused += len(now.dropped - was.dropped)
        left = sum(1 for path in _left_behind(home) if _removed(path))
    return Pruned(packets, refused, left, tuple(sorted(days)))


def _limit(newest: date, days: int) -> date:
    """The first day that is kept."""
    return newest - timedelta(days=days - 1) if days else date.min


def _prune_packets(home: Home, manifest: Manifest, sound: set[date], kept_from: date) -> Manifest:
    old = sorted(day for day in (sound & manifest.days) - manifest.pruned if day < kept_from)
    if not old:
        return manifest
    # Said first: a crash in between leaves files nobody needs, not days nobody can read.
    changed = replace(manifest, pruned=manifest.pruned | frozenset(old))
    changed.save(home)
    for day in old:
        home.packets(day, manifest.digest).unlink(missing_ok=True)
    return changed


def _prune_refused(home: Home, manifest: Manifest, kept_from: date) -> Manifest:
    # Rows whose day could not be read are as old as the newest of their source.
    newest = max(manifest.rows, default=date.min)
    old = {
        day
        for day in manifest.quarantined
        if (newest if day is None else day) < kept_from and day not in manifest.dropped
    }
    if not old:
        return manifest
    changed = replace(manifest, dropped=manifest.dropped | old)
    changed.save(home)
    for day in old:
        home.quarantine(day, manifest.digest).unlink(missing_ok=True)
    return changed


def _left_behind(home: Home) -> Iterator[Path]:
    """Old files of this machine that belong to no run: spills, copies, files of no source."""
    before = time.time() - _LEFT_BEHIND
    spilt = [*home.work.glob("spool-*"), *home.work.glob("ingest-*"), *home.work.glob("up-*")]
    lake = home.root / "lake"
    halves = [*lake.rglob(".*.part"), *home.models.glob(".*.part"), *home.root.glob(".*.part*")]
    orphans: list[Path] = []
    if not home.lake:
        files = [*lake.glob("packets/day=*/*.parquet"), *lake.glob("quarantine/day=*/*.parquet")]
        orphans = [path for path in files if read_manifest(home, path.stem) is None]
    for path in [*spilt, *halves, *orphans]:
        if path.lstat().st_mtime < before:
            yield path


def _removed(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return not path.exists()
