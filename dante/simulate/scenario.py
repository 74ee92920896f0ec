"""What a simulated telescope is asked for."""

import datetime as dt
from dataclasses import dataclass

from dante.errors import UsageError

__all__ = ["Scenario"]


@dataclass(frozen=True)
class Scenario:
    """The wishes of one simulation; the same scenario gives the same bytes.

    `senders` is roughly how many addresses are seen a day, everything counted. `campaigns` is
    how many are planted in the first two weeks, a third of them born after the first day; each
    further two weeks add that third again while others end. `None` lets the number grow slowly
    with the senders, from 16 to 40. `noise_share` and `backscatter_share` are shares of the
    senders. `renewal`, if given, replaces every campaign's own daily share of new addresses
    (the benign organisation keeps its addresses).
    """

    days: int = 14
    senders: int = 2000
    seed: int = 7
    first_day: dt.date = dt.date(2025, 3, 1)
    campaigns: int | None = None
    noise_share: float = 0.15
    backscatter_share: float = 0.03
    renewal: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be simulated, with a `UsageError`."""
        if self.days < 1:
            raise UsageError(f"A simulation needs at least 1 day, not {self.days}.")
        if self.first_day.toordinal() + self.days - 1 > dt.date.max.toordinal():
            raise UsageError(f"{self.days} days from {self.first_day} on end after the year 9999.")
        if self.senders < 50:
            raise UsageError(f"A simulation needs at least 50 senders a day, not {self.senders}.")
        if self.seed < 0:
            raise UsageError(f"The seed must be 0 or more, not {self.seed}.")
        if self.campaigns is not None and self.campaigns < 1:
            raise UsageError(f"A simulation needs at least 1 campaign, not {self.campaigns}.")
        shares = (self.noise_share, self.backscatter_share)
        if min(shares) < 0 or sum(shares) > 0.9:
            raise UsageError(
                "The shares of noise and backscatter must be 0 or more and leave a tenth of the "
                f"senders to campaigns, not {self.noise_share} and {self.backscatter_share}."
            )
        if self.renewal is not None and not 0 <= self.renewal <= 1:
            raise UsageError(f"The renewal must lie between 0 and 1, not {self.renewal}.")

    @property
    def planted(self) -> int:
        """Number of campaigns planted in the first two weeks."""
        if self.campaigns is not None:
            return self.campaigns
        return int(min(40, max(16, round(4.2 * self.senders**0.22))))
