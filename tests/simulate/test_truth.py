"""The truth beside a simulation agrees with its packets and with itself."""

import datetime as dt
import ipaddress
import itertools
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.schema import PACKETS, backscatter
from dante.simulate import PRESETS, Scenario, SimulatedDay, simulate, simulate_days


@settings(max_examples=15, deadline=None)
@given(
    preset=st.sampled_from(PRESETS),
    seed=st.integers(0, 2**63),
    senders=st.integers(50, 3000),
    campaigns=st.none() | st.integers(1, 45),
    noise=st.floats(0, 0.6),
    renewal=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
)
def test_every_sender_has_one_truth_a_day(
    preset: str,
    seed: int,
    senders: int,
    campaigns: int | None,
    noise: float,
    renewal: float | None,
) -> None:
    """For any scenario, a day's senders are exactly the truth's, each once, none private."""
    scenario = Scenario.preset(
        preset, days=3, senders=senders, seed=seed, campaigns=campaigns, renewal=renewal,
        background={"noise": noise},
    )  # fmt: skip
    for day in simulate_days(scenario):
        assert day.packets.schema == pl.Schema(PACKETS)
        assert day.members["src"].is_unique().all()
        assert set(day.packets["src"]) == set(day.members["src"])
        assert day.packets["ts"].is_sorted()
        assert (day.packets["ts"].dt.date() == day.day).all()
        telescope = ipaddress.ip_network("198.18.0.0/15")
        lowest, highest = int(telescope[0]), int(telescope[-1])
        assert day.packets["dst"].is_between(lowest, highest).all()
    assert all(ipaddress.ip_address(src).is_global for src in day.members["src"].head(500))


def test_only_backscatter_is_backscatter(month: list[SimulatedDay]) -> None:
    """Replies come from the senders that truth calls backscatter, and these send nothing else."""
    for day in month:
        seen = day.packets.with_columns(backscatter()).join(day.members, on="src", how="left")
        assert (seen["backscatter"] == (seen["kind"] == "backscatter")).all()


def test_only_campaigns_have_names(members: pl.DataFrame) -> None:
    """Campaigns and benign organisations have names; everything else belongs to none."""
    named = pl.col("campaign").is_not_null()
    assert members.select((pl.col("kind").is_in(["campaign", "benign"]) == named).all()).item()
    kinds = {"campaign", "benign", "noise", "misconfiguration", "backscatter"}
    assert set(members["kind"]) == kinds


def _agree(members: pl.DataFrame, events: pl.DataFrame) -> None:
    days = sorted(members["day"].unique())
    there = {str(key[0]): set(part["day"]) for key, part in
             members.drop_nulls("campaign").group_by("campaign")}  # fmt: skip
    told = {str(key[0]): dict(part.select("day", "event").iter_rows()) for key, part in
            events.group_by("campaign")}  # fmt: skip
    assert set(told) == set(there)
    for name, mine in told.items():
        awake, expected = False, set()
        for day in days:
            event = mine.get(day, "drift")
            assert not (event == "drift" and day in mine) or awake
            if event != "drift":
                awake = event in ("birth", "split", "recur")
            if awake:
                expected.add(day)
        assert there[name] == expected, name


def test_events_agree_with_members(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """Replaying a campaign's events gives exactly the days on which it has senders."""
    _agree(members, events)


@settings(max_examples=6, deadline=None)
@given(preset=st.sampled_from(PRESETS), seed=st.integers(0, 2**32), days=st.integers(1, 60))
def test_events_agree_with_members_of_any_preset(preset: str, seed: int, days: int) -> None:
    """So they do for any preset, seed and span."""
    run = list(simulate_days(Scenario.preset(preset, days=days, senders=120, seed=seed)))
    _agree(pl.concat([day.members for day in run]), pl.concat([day.events for day in run]))


def test_a_campaign_begins_once(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """The first day of every campaign is that of its one birth, or of its split from another."""
    first = members.drop_nulls("campaign").group_by("campaign").agg(pl.col("day").min())
    begins = events.filter(pl.col("event").is_in(["birth", "split"])).select("campaign", "day")
    assert begins.sort("campaign").equals(first.sort("campaign"))


def test_a_month_holds_every_kind_of_event(events: pl.DataFrame) -> None:
    """Births, sleeps, returns, drifts, ends, splits and merges are all there in `hard`."""
    kinds = {"birth", "sleep", "recur", "end", "split", "merge", "drift"}
    assert set(events["event"]) == kinds
    related = events.filter(pl.col("related").is_not_null())
    assert set(related["event"]) == {"split", "merge"}
    returned = events.filter(pl.col("gap").is_not_null() & pl.col("senders").is_not_null())
    assert returned.height == (events["event"] == "recur").sum()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), senders=st.integers(300, 1000))
