"""The systems that are compared: ours through its pipeline, and its rivals through their door."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from benchmarks.closure import ROOT, code_digest
from benchmarks.told import Told

if TYPE_CHECKING:
    from benchmarks.rivals import Day

__all__ = ["OURS", "SYSTEMS", "ask", "describe", "system_digest"]

OURS: Final = {"dante": "DANTE, this project", "dante-ports": "the same, without headers"}
"""Ours as it is, and with the columns of the header nulled out, as where a source has none."""

_MODULES: Final = {
    "dante-published": "benchmarks.rivals.dante_published",
    "novtrack": "benchmarks.rivals.novtrack",
    "novtrack-best": "benchmarks.rivals.novtrack",
    "darkvec": "benchmarks.rivals.darkvec",
    "portsets": "benchmarks.rivals.portsets",
    "tfidf": "benchmarks.rivals.tfidf",
    "trivial": "benchmarks.rivals.trivial",
}
SYSTEMS: Final = (*OURS, *_MODULES)
"""All systems, in the order of the tables."""


def describe(system: str) -> str:
    """What a system is, in a clause."""
    if system in OURS:
        return OURS[system]
    from benchmarks.rivals import MEANINGS

    return MEANINGS[system]


def system_digest(system: str) -> str:
    """Digest of the code that decides what a system says, and of our settings.

    `DANTE_*` variables change settings, so that one can be tried out on all telescopes.
    """
    if system in OURS:
        from dante.config import load_settings

        contracts = tuple((ROOT / "data_contracts").glob("*.yaml"))
        settings = load_settings(ROOT / "no-home").fingerprint()
        return f"{code_digest('benchmarks.ours', more=contracts)}-{settings}"
    return code_digest(_MODULES[system], "benchmarks.rivals.door")


def ask(system: str, packets: Path, scratch: Path) -> Told:
    """What a system says of a folder of packets, a Parquet file a day.

    `scratch` is a folder of its own, for whatever it keeps.
    """
    if system in OURS:
        from benchmarks.ours import ask_ours

        return ask_ours(packets, scratch, headers=system == "dante")
    from benchmarks.rivals import RIVALS, TELLS, answered

    told = answered(RIVALS[system], _days(packets), lineage=system in TELLS)
    return Told(told.memberships, told.lineage, None)


def _days(packets: Path) -> Iterator["Day"]:
    from datetime import date

    from benchmarks.rivals import Day

    for path in sorted(packets.glob("*.parquet")):
        yield Day(date.fromisoformat(path.stem), pl.read_parquet(path, glob=False))
