"""The stages of a day as tasks. Results are kept by the stages' own files, not by Prefect."""

from datetime import date

from prefect import task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE

from dante.errors import ContractBrokenError
from dante.pipeline import stages
from dante.pipeline.context import open_context
from dante.store.state import RunRecord
from tasks.events import contract_broken, day_committed, threat_found
from tasks.policy import RETRY

__all__ = ["check", "cluster", "model", "publish", "sequences", "track"]


@task(task_run_name="check {day}", cache_policy=NO_CACHE, **RETRY)
def check(home: str, day: date) -> int:
    """Judge the day against its contract; the results are also a table artifact."""
    context = open_context(home)
    try:
        stages.check(context, day)
    except ContractBrokenError as error:
        _show_quality(home, day)
        contract_broken(day, str(error))
        raise
    return _show_quality(home, day)


def _show_quality(home: str, day: date) -> int:
    rows = stages.quality_rows(open_context(home), day)
    assert rows is not None, "the check leaves its results"
    create_table_artifact(
        key=f"quality-{day}",
        table=rows.drop("day").to_dicts(),
        description=f"What the contract's checks found on {day}",
    )
    return int((~rows["passed"]).sum())


@task(task_run_name="sequences {day}", cache_policy=NO_CACHE, **RETRY)
def sequences(home: str, day: date) -> int:
    """Make the day's profiles; how many senders."""
    return stages.sequences(open_context(home), day)


@task(task_run_name="model {day}", cache_policy=NO_CACHE, **RETRY)
def model(home: str, day: date) -> str:
    """See to the day's model; its id."""
    return stages.model(open_context(home), day)


@task(task_run_name="cluster {day}", cache_policy=NO_CACHE, **RETRY)
def cluster(home: str, day: date) -> int:
    """Cluster the day's senders; how many clusters."""
    return stages.cluster(open_context(home), day)


@task(task_run_name="track {day}", cache_policy=NO_CACHE, **RETRY)
def track(home: str, day: date, run: RunRecord) -> int:
    """Follow the tracks through the day and commit it, in a flow that holds the writer's slot."""
    record = stages.track(open_context(home), day, run)
    (counts,) = record.tables["daily"].to_dicts()
    day_committed(day, counts)
    found = record.tables["threats"].sort("score", descending=True)
    for threat in found.iter_rows(named=True):
        threat_found(day, threat)
    if found.height:
        lines = [
            f"- **{row['score']:.2f}** track {row['track_id']} ({row['kind']}): {row['reasons']}"
            for row in found.iter_rows(named=True)
        ]
        create_markdown_artifact(key=f"threats-{day}", markdown="\n".join(lines))
    return found.height


@task(task_run_name="publish", cache_policy=NO_CACHE, **RETRY)
def publish(home: str) -> None:
    """Publish the state for people to query, in a flow that holds the writer's slot."""
    stages.publish_lineage(open_context(home), date.min)
