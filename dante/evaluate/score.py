"""All measures of one answer against one truth: the same door for every system."""

import datetime as dt
from typing import Final

import polars as pl

from dante.evaluate.alerts import alerts
from dante.evaluate.edges import edges
from dante.evaluate.frames import joined
from dante.evaluate.hota import hota, hota_by_campaign, hota_pooled
from dante.evaluate.measures import (
    ari,
    births,
    coverage,
    idf1_by_campaign,
    idf1_pooled,
    majority_truth,
    noise_rejected,
)
from dante.evaluate.returns import GAPS, found_returns, return_precision, true_returns

__all__ = ["MEANINGS", "by_campaign", "by_return", "score"]

MEANINGS: Final[dict[str, str]] = {
    "ari": "agreement of each day's tracks with its campaigns, mean over days",
    "coverage": "share of campaigns' sender-days in a track",
    "noise_rejected": "share of the noise's sender-days in no track",
    "idf1": "F1 of each campaign and its one track over all days, mean over campaigns",
    "idf1_pooled": "the same, all sender-days pooled",
    "hota": "higher order tracking accuracy, mean over campaigns",
    "detre": "of hota: share of a campaign's sender-days in a track, mean over campaigns",
    "assa": "of hota: how far a campaign keeps to one track of its own, mean over campaigns",
    "hota_pooled": "HOTA as published, all sender-days pooled",
    "deta_pooled": "of hota_pooled: sender-days in tracks against those of campaigns",
    "assa_pooled": "of hota_pooled: how far sender-days keep to one track",
    "birth_recall": "share of campaigns' births that a new track answers within a day",
    "birth_precision": "share of new tracks that are such a birth",
    "birth_days_late": "days to a campaign's first new track, mean over those that get one",
    "return_recall": "share of campaigns' returns put into their old track within a day",
    **{
        f"return_recall_{name}": f"the same after {name.replace('_', ' to ')} days away"
        if "over" not in name
        else "the same after more than 90 days away"
        for name in GAPS
    },
    "return_recall_same": "the same where the old senders came back",
    "return_recall_new": "the same where all senders are new",
    "return_precision": "share of announced returns that are true",
    "edge_f1": "F1 of splits and merges, both tracks right and within two days",
    "edge_recall": "share of true splits and merges that are told",
    "edge_precision": "share of told splits and merges that are true",
    "threats_a_day": "threats announced a day",
    "threats_most": "most threats on one day",
    "threat_precision": "share of threats on a campaign born, split off or back within 7 days",
    "threat_recall": "share of such news, benign scanners left out, that is a threat in 7 days",
    "threat_days_late": "days to the threat, mean over the news that got one",
    "true_births": "births judged",
    "track_births": "new tracks judged",
    "true_returns": "returns judged",
    "true_edges": "splits and merges judged",
    "track_edges": "splits and merges told",
    "days": "days judged",
    "sender_days": "sender-days judged, noise among them",
    "campaigns": "campaigns judged",
    "campaigns_followed": "campaigns with a track of their own",
    "tracks": "tracks with any of these senders",
}
"""What each measure says, in the order they are given."""


