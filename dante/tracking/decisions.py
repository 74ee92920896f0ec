"""Which tracks a day's clusters might have continued, what spoke for each, and what was decided."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np
import polars as pl

from dante.clustering.compare import HEADER_NUMBERS
from dante.tracking.match import Matches
from dante.tracking.track import Track

__all__ = ["DECISIONS", "day_decisions"]

DECISIONS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "cluster_id": pl.Int32(),
    "track_id": pl.Int32(),
    "probability": pl.Float64(),
    "taken": pl.Boolean(),
    "ports": pl.Float64(),
    "rare_ports": pl.Float64(),
    "headers": pl.Float64(),
    "hours": pl.Float64(),
    "networks": pl.Float64(),
    "senders_shared": pl.Float64(),
}
"""One row for each cluster and each of its likeliest tracks. `ports`, `rare_ports`, `hours`:
Bhattacharyya coefficients, 0..1; `headers`: of the header trait that differs most; `networks`: how
many times likelier than anybody's the cluster's networks are the track's, as a natural logarithm;
`senders_shared`: the smaller of the shares of cluster and track."""

_SHOWN: Final = 3
_LEAST: Final = 0.01


def day_decisions(day: date, matches: Matches, tracks: Sequence[Track]) -> pl.DataFrame:
    """The rows of `decisions` of a day (schema `DECISIONS`)."""
    rows = []
    numbers = matches.likeness
    for cluster, taken in enumerate(matches.track.tolist()):
        odds = matches.probability[cluster]
        likely = [int(c) for c in np.argsort(-odds, kind="stable")[:_SHOWN] if odds[c] >= _LEAST]
        for column in dict.fromkeys([*likely, *([taken] if taken >= 0 else [])]):
            header = min(float(numbers[name][cluster, column]) for name in HEADER_NUMBERS)
            rows.append(
                (
                    day,
                    cluster,
                    tracks[column].track_id,
                    float(odds[column]),
                    column == taken,
                    float(numbers["ports"][cluster, column]),
                    float(numbers["rare_ports"][cluster, column]),
                    float(np.exp(header)),
                    float(np.exp(numbers["hours"][cluster, column])),
                    float(numbers["networks_of_ours"][cluster, column]),
                    float(numbers["mutual"][cluster, column]),
                )
            )
    frame = pl.DataFrame(rows, schema=DECISIONS, orient="row")
    return frame.with_columns(
        pl.col(name).round(4) for name, kind in DECISIONS.items() if kind == pl.Float64()
    )
