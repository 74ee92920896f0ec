"""The simulated telescope and its truth, through the public functions."""

import datetime as dt
import hashlib
import ipaddress
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.errors import UsageError
from dante.schema import PACKETS, backscatter
from dante.simulate import Scenario, SimulatedDay, simulate, simulate_days

SMALL = Scenario(days=14, senders=600, seed=11)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="module")
def run() -> list[SimulatedDay]:
    """Two weeks of a small telescope."""
    return list(simulate_days(SMALL))


@pytest.fixture(scope="module")
def members(run: list[SimulatedDay]) -> pl.DataFrame:
    """Its true members."""
    return pl.concat([day.members for day in run])


@pytest.fixture(scope="module")
def events(run: list[SimulatedDay]) -> pl.DataFrame:
    """Its true events."""
    return pl.concat([day.events for day in run])


def test_the_same_scenario_gives_the_same_bytes(tmp_path: Path) -> None:
    """Two runs of one scenario write the same files, byte for byte."""
    scenario = Scenario(days=3, senders=300, seed=5)
    simulate(scenario, tmp_path / "a")
    simulate(scenario, tmp_path / "b")
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    assert set(_digests(tmp_path / "a")) == {
        "packets/2025-03-01.parquet",
        "packets/2025-03-02.parquet",
        "packets/2025-03-03.parquet",
        "truth/members.parquet",
        "truth/events.parquet",
        "truth/campaigns.parquet",
    }


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    """No day's packets and no truth survive a change of seed."""
    a = simulate(Scenario(days=2, senders=300, seed=5), tmp_path / "a")
    b = simulate(Scenario(days=2, senders=300, seed=6), tmp_path / "b")
    one, other = _digests(a.packets.parent), _digests(b.packets.parent)
    assert all(one[name] != other[name] for name in one)


@pytest.mark.parametrize("longer", [15, 29])
def test_a_longer_run_begins_with_the_same_days(run: list[SimulatedDay], longer: int) -> None:
    """Packets, members and events of a day do not depend on how long the run goes on."""
    days = simulate_days(replace(SMALL, days=longer))
    for ours, theirs in zip(run, itertools.islice(days, SMALL.days), strict=True):
        assert ours.packets.equals(theirs.packets)
        assert ours.members.equals(theirs.members)
        assert ours.events.equals(theirs.events)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**63),
    senders=st.integers(50, 3000),
    campaigns=st.none() | st.integers(1, 45),
    noise=st.floats(0, 0.6),
    renewal=st.none() | st.sampled_from([0.0, 0.5, 1.0]),
)
def test_every_sender_has_one_truth_a_day(
    seed: int, senders: int, campaigns: int | None, noise: float, renewal: float | None
) -> None:
    """For any scenario, a day's senders are exactly the truth's, each once, none private."""
    scenario = Scenario(3, senders, seed, dt.date(2025, 3, 1), campaigns, noise, 0.03, renewal)
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


def test_only_backscatter_is_backscatter(run: list[SimulatedDay]) -> None:
    """Replies come from the senders that truth calls backscatter, and these send nothing else."""
    for day in run:
        seen = day.packets.with_columns(backscatter()).join(day.members, on="src", how="left")
        assert (seen["backscatter"] == (seen["kind"] == "backscatter")).all()


def test_only_campaigns_have_names(members: pl.DataFrame) -> None:
    """Noise and backscatter belong to no campaign; campaigns and the benign one have names."""
    named = pl.col("campaign").is_not_null()
    assert members.select((pl.col("kind").is_in(["campaign", "benign"]) == named).all()).item()
    assert set(members["kind"]) == {"campaign", "benign", "noise", "backscatter"}


def test_events_agree_with_members(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """Replaying a campaign's events gives exactly the days on which it has senders."""
    days = sorted(members["day"].unique())
    for name in sorted(events["campaign"].unique()):
        mine = dict(events.filter(campaign=name).select("day", "event").iter_rows())
        awake, expected = False, []
        for day in days:
            if day in mine:
                awake = mine[day] in ("birth", "split", "recur")
            if awake:
                expected.append(day)
        assert sorted(members.filter(campaign=name)["day"].unique()) == expected
    assert set(events["campaign"]) == set(members["campaign"].drop_nulls())


def test_a_campaign_begins_once(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """The first day of every campaign is that of its one birth, or of its split from another."""
    first = members.drop_nulls("campaign").group_by("campaign").agg(pl.col("day").min())
    begins = events.filter(pl.col("event").is_in(["birth", "split"])).select("campaign", "day")
    assert begins.sort("campaign").equals(first.sort("campaign"))


def test_two_weeks_hold_every_kind_of_event(events: pl.DataFrame) -> None:
    """Births, sleeps, returns, ends, a split and a merge are all there within ten days."""
    early = events.filter(pl.col("day") < SMALL.first_day + dt.timedelta(days=10))
    assert set(early["event"]) == {"birth", "sleep", "recur", "end", "split", "merge"}
    related = events.filter(pl.col("related").is_not_null())
    assert set(related["event"]) == {"split", "merge"}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), senders=st.integers(300, 1000))
def test_ten_days_hold_a_split_and_a_merge(seed: int, senders: int) -> None:
    """Whatever the seed, a span of ten days holds one split and one merge."""
    days = simulate_days(Scenario(days=10, senders=senders, seed=seed))
    events = pl.concat([day.events for day in days])["event"]
    assert (events == "split").sum() == (events == "merge").sum() == 1


