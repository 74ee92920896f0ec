"""Which births and returns are threats: the stated test, with its reasons in words.

The score is 0.4 x novelty + 0.4 x growth + 0.2 x size, each in 0..1:

novelty   births: 1 - the similarity to the nearest track there ever was; returns: days away / 30.
growth    how many times more senders use the port that tells most than the model's window
          would have them: log2 / 4, so 16 times is 1.
size      senders against the fewest that make a cluster: log10, so ten times is 1.

A track born or returned within `threat.news_days` is a threat when its score reaches
`threat.min_score`, it has `threat.min_senders` senders, and not half of them are known benign
scanners; it is one again only on a day on which its senders have doubled since. Tracks
born in the first `threat.history_days` are no threats: without a past everything is new.
"""

import math
from dataclasses import dataclass
from datetime import date

import polars as pl

__all__ = ["THREATS", "Sighting", "judge"]

THREATS = {
    "day": pl.Date(),
    "track_id": pl.Int32(),
    "kind": pl.String(),
    "score": pl.Float64(),
    "reasons": pl.String(),
    "senders": pl.Int64(),
}


@dataclass(frozen=True)
class Sighting:
    """A track lately born or returned, on one of its days, and the numbers it is judged by.

    Attributes:
        track_id, name: the track.
        age: days since its birth or return.
        away: days it was away before its return; None for a birth.
        nearest: name of the track most alike of all before its birth, None if there is none.
        alike: similarity to it, 0..1.
        port: the port that tells most, as text.
        port_senders: senders of the day that use it.
        expected: senders the model's window would have on a day like this.
        senders: of the track today.
        networks: /24s (IPv6: /48s) they are in.
        benign: how many of them are known benign scanners.
        raised: its senders when it was last called a threat, 0 if it was not.
    """

    track_id: int
    name: str
    age: int
    away: int | None
    nearest: str | None
    alike: float
    port: str
    port_senders: int
    expected: float
    senders: int
    networks: int
    benign: int
    raised: int


def judge(
    sighting: Sighting, day: date, *, min_cluster: int, min_senders: int, min_score: float
) -> dict[str, object] | None:
    """A row of `threats`, or None where the sighting passes no test."""
    if sighting.senders < min_senders or 2 * sighting.benign >= sighting.senders:
        return None
    if sighting.senders < 2 * sighting.raised:
        return None
    ratio = sighting.port_senders / (sighting.expected + 1)
    growth = min(1.0, max(0.0, math.log2(max(ratio, 1e-9)) / 4))
    size = min(1.0, max(0.0, math.log10(sighting.senders / min_cluster)))
    novelty = 1 - sighting.alike if sighting.away is None else min(1.0, sighting.away / 30)
    score = round(0.4 * novelty + 0.4 * growth + 0.2 * size, 4)
    if score < min_score:
        return None
    return {
        "day": day,
        "track_id": sighting.track_id,
        "kind": "new" if sighting.away is None else "returned",
        "score": score,
        "reasons": "; ".join([*_reasons(sighting), _sum(novelty, growth, size)]),
        "senders": sighting.senders,
    }


def _reasons(sighting: Sighting) -> list[str]:
    reasons = []
    if sighting.away is not None:
        reasons.append(f"back after {_days(sighting.away)}")
    elif sighting.nearest is None or sighting.alike < 0.05:
        reasons.append("nothing like it before")
    else:
        reasons.append(
            f"unlike any before (nearest {sighting.nearest}, likeness {sighting.alike:.2f})"
        )
    if sighting.age:
        since = "born" if sighting.away is None else "returned"
        grown = f", then {sighting.raised} senders" if sighting.raised else ""
        reasons.append(f"{since} {_days(sighting.age)} ago{grown}")
    usual = f"{sighting.expected:.1f} a day are" if sighting.expected >= 0.05 else "none is"
    reasons.append(
        f"{sighting.port_senders} senders in all try {sighting.port} where {usual} usual"
    )
    reasons.append(f"{sighting.senders} senders from {sighting.networks} networks are in it")
    if sighting.benign:
        reasons.append(f"{sighting.benign} of them are known benign scanners")
    return reasons


def _sum(novelty: float, growth: float, size: float) -> str:
    return f"{0.4 * novelty:.2f} novelty + {0.4 * growth:.2f} growth + {0.2 * size:.2f} size"


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"
