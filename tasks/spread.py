"""Work spread over a Dask cluster, where the settings ask for it."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from dante.config import ComputeSettings
from dante.errors import ConfigError

__all__ = ["dask", "parts"]

_T = TypeVar("_T")
# A task costs a start and a look at the home; a lost worker costs what its task has done.
_MOST = 15


def dask(compute: ComputeSettings, workers: int) -> Any:
    """The task runner of a flow whose tasks go to Dask: to the cluster named, or one of our own.

    Raises:
        ConfigError: the package for it is not installed.
    """
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError:
        raise ConfigError(
            'compute.spread is "dask", but prefect-dask is not installed; install dante[dask]'
        ) from None
    if compute.dask_address:
        return DaskTaskRunner(address=compute.dask_address)
    own = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "host": "127.0.0.1",
        "dashboard_address": None,
    }
    return DaskTaskRunner(cluster_kwargs=own)


def parts(items: Sequence[_T], workers: int) -> Iterator[list[_T]]:
    """The items in order, in pieces for so many workers: small enough that none waits for long."""
    size = max(1, min(_MOST, len(items) // (4 * workers)))
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
