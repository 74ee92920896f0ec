"""Measures of lineage against the truth of a simulation, and of vectors against labels."""

from dante.evaluate.alerts import AlertScore, alerts
from dante.evaluate.edges import EdgeScore, edges
from dante.evaluate.frames import joined
from dante.evaluate.hota import Hota, hota, hota_by_campaign, hota_pooled
from dante.evaluate.intervals import Interval, bootstrap
from dante.evaluate.measures import (
    BirthScore,
    ari,
    births,
    coverage,
    daily_ari,
    idf1,
    idf1_by_campaign,
    idf1_pooled,
    majority_truth,
    noise_rejected,
)
from dante.evaluate.neighbours import KnnScore, knn_predictions, knn_score
from dante.evaluate.published import evaluate, evaluate_campaigns, evaluate_returns
from dante.evaluate.returns import GAPS, found_returns, return_precision, true_returns
from dante.evaluate.score import MEANINGS, by_campaign, by_return, score
from dante.evaluate.vectors import UNKNOWN, VECTOR_MEANINGS, evaluate_vectors

__all__ = [
    "GAPS",
    "MEANINGS",
    "UNKNOWN",
    "VECTOR_MEANINGS",
    "AlertScore",
    "BirthScore",
    "EdgeScore",
    "Hota",
    "Interval",
    "KnnScore",
    "alerts",
    "ari",
    "births",
    "bootstrap",
    "by_campaign",
    "by_return",
    "coverage",
    "daily_ari",
    "edges",
    "evaluate",
    "evaluate_campaigns",
    "evaluate_returns",
    "evaluate_vectors",
    "found_returns",
    "hota",
    "hota_by_campaign",
    "hota_pooled",
    "idf1",
    "idf1_by_campaign",
    "idf1_pooled",
    "joined",
    "knn_predictions",
    "knn_score",
    "majority_truth",
    "noise_rejected",
    "return_precision",
    "score",
    "true_returns",
]
