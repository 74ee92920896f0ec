"""The stages of a day, as plain functions of (context, day).

Each stage leaves a file that the next one reads, so that any of them may run in another process
or be run again; only `track` touches the state, in one transaction.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from dante.contracts import (
    CheckResult,
    broken,
    history,
    judge_day,
    profile_packets,
)
from dante.errors import ContractBrokenError, DanteError
from dante.labels.analyst import read_analyst
from dante.labels.book import open_book
from dante.labels.tracks import label_tracks
from dante.pipeline.arrival import arrival_check
from dante.pipeline.context import Context
from dante.pipeline.schedule import Training, model_for, training_days
from dante.sequences import (
    PROFILES_VERSION,
    DaySequences,
    day_sequences,
    read_inputs,
    read_rows,
    read_sequences,
    write_sequences,
)
from dante.store.home import write_whole
from dante.store.lake import scan_day
from dante.store.manifests import ingests
from dante.store.publish import publish
from dante.store.state import DayRecord, RunRecord, open_state

if TYPE_CHECKING:
    from dante.embedding import PortModel
    from dante.tracking import DayTracks, Earlier, Floods

# What learns, clusters and tracks is loaded by the stage that needs it: to read a file, no
# science is needed, and it takes longer to load than a small file to read.

__all__ = [
    "PREPARE",
    "QUALITY",
    "STAGES",
    "check",
    "cluster",
    "day_senders",
    "model",
    "plan_training",
    "publish_lineage",
    "quality_rows",
    "reading",
    "sequences",
    "track",
]

QUALITY: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "contract": pl.String(),
    "check": pl.String(),
    "passed": pl.Boolean(),
    "observed": pl.String(),
    "severity": pl.String(),
}


def check(context: Context, day: date) -> list[CheckResult]:
    """Judge a day against its contract and leave the results for the commit.

    Raises:
        NotEnoughDataError: the day has no packets.
        ContractBrokenError: a check of severity error failed.
    """
    context.require(day)
    contract = context.contract
    with reading(day):
        profile = profile_packets(scan_day(context.home, context.manifests, day), day)
    past = history(context.sensor_hours, day, contract.history_days)
    results = judge_day(contract, profile, past)
    arrived = arrival_check(context, day)
    if arrived is not None:
        results.append(arrived)
    found = {
        "judged": context.judged(day),
        "results": [asdict(result) for result in results],
    }
    with write_whole(context.home.quality(day)) as path:
        path.write_text(json.dumps(found, indent=1), encoding="utf-8")
    failed = broken(results)
    if failed:
        reasons = "; ".join(f"{result.check}: {result.observed}" for result in failed)
        raise ContractBrokenError(
            f"{day} breaks its contract {contract.label} ({reasons}); ingest the missing data "
            "or correct the source"
        )
    return results


@contextmanager
def reading(day: date | str) -> Iterator[None]:
    """Say of a damaged packet file what it is and what to do."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0][:200]
        raise DanteError(
            f"the packets of {day} in the lake cannot be read ({reason}); ingest their sources "
            "again with --again"
        ) from None


def quality_rows(context: Context, day: date) -> pl.DataFrame | None:
    """The results `check` left for a day as rows of `quality`, or None if it left none."""
    found = _quality(context, day)
    if found is None:
        return None
    return pl.DataFrame([{"day": day, **result} for result in found["results"]], schema=QUALITY)


def _quality(context: Context, day: date) -> dict[str, Any] | None:
    path = context.home.quality(day)
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def sequences(context: Context, day: date) -> int:
    """Turn a day's packets into its profiles file; how many senders it has.

    Raises:
        NotEnoughDataError: the day has no packets.
    """
    context.require(day)
    with reading(day):
        made = day_sequences(
            scan_day(context.home, context.manifests, day),
            sentence_words=context.settings.model.sentence_words,
        )
    write_sequences(made, context.home.profiles(day), inputs=_profile_inputs(context, day))
    return made.senders.height


