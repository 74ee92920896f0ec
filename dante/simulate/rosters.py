"""Who takes part in which campaign from day to day: renewal, growth, sleeps, splits, merges."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.simulate.addresses import draw_addresses
from dante.simulate.campaign import Campaign
from dante.simulate.streams import DAY, stream

__all__ = ["Rosters"]

_FEWEST: Final = 5  # senders of a campaign on any day it is active
_NOBODY: Final = np.empty(0, dtype=np.uint64)


class Rosters:
    """The addresses each campaign holds, moved forward one day at a time from day 0.

    A sleeping campaign that will return on the same addresses keeps them, so no other campaign
    gets them meanwhile; one that will return on new ones remembers which not to take.
    """

    def __init__(self, campaigns: Sequence[Campaign], seed: int) -> None:
        """Start before day 0, with no addresses."""
        self._campaigns = campaigns
        self._seed = seed
        self._members: dict[int, NDArray[np.uint64]] = {}
        self._former: dict[int, NDArray[np.uint64]] = {}
        self._handed: set[int] = set()  # who got senders from another today, and keeps them today
        self._held = _NOBODY
        self._fresh = _NOBODY

    @property
    def held(self) -> tuple[NDArray[np.uint64], ...]:
        """Every address in use, as sorted arrays."""
        return self._held, self._fresh

    def advance(self, day: int) -> list[tuple[Campaign, NDArray[np.uint64]]]:
        """The active campaigns of this day index with the addresses seen, by index.

        Days must be asked for in order. No address appears twice in a day.
        """
        rngs = {c.index: stream(self._seed, DAY, day, c.index) for c in self._campaigns
                if c.first <= day <= c.end}  # fmt: skip
        self._handed.clear()
        for campaign in self._campaigns:
            if campaign.index in rngs:
                self._hand_over(campaign, day, rngs[campaign.index])
        parts = [self._members[index] for index in sorted(self._members)]
        self._held = np.sort(np.concatenate(parts)) if parts else _NOBODY
        self._fresh = _NOBODY
        seen = []
        for campaign in self._campaigns:
            if campaign.index in rngs and campaign.active(day):
                rng = rngs[campaign.index]
                members = self._renew(campaign, day, rng)
                here = rng.random(members.size) < campaign.presence
                here[:_FEWEST] = True
                seen.append((campaign, members[here]))
        return seen

    def _hand_over(self, campaign: Campaign, day: int, rng: np.random.Generator) -> None:
        """Let go of addresses, or pass them on, on the days of ends, sleeps, splits and merges."""
        if day == campaign.end:
            left = self._members.pop(campaign.index, _NOBODY)
            self._former.pop(campaign.index, None)
            if campaign.merged_into >= 0:
                joined = self._members.get(campaign.merged_into, _NOBODY)
                self._members[campaign.merged_into] = np.concatenate([joined, left])
                self._handed.add(campaign.merged_into)
        if campaign.parent >= 0 and day == campaign.first:
            members = self._members.get(campaign.parent, _NOBODY)
            leaves = rng.random(members.size) < 0.4
            leaves[:4] = (True, True, False, False)[: leaves[:4].size]
            self._members[campaign.parent] = members[~leaves]
            self._members[campaign.index] = members[leaves]
            self._handed.add(campaign.index)
        if any(s.start == day and not s.same_addresses for s in campaign.sleeps):
            self._former[campaign.index] = np.sort(self._members.pop(campaign.index, _NOBODY))

    def _renew(self, campaign: Campaign, day: int, rng: np.random.Generator) -> NDArray[np.uint64]:
        """Replace the day's share of addresses and grow or shrink to the day's size."""
        wobble = float(np.exp(0.08 * rng.standard_normal())) if campaign.renewal > 0 else 1.0
        wanted = max(_FEWEST, round(campaign.size(day) * wobble / campaign.presence))
        old = self._members.get(campaign.index, _NOBODY)
        handed = campaign.index in self._handed
        back = campaign.returns(day)
        if not handed and back is None:
            old = old[rng.random(old.size) >= campaign.renewal]
        if old.size > wanted:
            old = old[np.sort(rng.permutation(old.size)[:wanted])]
        former = self._former.pop(campaign.index, _NOBODY) if back else _NOBODY
        taken = (*self.held, former)
        new = draw_addresses(rng, wanted - old.size, taken, campaign.networks, campaign.subnets)
        if new.size:
            self._fresh = np.sort(np.concatenate([self._fresh, new]))
        members = np.concatenate([old, new])
        self._members[campaign.index] = members
        return members
