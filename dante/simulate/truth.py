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
"""One row a sender and day. `kind`: `campaign`, `benign` (a campaign too: the known scanning
organisation), `noise` or `backscatter` (whose `campaign` is null)."""

EVENTS: Final[dict[str, pl.DataType]] = {
    "day": pl.Date(),
    "campaign": pl.String(),
    "event": pl.String(),
    "related": pl.String(),
}
"""A campaign begins by `birth`, or by `split` from `related`; `sleep` is dated the first day it
is absent and `recur` the day it is back; `end`, or `merge` into `related`, the first day after
its last."""

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
}
"""One row a campaign: the ports of its first day, and the days it was seen in this run."""


def event_truth(campaigns: Sequence[Campaign], day: int, date: dt.date) -> pl.DataFrame:
    """The events of one day, by campaign (schema `EVENTS`)."""
    names = {campaign.index: campaign.name for campaign in campaigns}
    rows = []
    for campaign in campaigns:
        event = campaign.event(day)
        if event is not None:
            other = {"split": campaign.parent, "merge": campaign.merged_into}.get(event)
            related = None if other is None else names[other]
            rows.append((date, campaign.name, event, related))
    return pl.DataFrame(rows, schema=EVENTS, orient="row")


def campaign_truth(campaigns: Sequence[Campaign], days: int, first_day: dt.date) -> pl.DataFrame:
    """What was planted, by name (schema `CAMPAIGNS`)."""
    rows = []
    for campaign in campaigns:
        active = [day for day in range(campaign.first, days) if campaign.active(day)]
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
            )
        )
    return pl.DataFrame(rows, schema=CAMPAIGNS, orient="row").sort("campaign")