def _profile_inputs(context: Context, day: date) -> str:
    settings = context.settings.model
    return f"{context.inputs(day)}-{settings.sentence_words}-{PROFILES_VERSION}"


def _profiles(context: Context, day: date) -> Path:
    """A day's profiles file, made (again) if it is not of what the lake has now."""
    path = context.home.profiles(day)
    if not path.is_file() or read_inputs(path) != _profile_inputs(context, day):
        sequences(context, day)
    return path


def _read_profiles(context: Context, day: date) -> DaySequences:
    return read_sequences(_profiles(context, day))[0]


def day_senders(context: Context, day: date) -> pl.DataFrame:
    """A day's frame of `dante.sequences.SENDERS`, made if it is not of what the lake has now.

    Raises:
        NotEnoughDataError: the day has no packets.
    """
    return _read_profiles(context, day).senders


def plan_training(context: Context, day: date) -> Training:
    """The model a day is to be judged with, whether it is there or not.

    Raises:
        NotEnoughDataError: there is nothing to learn from.
    """
    settings = context.settings.model
    window = training_days(context.days, day, settings)
    return model_for(window, context.window_digest(window), settings)


def model(context: Context, day: date) -> str:
    """See to it that the model a day is judged with is there; its id.

    Raises:
        NotEnoughDataError: there is nothing to learn from.
    """
    from dante.embedding import save_model, train_model

    plan = plan_training(context, day)
    folder = context.home.models / plan.model_id
    if not folder.is_dir():
        trained = train_model(
            ((past, senders) for past, senders in _windowed(context, plan)),
            context.settings.model,
            model_id=plan.model_id,
            inputs=context.window_digest(plan.days),
        )
        save_model(trained, folder)
    return plan.model_id


def _windowed(context: Context, plan: Training) -> Iterator[tuple[date, pl.DataFrame]]:
    for day in plan.days:
        yield day, _read_profiles(context, day).senders


def _model_of(context: Context, day: date) -> "PortModel":
    from dante.embedding import load_model

    return load_model(context.home.models / plan_training(context, day).model_id)


def cluster(context: Context, day: date) -> int:
    """Cluster a day's senders and leave them for tracking; how many clusters there are."""
    from dante.clustering import cluster_day

    found = cluster_day(
        _read_profiles(context, day).senders, _model_of(context, day), context.settings.cluster
    )
    with write_whole(context.home.clusters(day)) as path:
        found.members.write_parquet(
            path, compression="zstd", metadata={"inputs": _cluster_inputs(context, day)}
        )
    return int(found.members["cluster_id"].n_unique() - found.members["cluster_id"].has_nulls())


def _cluster_inputs(context: Context, day: date) -> str:
    model_id = plan_training(context, day).model_id
    return f"{_profile_inputs(context, day)}-{model_id}-{context.settings.fingerprint()}"


def _clusters(context: Context, day: date) -> pl.DataFrame:
    """A day's clusters, of all the lake has of it.

    Each stage of a flow may run in a process of its own, and packets may come between two of them:
    then the day is judged and clustered again, so that what is committed is of one piece.
    """
    path = context.home.clusters(day)
    if not path.is_file():
        raise DanteError(f"{day} is not clustered yet; run the whole day with `dante run {day}`")
    judged = _quality(context, day)
    if judged is not None and judged["judged"] != context.judged(day):
        check(context, day)
    if pl.read_parquet_metadata(path).get("inputs") != _cluster_inputs(context, day):
        model(context, day)
        cluster(context, day)
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


