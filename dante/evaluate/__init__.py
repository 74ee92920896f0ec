"""Measures of published lineage against the truth of a simulation or against labels."""

from dante.evaluate.measures import (
    BirthScore,
    ari,
    births,
    coverage,
    daily_ari,
    idf1,
    idf1_by_campaign,
    idf1_pooled,
    noise_rejected,
)
from dante.evaluate.published import evaluate

__all__ = [
    "BirthScore",
    "ari",
    "births",
    "coverage",
    "daily_ari",
    "evaluate",
    "idf1",
    "idf1_by_campaign",
    "idf1_pooled",
    "noise_rejected",
]
