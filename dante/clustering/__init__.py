"""What a day's senders show, and which of them are one activity."""

from dante.clustering.day import DayClusters, cluster_day
from dante.clustering.evidence import Evidence, evidence_of
from dante.clustering.fragments import one_activity
from dante.clustering.histogram import Histogram
from dante.clustering.refine import groups_of
from dante.clustering.rivals import are_rivals
from dante.clustering.weighted import weighted_hdbscan

__all__ = [
    "DayClusters",
    "Evidence",
    "Histogram",
    "are_rivals",
    "cluster_day",
    "evidence_of",
    "groups_of",
    "one_activity",
    "weighted_hdbscan",
]
