"""`hard` is hard for whoever counts ports, and possible for whoever looks at everything."""

import math

import polars as pl
import pytest

from dante.evaluate.measures import ari, idf1, noise_rejected
from dante.schema import backscatter, word_id
from dante.simulate import Scenario, SimulatedDay, simulate_days

SEEDS = (1, 2)


@pytest.fixture(scope="module", params=SEEDS)
def telescope(request: pytest.FixtureRequest) -> list[SimulatedDay]:
    """The preset `hard`, three weeks of it."""
    return list(simulate_days(Scenario.preset("hard", days=21, senders=1500, seed=request.param)))


def _scans(day: SimulatedDay) -> pl.DataFrame:
    scans = day.packets.filter(~backscatter())
    return scans.with_columns(day=pl.lit(day.day), word=word_id().cast(pl.String))


def _truth(telescope: list[SimulatedDay]) -> pl.DataFrame:
    members = pl.concat([day.members for day in telescope])
    return members.filter(pl.col("kind") != "backscatter")


def _trivial(telescope: list[SimulatedDay]) -> pl.DataFrame:
    """A sender's most-used port is its campaign, if five senders or more use it most."""
    words = pl.concat(
        [
            _scans(day).group_by("day", "src", "word").len()
            .sort("src", "len", "word", descending=[False, True, False])
            .unique("src", keep="first", maintain_order=True)
            .filter(pl.len().over("word") >= 5)
            for day in telescope
        ]
    )  # fmt: skip
    return _truth(telescope).join(words, on=["day", "src"], how="left").select(
        "day", "src", truth="campaign", predicted="word"
    )  # fmt: skip


def _marks(scans: pl.DataFrame) -> pl.DataFrame:
    """What is seen of a sender on a day: ports, the tool's headers, its first hour, its /16."""
    dst, seq = pl.col("dst"), pl.col("tcp_seq").cast(pl.UInt64)
    mixed = (dst ^ pl.col("dport").cast(pl.UInt64) ^ seq) % 65536 == pl.col("ip_id")
    tool = pl.concat_str(
        (pl.col("ttl") // 32).cast(pl.String), pl.col("length").cast(pl.String),
        (seq == dst).fill_null(False).cast(pl.String), mixed.fill_null(False).cast(pl.String),
        (pl.col("ip_id") == 54321).cast(pl.String),
        pl.col("tcp_window").is_in([1024, 65535]).fill_null(False).cast(pl.String),
        separator=" ",
    )  # fmt: skip
    first = pl.col("ts").min().over("src").dt.hour().cast(pl.String)
    kinds = {
        "port": pl.col("word"), "tool": tool, "hour": first,
        "net": (pl.col("src") // 65536).cast(pl.String),
    }  # fmt: skip
    return pl.concat(
        [
            scans.select("day", "src", mark=pl.concat_str(pl.lit(kind), mark)).unique()
            for kind, mark in kinds.items()
        ]
    )


def _taught(telescope: list[SimulatedDay]) -> pl.DataFrame:
    """Naive Bayes that knows the campaigns of one half of the senders, on the other half."""
    marks = pl.concat([_marks(_scans(day)) for day in telescope])
    truth = _truth(telescope).with_columns(label=pl.col("campaign").fill_null(pl.col("kind")))
    present = truth.group_by("day", "label").agg(prior=pl.len().log())
    # What a campaign was never seen to do costs it more than noise, which may do anything.
    unseen = pl.when(pl.col("label") == "noise").then(math.log(1e-3)).otherwise(math.log(1e-6))
    answers = []
    for half in (0, 1):
        mine = pl.col("src") // 7 % 2 == half
        known = truth.filter(~mine)
        habits = (
            marks.join(known, on=["day", "src"]).group_by("label", "mark").len()
            .join(known.group_by("label").agg(total=pl.len()), on="label")
            .select("label", "mark", fits=(pl.col("len") / (pl.col("total") + 1)).log())
        )  # fmt: skip
        asked = marks.filter(mine)
        scored = (
            asked.join(habits, on="mark").join(present, on=["day", "label"])
            .group_by("day", "src", "label")
            .agg(pl.col("fits").sum(), pl.col("prior").first(), hits=pl.len())
            .join(asked.group_by("day", "src").agg(total=pl.len()), on=["day", "src"])
            .with_columns(
                score=pl.col("fits") + pl.col("prior")
                + (pl.col("total") - pl.col("hits")) * unseen
            )
            .sort("day", "src", "score", "label", descending=[False, False, True, False])
            .unique(["day", "src"], keep="first", maintain_order=True)
        )  # fmt: skip
        answers.append(scored.select("day", "src", "label"))
    told = truth.drop("label").join(pl.concat(answers), on=["day", "src"], how="left")
    campaign = pl.when(~pl.col("label").is_in(["noise", "misconfiguration"])).then("label")
    return told.select("day", "src", truth="campaign", predicted=campaign)


def test_the_commonest_port_is_not_the_campaign(telescope: list[SimulatedDay]) -> None:
    """A sender's most-used port is a poor answer: IDF1 stays below .65."""
    assert idf1(_trivial(telescope)) < 0.65


def test_everything_seen_tells_campaigns_apart(telescope: list[SimulatedDay]) -> None:
    """Who knows half the senders finds the other half's campaigns, and what is noise."""
    answer = _taught(telescope)
    assert ari(answer) > 0.95
    assert idf1(answer) > 0.85
    assert noise_rejected(answer) > 0.98
