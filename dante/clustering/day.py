"""A day's clusters: which senders are one activity, and what it does."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl

from dante.clustering.weighted import weighted_hdbscan
from dante.config import ClusterSettings
from dante.embedding.model import PortModel
from dante.embedding.profiles import day_profiles, embed_profiles

__all__ = ["CLUSTERED", "DayClusters", "cluster_day"]

CLUSTERED: Final[dict[str, pl.DataType]] = {
    "src": pl.UInt64(),
    "cluster_id": pl.Int32(),
    "packets": pl.Int64(),
    "strength": pl.Float64(),
}


@dataclass(frozen=True)
class DayClusters:
    """The senders of a day and their clusters.

    Attributes:
        members: frame of `CLUSTERED`, every sender of the day, sorted by src; `cluster_id` is
            null for noise, and counts from 0 in order of falling size.
        profiles: how many distinct profiles were clustered.
    """

    members: pl.DataFrame
    profiles: int


def cluster_day(senders: pl.DataFrame, model: PortModel, settings: ClusterSettings) -> DayClusters:
    """Cluster a day's senders.

    Args:
        senders: frame of `dante.sequences.SENDERS`.
        model: the model the day is judged with.
        settings: what makes a cluster.
    """
    profiles = day_profiles(senders, min_senders=settings.min_senders)
    if len(profiles.senders):
        points = embed_profiles(profiles, model, everyday_share=settings.everyday_share)
    else:
        points = np.empty((0, model.card.dimensions))
    labels, strengths = weighted_hdbscan(
        points, profiles.senders, min_senders=settings.min_senders, radius=settings.radius
    )
    found = pl.DataFrame(
        {
            "src": profiles.src,
            "label": labels[profiles.profile],
            "strength": strengths[profiles.profile],
        },
        schema={"src": pl.UInt64, "label": pl.Int64, "strength": pl.Float64},
    ).filter(pl.col("label") >= 0)
    order = (
        found.group_by("label")
        .agg(n=pl.len(), first=pl.col("src").min())
        .sort("n", "first", descending=[True, False])
        .with_row_index("cluster_id")
        .select("label", pl.col("cluster_id").cast(pl.Int32))
    )
    members = (
        senders.select("src", pl.col("packets").cast(pl.Int64))
        .join(found.join(order, on="label"), on="src", how="left")
        .with_columns(pl.col("strength").fill_null(0.0).round(6))
        .sort("src")
    )
    return DayClusters(
        members.select(pl.col(name).cast(dtype) for name, dtype in CLUSTERED.items()),
        len(profiles.senders),
    )