def test_ten_days_hold_a_split_and_a_merge(seed: int, senders: int) -> None:
    """Whatever the seed, a span of ten days holds one split and one merge."""
    days = simulate_days(Scenario(days=10, senders=senders, seed=seed))
    events = pl.concat([day.events for day in days])["event"]
    assert (events == "split").sum() == (events == "merge").sum() == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_quarter_of_the_campaigns_are_born_later(seed: int) -> None:
    """Of the campaigns of two weeks, a good quarter are born after the first day."""
    days = simulate_days(Scenario(days=14, senders=300, seed=seed))
    events = pl.concat([day.events for day in days]).filter(event="birth")
    later = (events["day"] > dt.date(2025, 3, 1)).mean()
    assert isinstance(later, float)
    assert 0.2 <= later <= 0.4


def test_splits_and_merges_hand_over_senders(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """A split takes senders from its parent, and a merge brings the absorbed one's senders."""
    moved = events.filter(pl.col("event").is_in(["split", "merge"]))
    assert moved.height >= 2
    for day, name, event, related in moved.select("day", "campaign", "event", "related").rows():
        source, target = (related, name) if event == "split" else (name, related)
        before = members.filter(campaign=source, day=day - dt.timedelta(days=1))["src"]
        after = members.filter(campaign=target, day=day)["src"]
        assert set(before) & set(after)


def test_returns_come_on_the_senders_that_truth_says() -> None:
    """After its gap a campaign returns on senders of before, or on none of them; half and half."""
    group = [{"role": "sleeper", "start": 12, "awake": (2, 4), "gap": (2, 9)}]
    run = list(simulate_days(Scenario.preset("easy", days=30, senders=900, group=group)))
    members = pl.concat([day.members for day in run])
    returns = pl.concat([day.events for day in run]).filter(event="recur")
    for day, name, gap, senders in returns.select("day", "campaign", "gap", "senders").rows():
        mine = members.filter(campaign=name)
        assert mine.filter(pl.col("day") < day)["day"].max() == day - dt.timedelta(days=gap + 1)
        before = set(mine.filter(day=day - dt.timedelta(days=gap + 1))["src"])
        again = before & set(mine.filter(day=day)["src"])
        assert len(again) >= 0.3 * len(before) if senders == "same" else not again
    assert returns.height > 25
    assert 0.4 <= (returns["senders"] == "new").mean() <= 0.6  # type: ignore[operator]


def test_a_drift_changes_ports_and_nothing_else() -> None:
    """On a day of drift a campaign works a port it never did, and goes on."""
    group = [{"role": "drift", "start": 3, "drift_days": 3, "renewal": [0.0]}]
    run = list(simulate_days(Scenario.preset("easy", days=10, senders=600, group=group)))
    drifts = pl.concat([day.events for day in run]).filter(event="drift")
    assert drifts.height == 9
    ports: dict[str, set[int]] = {}
    for day in run:
        seen = day.packets.join(day.members, on="src").drop_nulls("campaign")
        for (name,), part in seen.group_by("campaign"):
            now, known = set(part["dport"]), ports.get(str(name), set())
            drifted = drifts.filter(day=day.day, campaign=name).height == 1
            assert not known or bool(now - known) == drifted
            ports[str(name)] = known | now


def test_renewal_decides_who_comes_back() -> None:
    """Without renewal most senders of a day are there the next; with full renewal none is."""
    for renewal, low, high in ((0.0, 0.6, 1.0), (1.0, 0.0, 0.0)):
        scenario = Scenario(days=2, senders=1000, seed=3, renewal=renewal)
        one, two = (
            set(day.members.filter(kind="campaign")["src"]) for day in simulate_days(scenario)
        )
        assert low <= len(one & two) / len(one) <= high


def test_worms_grow_saturate_and_die_out() -> None:
    """A worm's senders at first grow by its factor a day, then stand, then fall, until none is."""
    group = [{"role": "worm", "start": 1, "growth": 2.0, "ceiling": 0.5, "decay": 0.6},
             {"role": "anchor", "start": 1}]  # fmt: skip
    run = list(simulate_days(Scenario.preset("worm", days=30, senders=4000, group=group)))
    counts = [day.members.filter(pl.col("campaign").str.ends_with("-000")).height for day in run]
    top = max(counts)
    assert 1500 <= top <= 2500
    early = [count for count in counts[: counts.index(top)] if 60 < count < 0.3 * top]
    assert len(early) >= 3
    factors = [after / before for before, after in itertools.pairwise(early)]
    assert all(1.5 < factor < 2.6 for factor in factors)
    assert len([count for count in counts if count > 0.9 * top]) >= 3
    assert counts[-1] == 0


def test_what_was_planted_agrees_with_members(tmp_path: Path) -> None:
    """First, last and number of days of every campaign are those of its members."""
    paths = simulate(Scenario.preset("hard", days=20, senders=400), tmp_path)
    seen = (
        pl.read_parquet(paths.members).drop_nulls("campaign").group_by("campaign", "kind")
        .agg(first_day=pl.col("day").min(), last_day=pl.col("day").max(),
             days_active=pl.col("day").n_unique().cast(pl.Int64))
        .sort("campaign")
    )  # fmt: skip
    assert pl.read_parquet(paths.campaigns).select(seen.columns).equals(seen)
