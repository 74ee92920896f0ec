"""Taking in what has arrived."""

import time
from datetime import date

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from dante.pipeline.arrival import seconds_to_wait
from dante.pipeline.context import open_context
from dante.pipeline.declared import ingest_declared
from tasks.policy import RETRY

__all__ = ["ingest", "ingest_part", "wait_for"]


@task(task_run_name="ingest", cache_policy=NO_CACHE, **RETRY)
def ingest(home: str, jobs: int = 1) -> int:
    """Ingest what is new in the declared sources; how many files were."""
    results = ingest_declared(open_context(home), jobs=jobs)
    return sum(not result.already for result in results)


@task(task_run_name="ingest some", cache_policy=NO_CACHE, **RETRY)
def ingest_part(home: str, files: list[str]) -> int:
    """Ingest some files of the declared sources; how many were not in the lake yet."""
    results = ingest_declared(open_context(home), only=frozenset(files))
    return sum(not result.already for result in results)


@task(task_run_name="wait for {day}", cache_policy=NO_CACHE, **RETRY)
def wait_for(home: str, day: date) -> bool:
    """Wait a while if sources are late with a day; whether there is reason to look again."""
    seconds = seconds_to_wait(open_context(home), day)
    if seconds:
        get_run_logger().info("%s: late sources, looking again in %.0f s", day, seconds)
        time.sleep(seconds)
    return seconds > 0
