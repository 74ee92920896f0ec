"""Density clustering of distinct profiles, each weighted by the senders that have it."""

from dante.clustering.day import DayClusters, cluster_day
from dante.clustering.weighted import weighted_hdbscan

__all__ = ["DayClusters", "cluster_day", "weighted_hdbscan"]
