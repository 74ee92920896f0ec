"""The packets of a simulated telescope, through the public functions."""

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dante.errors import UsageError
from dante.schema import PACKETS
from dante.simulate import PRESETS, Scenario, SimulatedDay, simulate, simulate_days


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", ["parquet", "pcap"])
def test_the_same_scenario_gives_the_same_bytes(tmp_path: Path, preset: str, form: str) -> None:
    """Two runs of one scenario write the same files, byte for byte."""
    scenario = Scenario.preset(preset, days=3, senders=300, seed=5)
    simulate(scenario, tmp_path / "a", form)  # type: ignore[arg-type]
    simulate(scenario, tmp_path / "b", form)  # type: ignore[arg-type]
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    days = [scenario.first_day.replace(day=number) for number in (1, 2, 3)]
    truths = {f"truth/{name}.parquet" for name in ("members", "events", "campaigns")}
    truths |= {"truth/scenario.toml"}
    assert Scenario.read(tmp_path / "a" / "truth" / "scenario.toml") == scenario
    assert set(_digests(tmp_path / "a")) == truths | {f"packets/{day}.{form}" for day in days}


def test_another_seed_gives_other_bytes(tmp_path: Path) -> None:
    """No day's packets and no truth survive a change of seed."""
    a = simulate(Scenario(days=2, senders=300, seed=5), tmp_path / "a")
    b = simulate(Scenario(days=2, senders=300, seed=6), tmp_path / "b")
    one, other = _digests(a.packets.parent), _digests(b.packets.parent)
    assert all(one[name] != other[name] for name in one)


@pytest.mark.parametrize("longer", [15, 29])
def test_a_longer_run_begins_with_the_same_days(
    small: Scenario, run: list[SimulatedDay], longer: int
) -> None:
    """Packets, members and events of a day do not depend on how long the run goes on."""
    days = simulate_days(replace(small, days=longer))
    for ours, theirs in zip(run, itertools.islice(days, small.days), strict=True):
        assert ours.packets.equals(theirs.packets)
        assert ours.members.equals(theirs.members)
        assert ours.events.equals(theirs.events)


def test_tools_write_their_own_headers(tmp_path: Path) -> None:
    """Each tool and system can be told by sequence, IP ID, window, length and TTL."""
    scenario = Scenario(days=1, senders=4000, seed=2, campaigns=60)
    paths = simulate(scenario, tmp_path)
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
    assert by_tool["zmap-new"]["ip_id"].n_unique() > 50
    for tool in ("zmap", "zmap-new"):
        assert (by_tool[tool]["tcp_window"] == 65535).all()
    mixed = by_tool["masscan"].select(
        (pl.col("dst") ^ pl.col("dport").cast(pl.UInt64) ^ pl.col("tcp_seq").cast(pl.UInt64))
        % 65536
    )
    assert (mixed.to_series() == by_tool["masscan"]["ip_id"]).all()
    lengths = {"mirai": 40, "zmap": 40, "zmap-new": 52, "masscan": 40, "nmap": 44, "linux": 60,
               "windows": 52}  # fmt: skip
    initial = {"mirai": 64, "zmap": 255, "zmap-new": 255, "masscan": 255, "nmap": 59, "linux": 64,
               "windows": 128}  # fmt: skip
    assert set(by_tool) == set(lengths)
    for tool, part in by_tool.items():
        least = initial[tool] - (46 if tool == "nmap" else 24)
        assert part["ttl"].is_between(least, initial[tool] - 5).all()
        assert (part["length"] == lengths[tool]).all()


def test_source_ports_are_those_of_the_tool(run: list[SimulatedDay]) -> None:
    """A sender of Mirai or masscan keeps one source port all day; Linux takes its ephemeral."""
    packets = run[0].packets.join(run[0].members, on="src").filter(pl.col("kind") == "campaign")
    mirai = packets.filter(pl.col("tcp_seq") == pl.col("dst"))
    assert mirai.height > 100
    assert (mirai.group_by("src").agg(pl.col("sport").n_unique())["sport"] == 1).all()
    linux = packets.filter((pl.col("length") == 60) & (pl.col("proto") == 6))
    assert linux["sport"].is_between(32768, 60999).all()


def test_what_a_protocol_lacks_is_null(run: list[SimulatedDay]) -> None:
    """UDP and ICMP have no TCP fields, ICMP no source port, `packets` is null, nothing else is."""
    tcp, icmp = pl.col("proto") == 6, pl.col("proto") == 1
    for day in run:
        assert day.packets.schema == pl.Schema(PACKETS)
        for name in PACKETS:
            present = pl.lit(name != "packets")
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


def test_a_burst_keeps_to_its_hours(month: list[SimulatedDay]) -> None:
    """A campaign with timing `burst` sends within three hours around its peak, every day."""
    scenario = Scenario.preset(
        "easy", days=3, senders=400, group=[{"role": "anchor", "start": 5, "timing": ["burst"]}]
    )
    for day in simulate_days(scenario):
        seen = day.packets.join(day.members, on="src").drop_nulls("campaign")
        span = seen.group_by("campaign").agg(pl.col("ts").max() - pl.col("ts").min())["ts"]
        assert (span.dt.total_minutes() <= 180).all()


def test_concentrated_campaigns_sit_in_their_networks() -> None:
    """With 2 networks most senders share two /16; with 0 hardly any share one."""
    shares = {}
    for count in (2, 0):
        group = [{"role": "anchor", "start": 3, "networks": [count]}]
        day = next(simulate_days(Scenario.preset("easy", days=1, senders=2000, group=group)))
        seen = day.members.drop_nulls("campaign").with_columns(net=pl.col("src") // 65536)
        top = seen.group_by("campaign", "net").len().group_by("campaign").agg(
            pl.col("len").top_k(2).sum() / pl.col("len").sum()
        )  # fmt: skip
        shares[count] = top["len"]
    assert float(shares[2].min()) > 0.75  # type: ignore[arg-type]
    assert float(shares[0].max()) < 0.2  # type: ignore[arg-type]


def test_a_flood_outweighs_its_day(run: list[SimulatedDay]) -> None:
    """Some campaign of a few senders and one day sends more than half of that day's packets."""
    seen = (
        pl.concat([day.members for day in run]).drop_nulls("campaign")
        .group_by("campaign")
        .agg(days=pl.col("day").n_unique(), senders=pl.len(), day=pl.col("day").first())
    )  # fmt: skip
    shares = []
    for name, _, _, date in seen.filter(days=1).filter(pl.col("senders") < 15).iter_rows():
        day = next(day for day in run if day.day == date)
        mine = day.members.filter(campaign=name)["src"].implode()
        shares.append(day.packets.select(pl.col("src").is_in(mine).mean()).item())
    assert max(shares) > 0.5


def test_misconfigured_hosts_call_one_address(month: list[SimulatedDay]) -> None:
    """Misconfigured hosts are many, call few ports and addresses, and come again the next day."""
    before: set[int] = set()
    for day in month:
        mine = day.members.filter(kind="misconfiguration")
        calls = day.packets.join(mine, on="src").select("dst", "dport").unique()
        assert mine.height >= 20
        assert calls.height == calls["dst"].n_unique() <= 6
        now = set(mine["src"])
        assert not before or len(now & before) > 0.3 * len(now)
        before = now


def test_a_simulation_never_mixes_with_another(tmp_path: Path) -> None:
    """A folder that already holds packets is refused and left as it is."""
    simulate(Scenario(days=1, senders=100), tmp_path)
    before = _digests(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        simulate(Scenario(days=2, senders=100), tmp_path)
    assert _digests(tmp_path) == before
