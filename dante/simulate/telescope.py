"""Runs a scenario day by day and writes its packets and its truth."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from dante.errors import UsageError
from dante.simulate.addresses import draw_addresses
from dante.simulate.background import backscatter_traffic, noise_traffic
from dante.simulate.campaign import Campaign
from dante.simulate.headers import packets
from dante.simulate.pcap import write_pcap
from dante.simulate.plan import plan
from dante.simulate.rosters import Rosters
from dante.simulate.scenario import Scenario
from dante.simulate.streams import BACKGROUND, DAY, HEADERS, stream
from dante.simulate.text import scenario_toml
from dante.simulate.traffic import Traffic, campaign_traffic
from dante.simulate.truth import EVENTS, MEMBERS, campaign_truth, event_truth

__all__ = ["PacketFormat", "SimulatedDay", "TruthPaths", "simulate", "simulate_days"]

PacketFormat = Literal["parquet", "pcap"]
"""How packets are written: canonical Parquet, or captures, which have no sensor."""


@dataclass(frozen=True)
class SimulatedDay:
    """One day: its packets (`PACKETS`, in order of time) and truth (`MEMBERS`, `EVENTS`)."""

    day: dt.date
    packets: pl.DataFrame
    members: pl.DataFrame
    events: pl.DataFrame


@dataclass(frozen=True)
class TruthPaths:
    """Where a simulation was written: a folder of packets, and three files of truth."""

    packets: Path
    members: Path
    events: Path
    campaigns: Path


def simulate_days(scenario: Scenario) -> Iterator[SimulatedDay]:
    """The days of a scenario, one at a time.

    Day d depends on the scenario and d alone: a longer run begins with the same days.
    """
    return _days(scenario, plan(scenario))


def _days(scenario: Scenario, campaigns: Sequence[Campaign]) -> Iterator[SimulatedDay]:
    rosters = Rosters(campaigns, scenario.seed)
    background = scenario.background
    noise = round(scenario.senders * background.noise)
    victims = round(scenario.senders * background.backscatter)
    for day in range(scenario.days):
        date = scenario.first_day + dt.timedelta(days=day)
        parts: list[Traffic] = []
        labels: list[tuple[str | None, str, int]] = []
        for campaign, src in rosters.advance(day):
            rng = stream(scenario.seed, DAY, day, campaign.index, 1)
            parts.append(campaign_traffic(campaign, src, day, rng))
            name = campaign.name if campaign.known else None
            labels.append((name, campaign.kind, src.size))
        rng = stream(scenario.seed, BACKGROUND, day)
        others = draw_addresses(rng, noise + victims, rosters.held)
        parts.append(noise_traffic(others[:noise], background, rng))
        parts.append(backscatter_traffic(others[noise:], rng))
        labels += [(None, "noise", noise), (None, "backscatter", victims)]
        traffic = Traffic.concat(parts)
        del parts
        yield SimulatedDay(
            day=date,
            packets=packets(traffic, date, stream(scenario.seed, HEADERS, day)),
            members=_members(date, traffic.src, labels),
            events=event_truth(campaigns, day, date),
        )


def _members(
    date: dt.date, src: np.ndarray, labels: list[tuple[str | None, str, int]]
) -> pl.DataFrame:
    names = pl.Series([name for name, _, _ in labels], dtype=pl.String)
    kinds = pl.Series([kind for _, kind, _ in labels], dtype=pl.String)
    label = np.repeat(np.arange(len(labels)), [size for _, _, size in labels])
    columns = [pl.repeat(date, src.size, dtype=pl.Date, eager=True),
               src, names.gather(label), kinds.gather(label)]  # fmt: skip
    return pl.DataFrame(dict(zip(MEMBERS, columns, strict=True)), schema=MEMBERS).sort("src")


def simulate(scenario: Scenario, out: Path, form: PacketFormat = "parquet") -> TruthPaths:
    """Write a scenario to `out`: `packets/<day>.parquet` (or `.pcap`), `truth/*.parquet` and
    `truth/scenario.toml`, from which the same can be made again.

    Memory holds one day at a time. The truth is written last and whole, so a folder without
    `truth/campaigns.parquet` is an unfinished one. Raises `UsageError` if `out/packets` already
    holds anything: days of two simulations must never mix.
    """
    import pyarrow.parquet as pq

    folder, truth = out / "packets", out / "truth"
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; simulate into a new folder or remove this one.")
    folder.mkdir(parents=True, exist_ok=True)
    truth.mkdir(parents=True, exist_ok=True)
    (truth / "scenario.toml").write_text(scenario_toml(scenario), encoding="utf-8")
    paths = TruthPaths(
        packets=folder,
        members=truth / "members.parquet",
        events=truth / "events.parquet",
        campaigns=truth / "campaigns.parquet",
    )
    campaigns = plan(scenario)
    oldest = pl.CompatLevel.oldest()
    schema = pl.DataFrame(schema=MEMBERS).to_arrow(compat_level=oldest).schema
    events = [pl.DataFrame(schema=EVENTS)]
    with pq.ParquetWriter(paths.members, schema, compression="zstd") as writer:
        for day in _days(scenario, campaigns):
            if form == "pcap":
                write_pcap(day.packets, folder / f"{day.day}.pcap")
            else:
                day.packets.write_parquet(folder / f"{day.day}.parquet", compression="zstd")
            writer.write_table(day.members.to_arrow(compat_level=oldest))
            events.append(day.events)
    pl.concat(events).write_parquet(paths.events)
    campaign_truth(campaigns, scenario.days, scenario.first_day).write_parquet(paths.campaigns)
    return paths
