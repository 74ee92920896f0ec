"""Checking days and making their profiles, many at once."""

from datetime import date

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.runtime import task_run

from dante.pipeline import progress
from dante.pipeline.backfill import prepare_days
from dante.pipeline.context import open_context
from tasks.policy import RETRY

__all__ = ["prepare"]


def _run_name() -> str:
    days = task_run.parameters["days"]
    return f"prepare {days[0]} to {days[-1]}"


@task(task_run_name=_run_name, cache_policy=NO_CACHE, **RETRY)
def prepare(home: str, days: list[date], jobs: int = 1) -> list[date]:
    """Prepare days in parallel processes; the days that went well, in order."""
    # Through its module: on its way to a Dask worker the task takes along what it names itself.
    notify = progress.LISTENER.get()
    ready = prepare_days(open_context(home), tuple(days), jobs=jobs, notify=notify)
    return sorted(ready)