@pytest.mark.parametrize("seed", range(6))
def test_a_third_of_the_campaigns_are_born_later(seed: int) -> None:
    """Of the campaigns of two weeks, about a third are born after the first day."""
    days = simulate_days(Scenario(days=14, senders=300, seed=seed))
    events = pl.concat([day.events for day in days]).filter(event="birth")
    later = (events["day"] > dt.date(2025, 3, 1)).mean()
    assert isinstance(later, float)
    assert 0.25 <= later <= 0.4


def test_splits_and_merges_hand_over_senders(members: pl.DataFrame, events: pl.DataFrame) -> None:
    """A split takes senders from its parent, and a merge brings the absorbed one's senders."""
    for day, name, event, related in events.filter(
        pl.col("event").is_in(["split", "merge"])
    ).iter_rows():
        source, target = (related, name) if event == "split" else (name, related)
        before = members.filter(campaign=source, day=day - dt.timedelta(days=1))["src"]
        after = members.filter(campaign=target, day=day)["src"]
        assert len(set(before) & set(after)) >= 2


def test_renewal_decides_who_comes_back() -> None:
    """Without renewal most senders of a day are there the next; with full renewal none is."""
    for renewal, low, high in ((0.0, 0.6, 1.0), (1.0, 0.0, 0.0)):
        scenario = Scenario(days=2, senders=1000, seed=3, renewal=renewal)
        one, two = (
            set(day.members.filter(kind="campaign")["src"]) for day in simulate_days(scenario)
        )
        assert low <= len(one & two) / len(one) <= high


def test_tools_write_their_own_headers(tmp_path: Path) -> None:
    """Mirai, ZMap, masscan and systems can be told by sequence, IP ID, window and TTL."""
    paths = simulate(Scenario(days=1, senders=4000, seed=2, campaigns=40), tmp_path)
    tools = pl.read_parquet(paths.campaigns).select("campaign", "tool")
    packets = (
        pl.read_parquet(paths.packets / "2025-03-01.parquet")
        .join(pl.read_parquet(paths.members), on="src")
        .join(tools, on="campaign")
        .filter(pl.col("proto") == 6)
    )
    by_tool = {str(key[0]): part for key, part in packets.group_by("tool", maintain_order=True)}
    assert (by_tool["mirai"]["tcp_seq"] == by_tool["mirai"]["dst"]).all()
    assert (by_tool["zmap"]["ip_id"] == 54321).all()
    assert (by_tool["zmap"]["tcp_window"] == 65535).all()
    mixed = by_tool["masscan"].select(
        (pl.col("dst") ^ pl.col("dport").cast(pl.UInt64) ^ pl.col("tcp_seq").cast(pl.UInt64))
        % 65536
    )
    assert (mixed.to_series() == by_tool["masscan"]["ip_id"]).all()
    initial = {"mirai": 64, "zmap": 255, "masscan": 255, "linux": 64, "windows": 128}
    for tool, part in by_tool.items():
        assert part["ttl"].is_between(initial[tool] - 32, initial[tool] - 1).all()


def test_what_a_protocol_lacks_is_null(run: list[SimulatedDay]) -> None:
    """UDP and ICMP have no TCP fields, ICMP no source port, and nothing else is null."""
    tcp, icmp = pl.col("proto") == 6, pl.col("proto") == 1
    for day in run:
        for name in PACKETS:
            present = pl.lit(True)
            if name.startswith("tcp_"):
                present = tcp
            elif name == "sport":
                present = ~icmp
            assert day.packets.select((pl.col(name).is_not_null() == present).all()).item(), name


def test_packets_per_sender_are_heavy_tailed(run: list[SimulatedDay]) -> None:
    """The busiest hundredth of a quiet day's senders sends far more than its share."""
    counts = np.sort(run[0].packets.group_by("src").len()["len"].to_numpy())[::-1]
    busiest = counts[: counts.size // 100].sum()
    assert busiest > 0.15 * counts.sum()


def test_every_sensor_watches_its_own_addresses(run: list[SimulatedDay]) -> None:
    """There are several sensors, and each destination belongs to one of them."""
    pairs = pl.concat([day.packets.select("sensor", "dst") for day in run]).unique()
    assert pairs["sensor"].n_unique() == 3
    assert pairs["dst"].is_unique().all()


def test_a_flood_outweighs_its_day(run: list[SimulatedDay], members: pl.DataFrame) -> None:
    """Some campaign of a few senders and one day sends more than half of that day's packets."""
    seen = (
        members.drop_nulls("campaign")
        .group_by("campaign")
        .agg(
            pl.col("day").n_unique().alias("days"), pl.len().alias("senders"), pl.col("day").first()
        )
    )
    brief = seen.filter((pl.col("days") == 1) & (pl.col("senders") < 15))
    shares = []
    for name, _, _, date in brief.iter_rows():
        day = next(day for day in run if day.day == date)
        mine = day.members.filter(campaign=name)["src"].implode()
        shares.append(day.packets.select(pl.col("src").is_in(mine).mean()).item())
    assert max(shares) > 0.5


def test_a_simulation_never_mixes_with_another(tmp_path: Path) -> None:
    """A folder that already holds packets is refused and left as it is."""
    simulate(Scenario(days=1, senders=100), tmp_path)
    before = _digests(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        simulate(Scenario(days=2, senders=100), tmp_path)
    assert _digests(tmp_path) == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0},
        {"senders": 3},
        {"seed": -1},
        {"campaigns": 0},
        {"noise_share": 0.95},
        {"backscatter_share": -0.1},
        {"renewal": 1.5},
    ],
)
def test_an_impossible_scenario_is_refused(wrong: dict[str, float]) -> None:
    """A scenario that cannot be simulated is a usage error in one sentence."""
    with pytest.raises(UsageError):
        Scenario(**wrong)  # type: ignore[arg-type]
