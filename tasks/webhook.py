"""Telling the webhook of threats; whether it answers changes nothing about the run."""

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from dante.errors import UnreachableError
from dante.pipeline.context import open_context
from dante.pipeline.webhook import tell_threats
from tasks.policy import RETRY

__all__ = ["tell"]


@task(task_run_name="tell the webhook", cache_policy=NO_CACHE, **RETRY)
def tell(home: str) -> int:
    """Post recent threats that were not told yet; how many were."""
    try:
        return tell_threats(open_context(home))
    except UnreachableError as error:
        # Tried often enough; the next run tries again, and this one has done its work.
        get_run_logger().warning("%s", error)
        return 0
