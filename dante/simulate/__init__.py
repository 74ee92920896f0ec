"""A seeded telescope: packets of planted campaigns, noise and backscatter, and the truth."""

from dante.simulate.pcap import write_pcap
from dante.simulate.scenario import PRESETS, Background, Group, Scenario
from dante.simulate.telescope import (
    PacketFormat,
    SimulatedDay,
    TruthPaths,
    simulate,
    simulate_days,
)
from dante.simulate.text import scenario_toml

__all__ = [
    "PRESETS",
    "Background",
    "Group",
    "PacketFormat",
    "Scenario",
    "SimulatedDay",
    "TruthPaths",
    "scenario_toml",
    "simulate",
    "simulate_days",
    "write_pcap",
]
