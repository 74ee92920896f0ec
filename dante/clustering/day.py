"""A day's clusters: which senders are one activity.

Density of ports and headers finds them, and what else senders show puts right what density cannot
see: who lies at the edge, which pieces are one, and which one is two.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.clustering.chance import fewest_senders, misconfigured
from dante.clustering.evidence import Evidence, evidence_of
from dante.clustering.fragments import join_fragments
from dante.clustering.likelihood import SEVERAL
from dante.clustering.refine import add_clusters, refine
from dante.clustering.rivals import split_rivals
from dante.clustering.weighted import bounded_hdbscan
from dante.config import ClusterSettings
from dante.embedding.model import PortModel
from dante.embedding.profiles import day_profiles, embed_profiles

__all__ = ["CLUSTERED", "DayClusters", "cluster_day", "density_labels"]

CLUSTERED: Final[dict[str, pl.DataType]] = {
    "src": pl.UInt64(),
    "cluster_id": pl.Int32(),
    "packets": pl.Int64(),
    "astray": pl.Boolean(),
}

# How many times more senders than a cluster needs must keep company: that of a few is chance.
_MANY: Final = 4


@dataclass(frozen=True)
class DayClusters:
    """The senders of a day and their clusters.

    Attributes:
        members: frame of `CLUSTERED`, every sender of the day, sorted by src; `cluster_id` is
            null for noise, and counts from 0 in order of falling size; `astray` are those that
            call a wrong address and so are of no activity.
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
    least = settings.min_senders
    senders = senders.sort("src")
    astray = pl.col("src").is_in(misconfigured(senders, least).implode())
    marked = senders.select("src", pl.col("packets").cast(pl.Int64), astray=astray)
    chosen = senders.filter(~astray)
    labels, profiles = density_labels(chosen, model, settings)
    if chosen.height:
        evidence = evidence_of(chosen)
        labels = refine(evidence, labels, min_senders=least)
        labels = _with_new_company(chosen, evidence, labels, model, settings)
        labels = join_fragments(
            evidence, labels, model, everyday_share=settings.everyday_share, surely=settings.join
        )
        labels = split_rivals(evidence, labels, min_senders=least)
    found = pl.DataFrame({"src": chosen["src"], "label": labels}).filter(pl.col("label") >= 0)
    order = (
        found.group_by("label")
        .agg(n=pl.len(), first=pl.col("src").min())
        .sort("n", "first", descending=[True, False])
        .with_row_index("cluster_id")
        .select("label", pl.col("cluster_id").cast(pl.Int32))
    )
    members = marked.join(found.join(order, on="label"), on="src", how="left").sort("src")
    return DayClusters(
        members.select(pl.col(name).cast(dtype) for name, dtype in CLUSTERED.items()), profiles
    )


def _with_new_company(
    senders: pl.DataFrame,
    evidence: Evidence,
    labels: NDArray[np.int64],
    model: PortModel,
    settings: ClusterSettings,
) -> NDArray[np.int64]:
    """Labels with what density finds among the noise when it knows of no day but this one.

    Where each sender of a campaign tries a few of many ports that have kept other company so far,
    hardly two are alike and the model puts them far apart, until one has seen the campaign. They
    lie together once the company that the noise's ports keep today is all that is known of them.
    """
    left = np.flatnonzero((labels < 0) & (evidence.breadth >= SEVERAL))
    if not len(left):
        return labels
    unlearnt = replace(model, vectors=np.zeros_like(model.vectors))
    many = settings.model_copy(update={"min_senders": _MANY * settings.min_senders})
    more = np.full(len(labels), -1, dtype=np.int64)
    more[left], _ = density_labels(senders[left], unlearnt, many)
    return add_clusters(
        evidence, labels, more, least=many.min_senders, min_senders=settings.min_senders
    )


def density_labels(
    senders: pl.DataFrame, model: PortModel, settings: ClusterSettings
) -> tuple[NDArray[np.int64], int]:
    """A label for each sender by ports and headers alone, -1 for noise; how many profiles."""
    labels = np.full(senders.height, -1, dtype=np.int64)
    enough = fewest_senders(senders, settings.min_senders)
    profiles = day_profiles(senders, min_senders=enough)
    if not len(profiles.senders):
        return labels, 0
    points = embed_profiles(
        profiles,
        model,
        everyday_share=settings.everyday_share,
        header_weight=settings.header_weight,
    )
    found = bounded_hdbscan(
        points,
        profiles.senders,
        min_senders=settings.min_senders,
        radius=settings.radius,
        most=settings.most_profiles,
    )
    labels[np.searchsorted(senders["src"].to_numpy(), profiles.src)] = found[profiles.profile]
    return labels, len(profiles.senders)
