"""What one planted campaign is: its ports, tool, people and days."""

from dataclasses import dataclass

__all__ = ["NEVER", "TOOLS", "Campaign", "Phase", "Sleep"]

NEVER = 10**9
"""A day index that no simulation reaches."""

TOOLS = ("mirai", "zmap", "masscan", "linux", "windows")
"""Scanning tools and operating systems by the headers they write; the index is the tool code."""


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
    that a sender tries a given port of the campaign. The size is multiplied by `growth` each day
    until it meets `ceiling`. `networks` are the first 16 bits of the
    addresses many senders share (empty: anywhere), `subnet` the first 24 if all share them.
    `merged_into` and `parent` are campaign indices, or -1.
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
    packets: float = 5.0
    spread: float = 1.1
    port_share: float = 0.8
    walks: bool = True
    sweeps: bool = False
    timing: str = "steady"
    peak: float = 0.5
    networks: tuple[int, ...] = ()
    subnet: int = -1
    parent: int = -1
    merged_into: int = -1

    @property
    def kind(self) -> str:
        """`benign` for the known scanning organisation, else `campaign`."""
        return "benign" if self.role == "benign" else "campaign"

    def active(self, day: int) -> bool:
        """Whether the campaign is seen on this day index."""
        if not self.first <= day < self.end:
            return False
        return not any(sleep.start <= day < sleep.until for sleep in self.sleeps)

    def phase(self, day: int) -> Phase:
        """The ports and size that hold on this day index."""
        return next(phase for phase in reversed(self.phases) if phase.day <= max(day, self.first))

    def event(self, day: int) -> str | None:
        """What truth says of the campaign on this day index, or None.

        `birth` or `split` on its first day; `sleep` on the first day it is absent, `recur` on the
        day it is back; `end` or `merge` on the first day after its last.
        """
        if day == self.first:
            return "birth" if self.parent < 0 else "split"
        if day == self.end:
            return "end" if self.merged_into < 0 else "merge"
        if any(day == sleep.start for sleep in self.sleeps):
            return "sleep"
        return "recur" if any(day == sleep.until for sleep in self.sleeps) else None
