"""All measures together: what a perfect, a shuffled and a renaming answer get."""

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dante.errors import DanteError, NotEnoughDataError
from dante.evaluate import MEANINGS, by_campaign, by_return, joined, score
from dante.schema import address_text
from dante.simulate import Scenario, simulate

_BEST = [
    *("ari", "coverage", "noise_rejected", "idf1", "idf1_pooled", "hota", "detre", "assa"),
    *("hota_pooled", "deta_pooled", "assa_pooled", "birth_recall", "birth_precision"),
    *("return_recall", "return_recall_same", "return_recall_new", "return_precision"),
    *("edge_f1", "edge_recall", "edge_precision", "threat_precision", "threat_recall"),
]


@dataclass(frozen=True)
class Case:
    """A truth and the answer that is right."""

    members: pl.DataFrame
    events: pl.DataFrame
    memberships: pl.DataFrame
    lineage: pl.DataFrame
    threats: pl.DataFrame

    def scores(self, **other: pl.DataFrame | None) -> dict[str, float]:
        """The scores of the answer, or of another."""
        answer = {
            "memberships": self.memberships, "lineage": self.lineage, "threats": self.threats,
        } | other  # fmt: skip
        return dict(score(self.members, self.events, **answer).iter_rows())  # type: ignore[arg-type]


def _case(members: pl.DataFrame, events: pl.DataFrame) -> Case:
    members = members.filter(pl.col("kind") != "backscatter")
    names = sorted(members["campaign"].drop_nulls().unique())
    number = pl.DataFrame({"campaign": names, "track": range(1, len(names) + 1)})
    lineage = events.join(number, on="campaign").join(
        number.select(related="campaign", other="track"), on="related", how="left"
    )
    lineage = lineage.select("day", "track", "event", related="other")
    # Every track has a birth, also one that has split off.
    born = lineage.filter(pl.col("event") == "split").with_columns(event=pl.lit("birth"))
    news = lineage.filter(pl.col("event").is_in(["birth", "split", "recur"]))
    return Case(
        members,
        events,
        members.join(number, on="campaign", how="left").select("day", "src", "track"),
        pl.concat([lineage, born.with_columns(related=pl.lit(None, pl.Int64))]),
        news.select("day", "track"),
    )