def score(
    members: pl.DataFrame,
    events: pl.DataFrame,
    memberships: pl.DataFrame,
    lineage: pl.DataFrame | None = None,
    threats: pl.DataFrame | None = None,
    *,
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> pl.DataFrame:
    """All measures of an answer: `measure`, `value` (NaN: nothing to measure), as `MEANINGS`.

    Truth: `members` (`day`, `src`, `campaign`, `kind`) and `events` (`day`, `campaign`, `event`,
    `related`, and where known `gap`, `senders`). The answer: `memberships` (`day`, `src` UInt64
    or text, `track`, null: noise) and, where a system has them, `lineage` (`day`, `track`,
    `event`, `related`) and `threats` (`day`, `track`). Without `lineage` a track is born on its
    first day, and edges and announced returns are not measured; without `threats` nor are they.
    Judged are the days `first` to `last`, by default those of `memberships`; what is new on the
    first of them is not news. Raises as `joined`.
    """
    frame = joined(members, memberships, first, last)
    begin: dt.date = frame["day"].min()  # type: ignore[assignment]
    end: dt.date = frame["day"].max()  # type: ignore[assignment]
    own = majority_truth(frame)
    true = events.rename({"campaign": "truth"}).filter(pl.col("day") <= end)
    kind = frame.schema["predicted"]  # other tables may have narrower numbers
    if lineage is None:
        told = None
        born = (
            memberships.filter(pl.col("track").is_not_null())
            .group_by("track").agg(pl.col("day").min()).sort("track")
        )  # fmt: skip
    else:
        told = lineage.select(
            "day", "event", pl.col("related").cast(kind), predicted=pl.col("track").cast(kind)
        ).filter(pl.col("day") <= end)
        born = told.filter(pl.col("event") == "birth").rename({"predicted": "track"})
    born = born.filter(pl.col("day") <= end).select("day", predicted="track")
    birth = births(
        frame,
        true.filter(pl.col("event") == "birth"),
        born,
        not_judged=frozenset(true.filter(pl.col("event") == "split")["truth"]),
    )
    known = true_returns(members, events)
    returns = found_returns(frame, known)
    own_ari, pairs, mean, pooled = (
        ari(frame),
        idf1_by_campaign(frame),
        hota(frame),
        hota_pooled(frame),
    )
    values = {
        "ari": own_ari,
        "coverage": coverage(frame),
        "noise_rejected": noise_rejected(frame),
        "idf1": _mean(pairs["f1"]),
        "idf1_pooled": idf1_pooled(frame),
        "hota": mean.hota,
        "detre": mean.detection,
        "assa": mean.association,
        "hota_pooled": pooled.hota,
        "deta_pooled": pooled.detection,
        "assa_pooled": pooled.association,
        "birth_recall": birth.recall,
        "birth_precision": birth.precision,
        "birth_days_late": birth.days_late,
        "return_recall": _mean(returns["found"]),
        **{
            f"return_recall_{name}": _mean(
                returns.filter(pl.col("gap").is_between(*bounds))["found"]
            )
            for name, bounds in GAPS.items()
        },
        **{
            f"return_recall_{who}": _mean(returns.filter(pl.col("senders") == who)["found"])
            for who in ("same", "new")
        },
        "true_births": birth.true_births,
        "track_births": birth.track_births,
        "true_returns": returns.height,
        "days": frame["day"].n_unique(),
        "sender_days": frame.height,
        "campaigns": pairs.height,
        "campaigns_followed": pairs["track"].count(),
        "tracks": own.height,
    }
    if told is not None:
        recurs = told.filter(pl.col("event") == "recur", pl.col("day") > begin)
        edge = edges(own, true, told, begin, end)
        values |= {
            "return_precision": return_precision(own, recurs, known),
            "edge_f1": edge.f1,
            "edge_recall": edge.recall,
            "edge_precision": edge.precision,
            "true_edges": edge.true_edges,
            "track_edges": edge.track_edges,
        }
    if threats is not None:
        benign = frozenset(members.filter(pl.col("kind") == "benign")["campaign"].unique())
        raised = threats.select("day", predicted=pl.col("track").cast(kind))
        alert = alerts(frame, own, true, raised, benign=benign)
        values |= {
            "threats_a_day": alert.a_day,
            "threats_most": alert.most,
            "threat_precision": alert.precision,
            "threat_recall": alert.recall,
            "threat_days_late": alert.days_late,
        }
    rows = [(name, float(values.get(name, float("nan")))) for name in MEANINGS]
    return pl.DataFrame(rows, schema={"measure": pl.String, "value": pl.Float64}, orient="row")


def _mean(values: pl.Series) -> float:
    return float(values.cast(pl.Float64).to_numpy().mean()) if values.len() else float("nan")


def by_campaign(frame: pl.DataFrame, campaigns: pl.DataFrame | None = None) -> pl.DataFrame:
    """Each campaign's own track and scores, the worst first, so that one sees which are lost.

    `campaign`, `f1`, `hota`, `detre`, `assa`, `track` (its own; null: none), `mostly_in` (the
    track most of its sender-days are in, another's where it is lost; null: none),
    `truth_days`, `track_days`, `idtp` and, of `campaigns` (the truth's, if given), `kind`,
    `role`, `ports`.
    """
    most = (
        frame.filter(pl.col("predicted").is_not_null(), pl.col("truth").is_not_null())
        .group_by(campaign="truth", mostly_in="predicted").len()
        .sort("campaign", "len", "mostly_in", descending=[False, True, False])
        .unique("campaign", keep="first", maintain_order=True)
    )  # fmt: skip
    table = (
        idf1_by_campaign(frame)
        .join(hota_by_campaign(frame), on="campaign")
        .join(most, on="campaign", how="left")
    )
    columns = ["campaign", "f1", "hota", "detre", "assa", "track", "mostly_in"]
    columns += ["truth_days", "track_days", "idtp"]
    if campaigns is not None:
        more = [name for name in ("kind", "role", "ports") if name in campaigns.columns]
        table = table.join(campaigns.select("campaign", *more), on="campaign", how="left")
        columns += more
    return table.select(columns).sort("f1", "campaign")


def by_return(members: pl.DataFrame, events: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Each true return, by day: whether it was found, its home and the track it got instead."""
    table = found_returns(frame, true_returns(members, events))
    return table.select(
        "day", "campaign", "found", "late", "gap", "senders", "home", "track", "left"
    ).sort("day", "campaign")
