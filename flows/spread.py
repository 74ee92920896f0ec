"""What a Dask cluster does of many days: reading files, checking days, making their profiles."""

from datetime import date

from prefect import flow

from tasks.prepare import prepare
from tasks.sources import ingest, ingest_part
from tasks.spread import parts

__all__ = ["ingest_spread", "prepare_spread"]


@flow(name="prepare")
def prepare_spread(home: str, days: list[date], workers: int) -> list[date]:
    """Prepare days as tasks of this flow's runner; the days that went well, in order."""
    futures = [prepare.submit(home, part) for part in parts(days, workers)]
    return sorted(day for future in futures for day in future.result())


@flow(name="ingest")
def ingest_spread(home: str, files: list[str], workers: int) -> int:
    """Ingest declared files as tasks of this flow's runner; how many there were."""
    for future in [ingest_part.submit(home, part) for part in parts(files, workers)]:
        future.result()
    # What is in the lake now is only noted, and what was outgrown taken out.
    return ingest(home)