def track(context: Context, day: date, run: RunRecord | None = None) -> DayRecord:
    """Follow the tracks through a day and commit all of it, in one transaction.

    Raises:
        BusyError: another process holds the state.
        ContractBrokenError: packets that came since the day was judged break its contract.
        DanteError: the day was not clustered before.
    """
    from dante.tracking import find_floods, load_memory, load_volumes, track_day

    members = _clusters(context, day)
    made = _read_profiles(context, day)
    ports = _model_of(context, day)
    settings = context.settings
    benign = context.benign(day)
    with open_state(context.home, wait=_WAIT) as state:
        memory = load_memory(state, day, window=settings.track.window)
        found = track_day(
            day, made.senders, members, ports, memory, settings, benign, _earlier(context, day)
        )
        floods = find_floods(
            day, made.senders, load_volumes(state, day), settings=settings.threat, benign=benign
        )
        before = state.fingerprint_before(day)
        record = _record(context, day, made, ports, found, floods, before)
        state.commit_day(record, run)
    return record


def _earlier(context: Context, day: date) -> "Earlier":
    """What senders did on the days before that the lake still has."""
    from dante.tracking import EARLIER, WINDOW

    before = [past for past in context.days if 0 < (day - past).days < WINDOW]

    def read(src: pl.Series) -> pl.DataFrame:
        found = [pl.DataFrame(schema=EARLIER)]
        for past in before:
            rows = read_rows(_profiles(context, past), src)
            found.append(rows.with_columns(day=pl.lit(past)).select(EARLIER.keys()))
        return pl.concat(found)

    return read


# A commit waits this many seconds for a publication or another short holder of the state.
_WAIT = 60.0


def _record(
    context: Context,
    day: date,
    made: DaySequences,
    ports: "PortModel",
    found: "DayTracks",
    floods: "Floods",
    before: str | None,
) -> DayRecord:
    quality = quality_rows(context, day)
    card = ports.card
    members = found.memberships
    daily = {
        "day": day,
        "packets": made.packets,
        "backscatter_packets": made.backscatter_packets,
        "senders": members.height,
        "clusters": members["cluster_id"].drop_nulls().n_unique(),
        "noise_senders": members["track_id"].null_count(),
        "tracks_active": found.track_days.height,
        "births": int((found.lineage["event"] == "birth").sum()),
        "model_id": card.model_id,
    }
    return DayRecord(
        day=day,
        fingerprint=context.fingerprint(day, before),
        tables=MappingProxyType(
            {
                "pipeline.track_states": found.states,
                "memberships": members,
                "lineage": found.lineage,
                "decisions": found.decisions,
                "track_days": found.track_days,
                "threats": found.threats,
                "threats_held": found.held,
                "floods": floods.floods,
                "pipeline.port_days": floods.port_days,
                "pipeline.volumes": floods.volumes,
                "daily": pl.DataFrame([daily], schema_overrides={"day": pl.Date}),
                "quality": quality if quality is not None else pl.DataFrame(schema=QUALITY),
            }
        ),
        models=pl.DataFrame(
            [
                {
                    "model_id": card.model_id,
                    "trained_on": card.window_end,
                    "window_start": card.window_start,
                    "window_end": card.window_end,
                    "words": card.words,
                    "dimensions": card.dimensions,
                }
            ]
        ),
        ingests=ingests(context.manifests),
    )


def publish_lineage(context: Context, day: date) -> None:
    """Publish the state as it is now; the day is only for the stages' common shape."""
    # Labels as they are now: some may have come since the context was opened.
    book, analyst = open_book(context.home.labels), read_analyst(context.home)
    publish(context.home, wait=_WAIT, finish=lambda con: label_tracks(con, book, analyst))


Stage = Callable[[Context, date], object]

PREPARE: Final[tuple[tuple[str, Stage], ...]] = (("check", check), ("sequences", sequences))
"""Stages that need nothing of the days before but what was ingested: days may go in parallel."""

STAGES: Final[tuple[tuple[str, Stage], ...]] = (
    *PREPARE,
    ("model", model),
    ("cluster", cluster),
    ("track", track),
    ("publish", publish_lineage),
)
"""All stages of a day after ingest, in order."""
