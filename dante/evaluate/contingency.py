"""How many sender-days each campaign and track have, and have in common."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

__all__ = ["Contingency", "contingency"]


@dataclass(frozen=True)
class Contingency:
    """Sender-days by campaign, by track and by both, in order of their names.

    `campaigns` and `tracks` are the names; `truth_days` and `track_days` count all sender-days of
    each (a track's include noise); `row`, `column` and `agree` hold the pairs that share any.
    """

    campaigns: pl.Series
    tracks: pl.Series
    truth_days: NDArray[np.int64]
    track_days: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    agree: NDArray[np.int64]

    def dense(self) -> NDArray[np.float64]:
        """The sender-days in common as a matrix, campaigns × tracks."""
        matrix = np.zeros((len(self.campaigns), len(self.tracks)))
        matrix[self.row, self.column] = self.agree
        return matrix


def contingency(frame: pl.DataFrame) -> Contingency:
    """Counts of a frame with `truth` (null: noise) and `predicted` (null: unassigned)."""
    truth = frame.filter(pl.col("truth").is_not_null()).group_by("truth").len().sort("truth")
    track = (
        frame.filter(pl.col("predicted").is_not_null()).group_by("predicted").len()
        .sort("predicted")
    )  # fmt: skip
    both = (
        frame.filter(pl.col("truth").is_not_null() & pl.col("predicted").is_not_null())
        .group_by("truth", "predicted").len()
        .join(truth.with_row_index("row").select("truth", "row"), on="truth")
        .join(track.with_row_index("column").select("predicted", "column"), on="predicted")
        .sort("row", "column")
    )  # fmt: skip
    counts = [both[name].cast(pl.Int64).to_numpy() for name in ("row", "column", "len")]
    return Contingency(
        truth["truth"],
        track["predicted"],
        truth["len"].cast(pl.Int64).to_numpy(),
        track["len"].cast(pl.Int64).to_numpy(),
        *counts,
    )
