"""What one planted campaign is: its ports, tool, people and days."""

import math
from dataclasses import dataclass

__all__ = ["NEVER", "SMALLEST", "Campaign", "Phase", "Sleep"]

NEVER = 10**9
"""A day index that no simulation reaches."""

SMALLEST = 8
"""Senders a day of the smallest campaign."""


@dataclass(frozen=True)
class Phase:
    """From day index `day` on, the campaign has these port keys and about this many senders."""

    day: int
    ports: tuple[int, ...]
    size: int


@dataclass(frozen=True)
class Sleep:
    """Absent from day index `start` until before `until`, back on old or new addresses."""

    start: int
    until: int
    same_addresses: bool


@dataclass(frozen=True)
class Campaign:
    """A planted campaign; days are indices from the first simulated day.

    `packets` is the median number of packets a sender and day, `spread` the sigma of its
    logarithm; a spread below 0 means evenly between 1 and `packets`. `port_share` is the chance
    that a sender tries a given port of the campaign, `order` how it goes through those (`walk`:
    round and round; `block`: one after the other; `random`: the first ones more). `trains` is in
    how many bursts a sender's packets come (1: evenly spaced). A `growth` above 1 makes it a worm,
    which grows to `ceiling` along a logistic curve until day index `turn` and loses the share
    1 - `decay` a day from there.
    `networks` are the first 16 bits of the addresses most senders share (empty: anywhere),
    `subnets` the first 24 of all of them, if given. `target` is the one watched address all
    packets go to, or -1. `merged_into` and `parent` are campaign indices, or -1.
    """

    index: int
    name: str
    role: str
    tool: str
    phases: tuple[Phase, ...]
    first: int
    end: int = NEVER
    sleeps: tuple[Sleep, ...] = ()
    renewal: float = 0.0
    presence: float = 1.0
    growth: float = 1.0
    ceiling: int = NEVER
    turn: int = NEVER
    decay: float = 1.0
    packets: float = 5.0
    spread: float = 1.1
    port_share: float = 0.8
    order: str = "walk"
    sweeps: bool = False
    timing: str = "steady"
    peak: float = 0.5
    trains: int = 1
    networks: tuple[int, ...] = ()
    subnets: tuple[int, ...] = ()
    target: int = -1
    parent: int = -1
    merged_into: int = -1

    @property
    def kind(self) -> str:
        """What truth calls its senders: `campaign`, `benign` or `misconfiguration`."""
        return {"benign": "benign", "misconfigured": "misconfiguration"}.get(self.role, "campaign")

    @property
    def known(self) -> bool:
        """Whether truth counts it as a campaign; misconfigured hosts are none."""
        return self.role != "misconfigured"

    def active(self, day: int) -> bool:
        """Whether the campaign is seen on this day index."""
        if not self.first <= day < self.end:
            return False
        return not any(sleep.start <= day < sleep.until for sleep in self.sleeps)

    def phase(self, day: int) -> Phase:
        """The ports and size that hold on this day index."""
        return next(phase for phase in reversed(self.phases) if phase.day <= max(day, self.first))

    def size(self, day: int) -> float:
        """Senders expected on this day index."""
        size = float(self.phase(day).size)
        if self.growth == 1.0:
            return size
        grown = min(day, self.turn) - self.first
        # The logistic curve, which is exponential growth while hardly anybody is infected.
        free = max(self.ceiling / size - 1, 0.0)
        size = self.ceiling / (1 + free * math.exp(-math.log(self.growth) * grown))
        return float(size * self.decay ** max(0, day - self.turn))

    def event(self, day: int) -> str | None:
        """What truth says of the campaign on this day index, or None.

        `birth` or `split` on its first day; `sleep` on the first day it is absent, `recur` on the
        day it is back; `end` or `merge` on the first day after its last; `drift` on a day it is
        there with other ports than before (a day with another event is called by that).
        """
        if day == self.first:
            return "birth" if self.parent < 0 else "split"
        if day == self.end:
            return "end" if self.merged_into < 0 else "merge"
        if any(day == sleep.start for sleep in self.sleeps):
            return "sleep"
        if any(day == sleep.until for sleep in self.sleeps):
            return "recur"
        if self.active(day) and self.phase(day).ports != self.phase(day - 1).ports:
            return "drift"
        return None

    def returns(self, day: int) -> Sleep | None:
        """The sleep that is over on this day index, or None."""
        return next((sleep for sleep in self.sleeps if sleep.until == day), None)
