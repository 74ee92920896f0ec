"""Which births, returns and outbreaks are threats: the stated test, with its reasons in words.

The score is the sum of six parts, each in 0..1 times its weight in `WEIGHTS`, less half as large
a share of it as that of its senders who are known benign scanners:

novelty      births: 1 - the similarity to the nearest track there ever was; returns: days
             away / 30; outbreaks: log2 of today's senders over its fullest day before / 4.
growth       how many times more senders use the port that tells most than the model's window
             would have them: log2 / 4, so 16 times is 1; or, of a worm, doublings a day.
size         senders against the fewest that make a cluster: log10, so ten times is 1.
breadth      the /24 networks (IPv6: /48) they are in: log10 / 2, so 100 are 1.
persistence  days with a cluster since its birth or return beyond the first, / 3.
tool         1: one that botnets carry; 0: one that anybody may scan with; 0.5: none known.

A track born or returned within `threat.news_days` may be a threat when its score reaches
`threat.min_score`, it has `threat.min_senders` senders, and not half of them are known benign
scanners; and again only on a day on which its senders have doubled since it was last called one. So
may any other track on a day with `OUTBREAK` times the senders of its fullest day before.
Tracks born in the first `threat.history_days` are no threats: without a past everything is new.

Of a day's, the `threat.per_day` of the highest scores are called threats; the others are held. What
is held counts as not called, so while it is news it is judged again every day it is seen.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from dante.tracking.shapes import Curve, Volume, shape_of

__all__ = ["OUTBREAK", "THREATS", "WEIGHTS", "Sighting", "choose", "judge", "threat_key"]

THREATS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "track_id": pl.Int32(),
    "kind": pl.String(),
    "score": pl.Float64(),
    "reasons": pl.String(),
    "senders": pl.Int64(),
    "key": pl.String(),
    "shape": pl.String(),
    "news_day": pl.Date(),
}

WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "novelty": 0.35,
        "growth": 0.35,
        "size": 0.1,
        "breadth": 0.1,
        "persistence": 0.05,
        "tool": 0.05,
    }
)

OUTBREAK: Final = 3
"""How many times its fullest day so far a track must have senders to be news again."""

_BOTS: Final = frozenset({"mirai"})


@dataclass(frozen=True)
class Sighting:
    """A track lately born or returned, or on a day of outbreak, and the numbers it is judged by.

    Attributes:
        track_id, name: the track.
        news_day: day of its birth, return or outbreak.
        age: days since then.
        away: days it was away before its return; None for a birth.
        nearest: name of the track most alike of all before its birth, None if there is none.
        alike: similarity to it, 0..1.
        port: the port that tells most, as text.
        port_senders: senders of the day that use it.
        expected: senders the model's window would have on a day like this.
        networks: /24s (IPv6: /48s) its senders are in.
        benign: how many of them are known benign scanners.
        tool: the tool half of them show, None where none is known.
        volume: its senders, packets and ports, beside the day's.
        curve: its senders since `news_day`.
        raised: its senders when it was last called a threat, 0 if it was not.
        fullest: of an outbreak, the senders of its fullest day before; None for others.
    """

    track_id: int
    name: str
    news_day: date
    age: int
    away: int | None
    nearest: str | None
    alike: float
    port: str
    port_senders: int
    expected: float
    networks: int
    benign: int
    tool: str | None
    volume: Volume
    curve: Curve
    raised: int
    fullest: int | None = None

    @property
    def kind(self) -> str:
        """`new`, `returned` or `grown`."""
        if self.fullest is not None:
            return "grown"
        return "new" if self.away is None else "returned"

    @property
    def senders(self) -> int:
        """Of the track today."""
        return self.volume.senders


def threat_key(name: str, news_day: date) -> str:
    """What a threat is known by on all its sightings: the track and the day of its news."""
    return f"{name}@{news_day}"


def judge(
    sighting: Sighting, day: date, *, min_cluster: int, min_senders: int, min_score: float
) -> dict[str, Any] | None:
    """A row of `threats`, or None where the sighting passes no test."""
    if sighting.senders < min_senders or 2 * sighting.benign >= sighting.senders:
        return None
    if sighting.senders < 2 * sighting.raised:
        return None
    parts = _parts(sighting, min_cluster)
    trust = 1 - sighting.benign / sighting.senders / 2
    score = round(sum(WEIGHTS[name] * part for name, part in parts.items()) * trust, 4)
    if score < min_score:
        return None
    return {
        "day": day,
        "track_id": sighting.track_id,
        "kind": sighting.kind,
        "score": score,
        "reasons": "; ".join([*_reasons(sighting), _sum(parts, trust)]),
        "senders": sighting.senders,
        "key": threat_key(sighting.name, sighting.news_day),
        "shape": shape_of(sighting.volume, sighting.curve),
        "news_day": sighting.news_day,
    }


def choose(
    found: Sequence[Mapping[str, Any]], *, per_day: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that are called threats, highest score first, and those held beyond the budget."""
    ranked = pl.DataFrame(found, schema=THREATS).sort("score", "track_id", descending=[True, False])
    return ranked.head(per_day), ranked.slice(per_day)


