"""When a campaign ends, sleeps and changes its ports."""

from dataclasses import replace
from typing import Final

import numpy as np

from dante.simulate.campaign import NEVER, Campaign, Phase, Sleep
from dante.simulate.draw import one_other_port
from dante.simulate.roles import Traits

__all__ = ["dated"]

_HORIZON: Final = 4000  # days for which sleeps and drifts are planned


def dated(campaign: Campaign, traits: Traits, turn: int, rng: np.random.Generator) -> Campaign:
    """The campaign with its end, sleeps and drift; `turn` alternates whose sleep is which."""
    first = campaign.first
    if campaign.role == "flood":
        return replace(campaign, end=first + 1)
    if campaign.role == "worm":
        return campaign
    life = traits.shortest + int(rng.exponential(traits.life)) if traits.life else NEVER
    campaign = replace(campaign, end=min(NEVER, first + life))
    if campaign.role == "drift":
        campaign = replace(campaign, phases=_drifts(campaign, traits.drift_days, rng))
    if rng.random() < traits.sleeps:
        campaign = replace(campaign, sleeps=_sleeps(campaign, traits, turn, rng))
    return campaign


def _drifts(campaign: Campaign, every: int, rng: np.random.Generator) -> tuple[Phase, ...]:
    phases = [campaign.phases[0]]
    last = min(campaign.end, campaign.first + _HORIZON)
    for day in range(campaign.first + every, last, every):
        phases.append(Phase(day, one_other_port(rng, phases[-1].ports), phases[-1].size))
    return tuple(phases)


def _sleeps(
    campaign: Campaign, traits: Traits, turn: int, rng: np.random.Generator
) -> tuple[Sleep, ...]:
    """Sleeps up to the end, each after some days awake and followed by at least three."""
    sleeps: list[Sleep] = []
    start = campaign.first + int(rng.integers(traits.awake[0], traits.awake[1] + 1))
    last = min(campaign.end, campaign.first + _HORIZON)
    most = 10**6 if campaign.role == "sleeper" else 1
    while len(sleeps) < most:
        # Even over orders of magnitude: short absences are the most, long ones are there.
        shortest, longest = np.log(traits.gap[0]), np.log(traits.gap[1] + 1)
        gap = int(np.exp(rng.uniform(shortest, longest)))
        until = start + min(max(gap, traits.gap[0]), traits.gap[1])
        if until + 3 > last:
            break
        # Not drawn but dealt, so that the share holds in a run with few returns too.
        nth = turn + len(sleeps)
        same = int((nth + 1) * traits.same_senders) > int(nth * traits.same_senders)
        sleeps.append(Sleep(start, until, same))
        start = until + int(rng.integers(traits.awake[0], traits.awake[1] + 1))
    return tuple(sleeps)
