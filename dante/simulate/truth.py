"""What a simulation really holds: whose senders are whose, and what befell each campaign."""

import datetime as dt
from collections.abc import Sequence
from typing import Final

import polars as pl

from dante.simulate.campaign import Campaign
from dante.simulate.services import port_text

__all__ = ["CAMPAIGNS", "EVENTS", "MEMBERS", "campaign_truth", "event_truth"]

MEMBERS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "src": pl.UInt64(),
    "campaign": pl.String(),
    "kind": pl.String(),
}
"""One row a sender and day. `kind`: `campaign`, `benign` (a campaign too: a known scanning
organisation), or, with `campaign` null, `noise`, `misconfiguration` or `backscatter`."""

EVENTS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "campaign": pl.String(),
    "event": pl.String(),
    "related": pl.String(),
    "gap": pl.Int64(),
    "senders": pl.String(),
}
"""A campaign begins by `birth`, or by `split` from `related`; `sleep` is dated the first day it
is absent and `recur` the day it is back, after `gap` days of absence, on the `same` or wholly
`new` senders; on a day of `drift` its ports change while it goes on; `end`, or `merge` into
`related`, is the first day after its last. `gap` and `senders` are null but for `recur`."""

CAMPAIGNS: Final[dict[str, pl.DataType]] = {
    "campaign": pl.String(),
    "kind": pl.String(),
    "role": pl.String(),
    "ports": pl.String(),
    "tool": pl.String(),
    "timing": pl.String(),
    "renewal": pl.Float64(),
    "first_day": pl.Date(),
    "last_day": pl.Date(),
    "days_active": pl.Int64(),
    "peak_hour": pl.Float64(),
    "networks": pl.Int64(),
    "senders": pl.Int64(),
}
"""One row a campaign: the ports of its first day, the days it was seen in this run, the UTC hour
it prefers (null if steady), how many /16 most of its senders share (0: anywhere; of a benign one:
how many /24 hold them all) and how many senders a day it began with."""


def event_truth(campaigns: Sequence[Campaign], day: int, date: dt.date) -> pl.DataFrame:
    """The events of one day, by campaign (schema `EVENTS`)."""
    names = {campaign.index: campaign.name for campaign in campaigns}
    rows = []
    for campaign in campaigns:
        event = campaign.event(day) if campaign.known else None
        if event is None:
            continue
        other = {"split": campaign.parent, "merge": campaign.merged_into}.get(event)
        related = None if other is None else names[other]
        sleep = campaign.returns(day)
        gap = senders = None
        if sleep is not None:
            gap, senders = sleep.until - sleep.start, "same" if sleep.same_addresses else "new"
        rows.append((date, campaign.name, event, related, gap, senders))
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def campaign_truth(campaigns: Sequence[Campaign], days: int, first_day: dt.date) -> pl.DataFrame:
    """What was planted, by name (schema `CAMPAIGNS`)."""
    rows = []
    for campaign in campaigns:
        if not campaign.known:
            continue
        active = [day for day in range(campaign.first, min(days, campaign.end))
                  if campaign.active(day)]  # fmt: skip
        ports = campaign.phases[0].ports
        shown = ", ".join(port_text(port) for port in ports[:30])
        rows.append(
            (
                campaign.name,
                campaign.kind,
                campaign.role,
                shown if len(ports) <= 30 else f"{shown} and {len(ports) - 30} more",
                campaign.tool,
                campaign.timing,
                campaign.renewal,
                first_day + dt.timedelta(days=active[0]),
                first_day + dt.timedelta(days=active[-1]),
                len(active),
                None if campaign.timing == "steady" else round(24 * campaign.peak, 1),
                len(campaign.subnets or campaign.networks),
                campaign.phases[0].size,
            )
        )
    return pl.DataFrame(rows, schema=CAMPAIGNS, orient="row").sort("campaign")
