"""HOTA, higher order tracking accuracy (Luiten et al., IJCV 129, 2021), of sender-days.

In video an object is at one place a frame, and a prediction matches it when their boxes overlap
by more than α; HOTA is the mean over α. Here a day is a frame, a campaign an object, and a
detection is one sender of one day. Its identity is its place: a predicted sender-day matches the
true one of the same day and sender, exactly, and no other. So matching needs no search, the
score is the same at every α (LocA is 1), and it does not matter that a campaign has many
detections a day, for no sum of HOTA's asks how detections are dealt to frames.

With n(i, j) sender-days of campaign i in track j, g(i) of the campaign and p(j) of the track:

    TP = Σ n(i, j)     FN = campaigns' sender-days in no track     FP = noise in a track
    DetA = TP / (TP + FN + FP)
    A(i, j) = n(i, j) / (g(i) + p(j) − n(i, j))         the Jaccard index of campaign and track
    AssA = Σ n(i, j) · A(i, j) / TP
    HOTA = √(DetA · AssA)

That is dominated by the largest campaign, so the same is also taken for each campaign alone, and
averaged: DetRe(i) = Σⱼ n(i, j) / g(i), AssA(i) = Σⱼ n(i, j) · A(i, j) / Σⱼ n(i, j), and
HOTA(i) = √(DetRe(i) · AssA(i)). Noise in a track has no campaign to be a false detection of; it
lowers A(i, j) of whoever has the track. Tracks of noise alone are for `noise_rejected`.
"""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from dante.evaluate.contingency import contingency

__all__ = ["Hota", "hota", "hota_by_campaign", "hota_pooled"]


@dataclass(frozen=True)
class Hota:
    """HOTA and its two halves; `detection` is DetA where pooled, DetRe where averaged."""

    hota: float
    detection: float
    association: float


def hota_by_campaign(frame: pl.DataFrame) -> pl.DataFrame:
    """Each campaign's `hota`, `detre` and `assa`, by `campaign`.

    A frame as in `dante.evaluate.measures`. All three are 0 for a campaign of which no sender is
    in a track.
    """
    table = contingency(frame)
    true = table.truth_days
    jaccard = table.agree / (
        true[table.row] + table.track_days[table.column] - table.agree
    )  # the union holds at least one sender-day
    size = len(true)
    matched = np.bincount(table.row, weights=table.agree, minlength=size)
    weighted = np.bincount(table.row, weights=table.agree * jaccard, minlength=size)
    association = np.divide(weighted, matched, out=np.zeros(size), where=matched > 0)
    detection = matched / true
    return pl.DataFrame(
        {
            "campaign": table.campaigns,
            "hota": np.sqrt(detection * association),
            "detre": detection,
            "assa": association,
        }
    )


def hota(frame: pl.DataFrame) -> Hota:
    """The means over campaigns: a small one counts as much as a huge one; NaN without any."""
    each = hota_by_campaign(frame)
    if each.is_empty():
        return Hota(math.nan, math.nan, math.nan)
    mean = {name: float(each[name].to_numpy().mean()) for name in ("hota", "detre", "assa")}
    return Hota(mean["hota"], mean["detre"], mean["assa"])


def hota_pooled(frame: pl.DataFrame) -> Hota:
    """HOTA, DetA and AssA as published, all sender-days pooled.

    NaN without campaigns; 0 where no sender of theirs is in a track.
    """
    table = contingency(frame)
    true, tracked = int(table.truth_days.sum()), int(table.track_days.sum())
    matched = int(table.agree.sum())
    if not true:
        return Hota(math.nan, math.nan, math.nan)
    if not matched:
        return Hota(0.0, 0.0, 0.0)
    union = table.truth_days[table.row] + table.track_days[table.column] - table.agree
    association = float((table.agree * (table.agree / union)).sum()) / matched
    detection = matched / (true + tracked - matched)
    return Hota(math.sqrt(detection * association), detection, association)
