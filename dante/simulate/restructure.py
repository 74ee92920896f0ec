"""Splits and merges among the campaigns that are there."""

from dataclasses import replace

import numpy as np

from dante.simulate.apart import told_apart
from dante.simulate.campaign import SMALLEST, Campaign, Phase
from dante.simulate.draw import draw_ports

__all__ = ["restructure"]

_SPAN = 14  # a campaign must live this long on to be fit
_MOST_RENEWED = 0.3


def restructure(
    campaigns: list[Campaign], begin: int, splits: int, merges: int, rng: np.random.Generator
) -> None:
    """So many splits and merges from `begin` on among the campaigns, as far as some are fit.

    Changes the list in place; nothing of it before `begin` + 4 days.
    """
    for _ in range(splits):
        day = begin + int(rng.integers(4, 9))
        fit = [c for c in campaigns if _fit(c, begin) and len(c.phase(begin).ports) >= 4
               and c.phase(begin).size >= 2 * SMALLEST]  # fmt: skip
        fit = _steady(fit)
        if fit:
            _split(campaigns, fit[int(rng.integers(len(fit)))], day, rng)
    for _ in range(merges):
        day = begin + int(rng.integers(4, 9))
        fit = _steady([c for c in campaigns if _fit(c, begin)])
        for place in rng.permutation(len(fit) * len(fit)):
            left, right = fit[place // len(fit)], fit[place % len(fit)]
            if left.index < right.index and _merge(campaigns, left, right, day):
                break


def _fit(campaign: Campaign, begin: int) -> bool:
    """Whether it is one of the plain, lasting campaigns that nothing else happens to."""
    return (
        campaign.role in ("anchor", "ordinary", "rival")
        and campaign.first <= begin
        and campaign.end > begin + _SPAN
        and campaign.merged_into < 0
        and all(sleep.until <= begin for sleep in campaign.sleeps)
        and campaign.phase(begin + _SPAN) == campaign.phase(begin)
    )


def _steady(fit: list[Campaign]) -> list[Campaign]:
    """Those that keep many of their senders, which show what happens, if there are two."""
    steady = [c for c in fit if c.renewal <= _MOST_RENEWED]
    return steady if len(steady) >= 2 else fit


def _split(campaigns: list[Campaign], parent: Campaign, day: int, rng: np.random.Generator) -> None:
    """From `day` on, four of ten senders go their own way with half the ports and new ones."""
    ports, size = parent.phase(day).ports, parent.phase(day).size
    half = len(ports) // 2
    new = tuple(p for p in draw_ports(rng, "custom", half + 1) if p not in ports)
    index = len(campaigns)
    name = f"{parent.name.rsplit('-', 1)[0]}-{index:03d}"
    child = replace(
        parent, index=index, name=name, role="split", parent=parent.index, first=day, sleeps=(),
        phases=(Phase(day, (*ports[half:], *new), max(SMALLEST, round(0.4 * size))),),
        end=max(parent.end, day + _SPAN),
    )  # fmt: skip
    # One port is shared with the child: what is left of a common past.
    rest = Phase(day, ports[: half + 1], max(SMALLEST, round(0.6 * size)))
    campaigns[parent.index] = replace(parent, phases=(*parent.phases, rest))
    campaigns.append(child)


def _merge(campaigns: list[Campaign], one: Campaign, other: Campaign, day: int) -> bool:
    """From `day` on, the absorbed campaign's senders work the ports of both for the survivor.

    Unless that could not be told from a third campaign.
    """
    ports = tuple(dict.fromkeys((*one.phase(day).ports, *other.phase(day).ports)))[:30]
    both = Phase(day, ports, one.phase(day).size + other.phase(day).size)
    survivor = replace(one, phases=(*one.phases, both))
    for third in campaigns:
        if third.index not in (one.index, other.index) and third.end > day:
            moment = max(day, third.first)
            if not told_apart(survivor, third, moment):
                return False
    campaigns[one.index] = survivor
    campaigns[other.index] = replace(other, end=day, merged_into=one.index)
    return True
