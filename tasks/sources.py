"""Taking in what has arrived."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from dante.pipeline import ingest_declared, open_context
from tasks.policy import RETRY

__all__ = ["ingest"]


@task(task_run_name="ingest", cache_policy=NO_CACHE, **RETRY)
def ingest(home: str, jobs: int = 1) -> int:
    """Ingest what is new in the declared sources; how many files were."""
    results = ingest_declared(open_context(home), jobs=jobs)
    return sum(not result.already for result in results)
