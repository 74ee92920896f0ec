"""What an ingest says of the rows it refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dante.cli.output import clean, say

if TYPE_CHECKING:
    import polars as pl

    from dante.pipeline.ingest import Ingested
    from dante.store.home import Home

__all__ = ["kept_and_refused", "refuse_useless"]

# How reasons begin of records that are read rightly and are just no packets: ARP in a capture.
_NO_PACKET = r"^(?:not |a later fragment)"


def kept_and_refused(home: "Home", results: "Sequence[Ingested]") -> list[str]:
    """What came of files that were read, in parts of a sentence."""
    rows = sum(result.rows for result in results)
    packets = sum(int(result.manifest.sensor_hours["packets"].sum()) for result in results)
    reasons = _reasons(home, results)
    other, refused = reasons.filter("other"), reasons.filter(~reasons["other"])
    kept = f"{packets:,} packets kept" + (f" in {rows:,} records" if packets != rows else "")
    parts = [f"{kept}, {refused['rows'].sum():,} rows quarantined"]
    if refused.height and rows:
        parts.append(f"most often: {clean(refused['reason'][0])}")
    if other.height:
        parts.append(f"{other['rows'].sum():,} no packets ({clean(other['reason'][0])})")
    return parts


def refuse_useless(home: "Home", results: "Sequence[Ingested]") -> None:
    """Name each file of which every row was refused, if it was not that none is a packet.

    Raises:
        SourceError: there is nothing but such files, besides those that were there already.
    """
    from dante.errors import SourceError

    useless, told = [], []
    for result in results:
        if result.rows or not result.quarantined:
            continue
        reasons = _reasons(home, [result])
        refused = reasons.filter(~reasons["other"])
        if refused.height:
            useless.append(result)
            told.append(
                f"{result.source}: none of its rows could be read as packets, most often: "
                f"{refused['reason'][0]} ({refused['rows'][0]:,} rows)"
                + ("; give a --mapping that fits its columns" if _is_table(result) else "")
            )
    if useless and all(result.already or result in useless for result in results):
        raise SourceError(told[0])
    for sentence in told:
        say(clean(sentence))


def _is_table(result: "Ingested") -> bool:
    return result.form in ("", "csv", "parquet")


def _reasons(home: "Home", results: "Sequence[Ingested]") -> "pl.DataFrame":
    """The reasons of refused rows, how many have each, and whether it is that they are no packets.

    Columns `reason` String, `rows` UInt64, `other` Boolean; the commonest first.
    """
    import polars as pl

    from dante.store.lake import scan_refused

    files = [
        home.quarantine(day, result.manifest.digest)
        for result in results
        for day in result.manifest.quarantined
    ]
    counts = pl.DataFrame(schema={"reason": pl.String, "rows": pl.UInt64})
    for file in files:
        reasons = scan_refused(file).group_by("reason")
        counts = pl.concat([counts, reasons.agg(rows=pl.len().cast(pl.UInt64)).collect()])
    return (
        counts.group_by("reason")
        .agg(pl.col("rows").sum())
        .with_columns(other=pl.col("reason").str.contains(_NO_PACKET))
        .sort("rows", "reason", descending=[True, False])
    )
