"""How well predicted tracks follow true campaigns, as pure functions.

Unless said otherwise a function takes one frame with a row for each sender and day: `day` Date,
`src` (any type), `truth` (campaign, null: noise) and `predicted` (track, null: unassigned), each
(day, src) once. Whatever cannot be measured, such as noise rejected where there is no noise, is
NaN rather than a flattering 1.
"""

import datetime as dt
import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.evaluate.contingency import contingency

__all__ = [
    "BirthScore",
    "ari",
    "births",
    "coverage",
    "daily_ari",
    "idf1",
    "idf1_by_campaign",
    "idf1_pooled",
    "majority_truth",
    "noise_rejected",
]


def _codes(labels: pl.Series) -> NDArray[np.int64]:
    """Integers that are equal exactly where labels are; every null gets one of its own."""
    ranks = labels.rank("dense").cast(pl.Int64)
    alone = -1 - pl.int_range(labels.len(), eager=True)
    return pl.select(pl.coalesce(ranks, alone)).to_series().to_numpy()


def daily_ari(frame: pl.DataFrame) -> pl.DataFrame:
    """The adjusted Rand index of each day (Hubert and Arabie 1985): `day`, `senders`, `ari`.

    Over the senders that truth puts in a campaign; each one left unassigned counts as a cluster
    of its own, so leaving senders out never pays. Noise has its own measure. Days without
    campaign senders are left out; days are in order.
    """
    from sklearn.metrics import adjusted_rand_score

    rows = []
    known = frame.filter(pl.col("truth").is_not_null()).sort("day", maintain_order=True)
    for (day,), part in known.group_by("day", maintain_order=True):
        score = float(adjusted_rand_score(_codes(part["truth"]), _codes(part["predicted"])))
        rows.append((day, part.height, score))
    schema = {"day": frame.schema["day"], "senders": pl.Int64(), "ari": pl.Float64()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def ari(frame: pl.DataFrame) -> float:
    """The mean of `daily_ari`, each day counting the same; NaN without campaign senders."""
    return _mean(daily_ari(frame)["ari"])


def coverage(frame: pl.DataFrame) -> float:
    """Share of the campaigns' sender-days that are assigned to some track."""
    known = frame.filter(pl.col("truth").is_not_null())
    return _mean(known["predicted"].is_not_null())


def noise_rejected(frame: pl.DataFrame) -> float:
    """Share of the noise's sender-days that are left unassigned."""
    noise = frame.filter(pl.col("truth").is_null())
    return _mean(noise["predicted"].is_null())


def _mean(values: pl.Series) -> float:
    return float(values.cast(pl.Float64).to_numpy().mean()) if values.len() else math.nan


def idf1_by_campaign(frame: pl.DataFrame) -> pl.DataFrame:
    """Each campaign's own track over the whole span and how well it fits.

    Campaigns and tracks are paired one to one so that the sender-days that agree (IDTP) are most
    (Hungarian method); among such pairings the one with the highest sum of F1 counts. Returns
    `campaign`, `track` (null: none agrees), `truth_days`, `track_days`, `idtp` and
    `f1` = 2·IDTP / (truth sender-days + track sender-days), by campaign. A track's sender-days
    include any noise in it.
    """
    from scipy.optimize import linear_sum_assignment

    table = contingency(frame)
    agree, truth_days, track_days = table.dense(), table.truth_days, table.track_days
    f1 = 2 * agree / (truth_days[:, None] + track_days[None, :])
    # The F1s of a pairing sum to less than one agreeing sender-day, so they only break ties.
    rows, columns = linear_sum_assignment(agree + f1 / (min(f1.shape) + 1), maximize=True)
    paired = {r: c for r, c in zip(rows.tolist(), columns.tolist(), strict=True) if agree[r, c]}
    place = [paired.get(row) for row in range(len(table.campaigns))]
    return pl.DataFrame(
        {
            "campaign": table.campaigns,
            "track": table.tracks.gather(pl.Series(place, dtype=pl.UInt32)),
            "truth_days": truth_days,
            "track_days": [0 if c is None else int(track_days[c]) for c in place],
            "idtp": [0 if c is None else int(agree[r, c]) for r, c in enumerate(place)],
            "f1": [0.0 if c is None else float(f1[r, c]) for r, c in enumerate(place)],
        },
        schema_overrides={"track_days": pl.Int64, "idtp": pl.Int64, "f1": pl.Float64},
    )


def idf1(frame: pl.DataFrame) -> float:
    """The mean F1 of `idf1_by_campaign`: a small campaign counts as much as a huge one."""
    return _mean(idf1_by_campaign(frame)["f1"])


def idf1_pooled(frame: pl.DataFrame) -> float:
    """IDF1 as in multiple object tracking (Ristani et al. 2016), sender-days pooled.

    2·IDTP / (2·IDTP + IDFP + IDFN), that is, over all sender-days of campaigns and of tracks,
    with the same pairing as `idf1_by_campaign`.
    """
    total = frame.select(pl.col("truth", "predicted").count().cast(pl.Int64))
    both = int(total["truth"][0]) + int(total["predicted"][0])
    return 2 * int(idf1_by_campaign(frame)["idtp"].sum()) / both if both else math.nan


def majority_truth(frame: pl.DataFrame) -> pl.DataFrame:
    """Each track's commonest truth over all its sender-days: `predicted`, `truth`, by track.

    Null where noise is the commonest. Ties go to noise first, then to the first name.
    """
    return (
        frame.filter(pl.col("predicted").is_not_null())
        .group_by("predicted", "truth").len()
        .sort("predicted", "len", "truth", descending=[False, True, False], nulls_last=False)
        .unique("predicted", keep="first", maintain_order=True)
        .select("predicted", "truth")
    )  # fmt: skip


@dataclass(frozen=True)
class BirthScore:
    """Births found in time over true births and over tracks born, and the delay in days.

    `days_late` is the mean delay of the first track of its own over all births that ever get
    one, in time or not, so that it says how late the late ones are. `true_births` and
    `track_births` are the numbers judged; a ratio over none is NaN.
    """

    recall: float
    precision: float
    days_late: float
    true_births: int
    track_births: int


def births(
    frame: pl.DataFrame,
    true_births: pl.DataFrame,
    track_births: pl.DataFrame,
    within: int = 1,
    not_judged: frozenset[str] = frozenset(),
) -> BirthScore:
    """How many true births a newborn track answers, and how many newborn tracks are births.

    `true_births` has `day`, `truth`; `track_births` has `day`, `predicted`. A birth is found
    when a track born on its day or up to `within` days later has that campaign as its majority
    truth; of several such tracks the earliest counts and the others are false. Births of both
    kinds on the first day of `frame`, or before, are left out: there everything is new. So are
    tracks whose majority truth is `not_judged` (campaigns that begin by a split).
    """
    if frame.is_empty():
        return BirthScore(math.nan, math.nan, math.nan, 0, 0)
    begin: dt.date = frame["day"].min()  # type: ignore[assignment]
    own = majority_truth(frame)
    excluded = pl.col("truth").is_in(sorted(not_judged)).fill_null(False)
    first = track_births.sort("day").unique("predicted", keep="first", maintain_order=True)
    born = first.filter(pl.col("day") > begin).join(own, on="predicted", how="left")
    born = born.filter(~excluded)
    true = true_births.filter((pl.col("day") > begin) & ~excluded).unique("truth")
    ever = (
        true.join(born, on="truth", suffix="_track")
        .with_columns(late=(pl.col("day_track") - pl.col("day")).dt.total_days())
        .filter(pl.col("late") >= 0)
        .group_by("truth").agg(pl.col("late").min())
    )  # fmt: skip
    found = ever.filter(pl.col("late") <= within)
    return BirthScore(
        recall=found.height / true.height if true.height else math.nan,
        precision=found.height / born.height if born.height else math.nan,
        days_late=_mean(ever["late"]),
        true_births=true.height,
        track_births=born.height,
    )