@pytest.fixture(scope="module")
def planted() -> Case:
    """Forty days and 30 campaigns with each kind of event, planted by hand."""
    start, rows, events = dt.date(2025, 3, 1), [], []
    rng = np.random.Generator(np.random.PCG64(8))

    def event(day: int, name: str, kind: str, *more: object) -> None:
        events.append((start + dt.timedelta(days=day), name, kind, *(more or (None,) * 3)))

    for number in range(30):
        name = f"c{number:02}"
        born = 0 if number < 12 else int(rng.integers(1, 20))
        gap = {3: 2, 4: 12, 5: 25, 6: 2, 7: 12, 8: 25}.get(number, 0)
        last = 30 if number in (9, 10) else 39
        if number in (13, 14):
            event(born, name, "split", "c00", None, None)
        else:
            event(born, name, "birth")
        if gap:
            event(8, name, "sleep")
            event(8 + gap, name, "recur", None, gap, "same" if number < 6 else "new")
        if last == 30:
            event(31, name, "merge", "c01", None, None)
        for day in range(born, last + 1):
            if not 8 <= day < 8 + gap:
                back = 50 if number >= 6 and gap and day >= 8 else 0
                rows += [(day, 1000 * number + back + s, name, "campaign") for s in range(12)]
    rows += [(day, 90_000 + 40 * day + s, None, "noise") for day in range(40) for s in range(40)]
    members = pl.DataFrame(
        [(start + dt.timedelta(days=day), *rest) for day, *rest in rows],
        schema={"day": pl.Date, "src": pl.UInt64, "campaign": pl.String, "kind": pl.String},
        orient="row",
    )
    schema = {
        "day": pl.Date, "campaign": pl.String, "event": pl.String, "related": pl.String,
        "gap": pl.Int64, "senders": pl.String,
    }  # fmt: skip
    return _case(members, pl.DataFrame(events, schema=schema, orient="row"))


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The truth of a small simulation, whatever events it has."""
    out = tmp_path_factory.mktemp("simulated")
    folder: Path = simulate(Scenario(days=14, senders=300, seed=2), out).members.parent
    read = [pl.read_parquet(folder / f"{name}.parquet") for name in ("members", "events")]
    return _case(*read)


def test_a_perfect_answer_scores_one_everywhere(planted: Case) -> None:
    """Every measure of quality is 1 and every delay 0."""
    scores = planted.scores()
    assert list(scores) == list(MEANINGS)
    assert {name: scores[name] for name in _BEST} == dict.fromkeys(_BEST, 1.0)
    gaps = ("return_recall_1_7", "return_recall_8_30")
    assert [scores[name] for name in gaps] == [1.0, 1.0]
    assert math.isnan(scores["return_recall_over_90"])
    late = ("birth_days_late", "threat_days_late")
    assert [scores[name] for name in late] == [0.0, 0.0]
    assert scores["true_returns"] == 6
    assert scores["true_edges"] == scores["track_edges"] == 4
    assert scores["campaigns"] == scores["campaigns_followed"] == scores["tracks"] == 30


def test_a_perfect_answer_to_a_simulation_scores_one(simulated: Case) -> None:
    """Whatever a simulation holds, its truth as answer has no score but 1, or none."""
    scores = simulated.scores()
    assert {n: scores[n] for n in _BEST if not math.isnan(scores[n])} == {
        n: 1.0 for n in _BEST if not math.isnan(scores[n])
    }
    assert scores["idf1"] == scores["birth_recall"] == 1.0


def test_a_shuffled_answer_scores_near_nothing(planted: Case) -> None:
    """The right tracks dealt to the senders at random are worth next to nothing everywhere."""
    rng = np.random.Generator(np.random.PCG64(1))
    order = rng.permutation(planted.memberships.height)
    other = planted.memberships["track"].gather(order)
    scores = planted.scores(memberships=planted.memberships.with_columns(other.alias("track")))
    for name in ("ari", "idf1", "idf1_pooled", "assa", "assa_pooled"):
        assert abs(scores[name]) < 0.12, name
    for name in ("birth_recall", "birth_precision", "return_recall", "edge_f1"):
        assert scores[name] < 0.2, name
    assert scores["hota"] < 0.25  # the root of a product: HOTA is never as near to nothing
    assert scores["noise_rejected"] < 0.3


def test_renaming_tracks_daily_keeps_ari_and_loses_identity(planted: Case) -> None:
    """A new name each day: days are right, and nobody is followed, found again or born once."""
    day = pl.col("day").dt.ordinal_day().cast(pl.Int64)
    renamed = planted.memberships.with_columns(track=pl.col("track") + 1000 * day)
    scores = planted.scores(memberships=renamed, lineage=None, threats=None)
    assert scores["ari"] == scores["coverage"] == scores["noise_rejected"] == 1.0
    assert scores["deta_pooled"] == scores["detre"] == 1.0
    assert scores["idf1"] < 0.12
    assert scores["assa"] < 0.06
    assert scores["return_recall"] == 0.0
    assert scores["birth_precision"] < 0.05


def test_one_track_for_everything_scores_low(planted: Case) -> None:
    """All senders in one track: covered, and neither told apart nor found again."""
    lump = planted.memberships.with_columns(track=pl.lit(1, pl.Int64))
    scores = planted.scores(memberships=lump, lineage=None, threats=None)
    assert scores["coverage"] == 1.0
    for name in ("ari", "noise_rejected", "idf1", "assa", "return_recall", "birth_recall"):
        assert scores[name] < 0.06, name


def test_a_system_may_give_memberships_alone(planted: Case) -> None:
    """Without lineage tracks are born on their first day; edges and threats are not measured."""
    scores = planted.scores(lineage=None, threats=None)
    assert scores["birth_recall"] == scores["birth_precision"] == scores["return_recall"] == 1.0
    for name in ("edge_f1", "return_precision", "threats_a_day", "threat_recall", "track_edges"):
        assert math.isnan(scores[name]), name


def test_senders_as_numbers_or_text_are_the_same(planted: Case) -> None:
    """Published text and numbers give the same scores, as do noise rows left out."""
    text = planted.memberships.with_columns(address_text(planted.memberships["src"]))
    sparse = planted.memberships.filter(pl.col("track").is_not_null()).sample(
        fraction=1, shuffle=True, seed=1
    )
    assert planted.scores() == pytest.approx(planted.scores(memberships=text), nan_ok=True)
    assert planted.scores() == pytest.approx(planted.scores(memberships=sparse), nan_ok=True)


def test_days_can_be_said(planted: Case) -> None:
    """From `first` to `last` only: days without memberships count, days outside do not."""
    first, last = dt.date(2025, 3, 5), dt.date(2025, 3, 14)
    few = planted.memberships.filter(pl.col("day") != first)
    table = score(planted.members, planted.events, few, first=first, last=last)
    scores = dict(table.iter_rows())
    assert scores["days"] == 10
    assert scores["coverage"] < 0.95
    with pytest.raises(NotEnoughDataError, match="knows no sender"):
        joined(planted.members, few, first=dt.date(2030, 1, 1), last=dt.date(2030, 1, 2))


def test_a_sender_in_two_tracks_is_refused(planted: Case) -> None:
    """Memberships that name a sender twice on a day cannot be scored."""
    twice = pl.concat([planted.memberships, planted.memberships.head(1)])
    with pytest.raises(DanteError, match="more than one membership"):
        planted.scores(memberships=twice)


def test_lost_campaigns_stand_first_with_whoever_has_them(planted: Case) -> None:
    """By campaign, one whose senders are in another's track is at the top and names it."""
    lost = pl.when(pl.col("track") == 16).then(4).otherwise("track")
    frame = joined(planted.members, planted.memberships.with_columns(track=lost))
    roles = planted.members.select("campaign").unique().drop_nulls()
    table = by_campaign(frame, roles.with_columns(role=pl.lit("some")))
    top = table.row(0, named=True)
    assert (top["campaign"], top["f1"], top["track"], top["mostly_in"]) == ("c15", 0.0, None, 4)
    assert table.height == 30
    assert set(table["role"]) == {"some"}
    assert table["f1"].is_sorted()


def test_returns_are_listed_with_where_they_went(planted: Case) -> None:
    """By return, one sees the old track and the one that got the senders instead."""
    moved = pl.when(pl.col("track") == 5, pl.col("day") > dt.date(2025, 3, 10)).then(99)
    answer = planted.memberships.with_columns(track=moved.otherwise("track"))
    table = by_return(planted.members, planted.events, joined(planted.members, answer))
    assert table.height == 6
    missed = table.filter(~pl.col("found")).row(0, named=True)
    assert (missed["campaign"], missed["home"], missed["track"]) == ("c04", 5, 99)
    assert (missed["gap"], missed["senders"]) == (12, "same")


def test_tables_may_differ_in_the_width_of_track_numbers(planted: Case) -> None:
    """Lineage and threats with narrower integers than the memberships mean the same."""
    narrow = pl.col("track").cast(pl.Int32)
    scores = planted.scores(
        lineage=planted.lineage.with_columns(narrow, pl.col("related").cast(pl.Int32)),
        threats=planted.threats.with_columns(narrow),
    )
    assert scores == pytest.approx(planted.scores(), nan_ok=True)
