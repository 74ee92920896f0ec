"""Vectors of a span's senders, for researchers."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from dante.errors import NotEnoughDataError, UsageError
from dante.pipeline.context import Context
from dante.pipeline.stages import day_senders, model, reading
from dante.schema import address_text
from dante.store.lake import scan_day

if TYPE_CHECKING:
    from dante.embedding import PortModel

__all__ = ["span_vectors"]


def span_vectors(context: Context, first: date, last: date) -> pl.DataFrame:
    """The senders of a span, and each as one vector of all it shows of itself.

    Returns:
        src String, packets UInt64, vector List(Float32) of unit length; in order of addresses.

    Raises:
        UsageError: the span ends before it begins.
        NotEnoughDataError: no day of it has packets, or no packet of it has intent.
    """
    from dante.embedding import sender_vectors

    if last < first:
        raise UsageError(f"{last} is before {first}; name the first day first")
    days = [day for day in context.days if first <= day <= last]
    if not days:
        raise NotEnoughDataError(
            f"there are no packets from {first} to {last} in {context.home.root}; ingest some"
        )
    ports = _ports(context, days, last)
    with reading(f"{first} to {last}"):
        packets = pl.concat([scan_day(context.home, context.manifests, day) for day in days])
        found = sender_vectors(
            packets, ports, everyday_share=context.settings.cluster.everyday_share
        )
    if not len(found.src):
        raise NotEnoughDataError(f"nobody but victims' replies was seen from {first} to {last}")
    kind = pl.Array(pl.Float32, found.vectors.shape[1])
    return pl.DataFrame(
        {"src": address_text(pl.Series(found.src)), "packets": found.packets}
    ).with_columns(vector=pl.Series(found.vectors, dtype=kind).cast(pl.List(pl.Float32)))


def _ports(context: Context, days: list[date], last: date) -> "PortModel":
    """A model of the span's own days, which knows all its ports; of a span longer than a model
    learns from, the one that would judge the day after it.
    """
    from dante.embedding import load_model, train_model

    settings = context.settings.model
    if len(days) > settings.train_window:
        return load_model(context.home.models / model(context, last + timedelta(days=1)))
    senders = ((day, day_senders(context, day)) for day in days)
    return train_model(
        senders, settings, model_id=f"{days[0]}-{days[-1]}", inputs=context.window_digest(days)
    )