def _parts(sighting: Sighting, min_cluster: int) -> dict[str, float]:
    times = sighting.port_senders / (sighting.expected + 1)
    growth = math.log2(max(times, 1e-9)) / 4
    if sighting.curve.grows:
        growth = max(growth, math.log2(sighting.curve.times))
    if sighting.fullest is not None:
        novelty = math.log2(sighting.senders / sighting.fullest) / 4
    elif sighting.away is not None:
        novelty = sighting.away / 30
    else:
        novelty = 1 - sighting.alike
    tool = 0.5 if sighting.tool is None else float(sighting.tool in _BOTS)
    parts = {
        "novelty": novelty,
        "growth": growth,
        "size": math.log10(sighting.senders / min_cluster),
        "breadth": math.log10(max(sighting.networks, 1)) / 2,
        "persistence": (len(sighting.curve.senders) - 1) / 3,
        "tool": tool,
    }
    return {name: min(1.0, max(0.0, part)) for name, part in parts.items()}


def _reasons(sighting: Sighting) -> list[str]:
    reasons = []
    if sighting.fullest is not None:
        reasons.append(
            f"an outbreak: {sighting.senders} senders where its fullest day had {sighting.fullest}"
        )
    elif sighting.away is not None:
        reasons.append(f"back after {_days(sighting.away)}")
    elif sighting.nearest is None or sighting.alike < 0.05:
        reasons.append("nothing like it before")
    else:
        reasons.append(
            f"unlike any before (nearest {sighting.nearest}, likeness {sighting.alike:.2f})"
        )
    if sighting.age:
        since = "born" if sighting.away is None else "returned"
        seen = len(sighting.curve.senders)
        grown = f", then {sighting.raised} senders when called" if sighting.raised else ""
        reasons.append(f"{since} {_days(sighting.age)} ago, seen on {_days(seen)}{grown}")
    usual = f"{sighting.expected:.1f} a day are" if sighting.expected >= 0.05 else "none is"
    reasons.append(
        f"{sighting.port_senders} senders in all try {sighting.port} where {usual} usual"
    )
    reasons.append(f"{sighting.senders} senders from {sighting.networks} networks are in it")
    reasons += _form(sighting)
    if sighting.tool is not None:
        reasons.append(f"most of them scan with {sighting.tool}")
    if sighting.benign:
        reasons.append(f"{sighting.benign} of them are known benign scanners")
    return reasons


def _form(sighting: Sighting) -> list[str]:
    """What makes it a worm, a flood or a sweep, with the numbers."""
    volume, curve = sighting.volume, sighting.curve
    match shape_of(volume, curve):
        case "sweep":
            most = round(100 * volume.in_one_network / volume.senders)
            return [f"a sweep of {volume.ports} ports, {most}% of it from one network"]
        case "flood":
            each = round(volume.packets / volume.senders)
            return [
                f"a flood: {volume.share:.0%} of the day's packets, {each} a sender where others "
                f"send {volume.others:.1f}"
            ]
        case "worm":
            days = ", ".join(map(str, curve.senders))
            return [f"it grows like a worm, {curve.times:.2f} times a day (senders: {days})"]
        case _:
            return []


def _sum(parts: Mapping[str, float], trust: float) -> str:
    terms = " + ".join(f"{WEIGHTS[name] * part:.2f} {name}" for name, part in parts.items())
    return terms if trust == 1 else f"({terms}) × {trust:.2f} for the benign"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
