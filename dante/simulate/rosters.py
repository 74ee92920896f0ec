"""Who takes part in which campaign from day to day: renewal, growth, sleeps, splits, merges."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dante.simulate.addresses import draw_addresses
from dante.simulate.campaign import Campaign
from dante.simulate.streams import DAY, stream

__all__ = ["Rosters"]

_FEWEST = 5  # senders of a campaign on any day it is active


class Rosters:
    """The addresses each campaign holds, moved forward one day at a time from day 0.

    A sleeping campaign that will return on the same addresses keeps them, so no other campaign
    gets them meanwhile. `held` is every address in use, sorted.
    """

    def __init__(self, campaigns: Sequence[Campaign], seed: int) -> None:
        """Start before day 0, with no addresses."""
        self._campaigns = campaigns
        self._seed = seed
        self._members: dict[int, NDArray[np.uint64]] = {}
        self.held: NDArray[np.uint64] = np.empty(0, dtype=np.uint64)

    def advance(self, day: int) -> list[tuple[Campaign, NDArray[np.uint64]]]:
        """The active campaigns of this day index with the addresses seen, by index.

        Days must be asked for in order. No address appears twice in a day.
        """
        rngs = {c.index: stream(self._seed, DAY, day, c.index) for c in self._campaigns
                if c.first <= day <= c.end}  # fmt: skip
        for campaign in self._campaigns:
            if campaign.index in rngs:
                self._hand_over(campaign, day, rngs[campaign.index])
        self._refresh_held()
        seen = []
        for campaign in self._campaigns:
            if campaign.index in rngs and campaign.active(day):
                rng = rngs[campaign.index]
                members = self._renew(campaign, day, rng)
                here = rng.random(members.size) < campaign.presence
                here[:_FEWEST] = True
                seen.append((campaign, members[here]))
        self._refresh_held()
        return seen

    def _hand_over(self, campaign: Campaign, day: int, rng: np.random.Generator) -> None:
        """Let go of addresses, or pass them on, on the days of ends, sleeps, splits and merges."""
        nobody = np.empty(0, dtype=np.uint64)
        if day == campaign.end:
            left = self._members.pop(campaign.index, nobody)
            if campaign.merged_into >= 0:
                joined = self._members.get(campaign.merged_into, nobody)
                self._members[campaign.merged_into] = np.concatenate([joined, left])
        if campaign.parent >= 0 and day == campaign.first:
            members = self._members.get(campaign.parent, nobody)
            leaves = rng.random(members.size) < 0.4
            self._members[campaign.parent] = members[~leaves]
            self._members[campaign.index] = members[leaves]
        if any(s.start == day and not s.same_addresses for s in campaign.sleeps):
            self._members.pop(campaign.index, None)

    def _renew(self, campaign: Campaign, day: int, rng: np.random.Generator) -> NDArray[np.uint64]:
        """Replace the day's share of addresses and grow or shrink to the day's size."""
        size = campaign.phase(day).size * campaign.growth ** (day - campaign.first)
        wobble = float(np.exp(0.08 * rng.standard_normal())) if campaign.renewal > 0 else 1.0
        wanted = max(_FEWEST, round(min(size, campaign.ceiling) * wobble / campaign.presence))
        old = self._members.get(campaign.index, np.empty(0, dtype=np.uint64))
        handed = campaign.parent >= 0 and day == campaign.first
        back = any(s.until == day for s in campaign.sleeps)
        if not handed and not back:
            old = old[rng.random(old.size) >= campaign.renewal]
        if old.size > wanted:
            old = old[np.sort(rng.permutation(old.size)[:wanted])]
        new = draw_addresses(rng, wanted - old.size, self.held, campaign.networks, campaign.subnet)
        if new.size:
            self.held = np.union1d(self.held, new)
        members = np.concatenate([old, new])
        self._members[campaign.index] = members
        return members

    def _refresh_held(self) -> None:
        parts = [self._members[index] for index in sorted(self._members)]
        self.held = np.sort(np.concatenate(parts)) if parts else self.held[:0]
