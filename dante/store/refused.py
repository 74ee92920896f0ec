"""What lies in quarantine: why rows were refused, how many, and one of each."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import polars as pl

from dante.errors import DanteError
from dante.store.home import Home
from dante.store.lake import scan_refused
from dante.store.manifests import Manifest

__all__ = ["REFUSED", "count_refused"]

REFUSED: Final[dict[str, pl.DataType]] = {
    "reason": pl.String(),
    "rows": pl.Int64(),
    "first_day": pl.Date(),
    "last_day": pl.Date(),
    "sources": pl.Int64(),
    "source": pl.String(),
    "row": pl.UInt64(),
    "example": pl.String(),
}
"""Refused rows of one kind: its reason, with `…` for the values of the rows; how many rows, the
days they are of (null: no day could be read) and how many sources; and of one of them the source,
its number there, and the row as it came."""

# Values of rows in a reason: quoted ones, numbers out of their range, names and offsets.
_VALUES: Final = (
    (r"'[^']*'", "'…'"),
    (r": [+-]?[0-9]+ is out of", ": … is out of"),
    (r"found [0-9]+$", "found …"),
    (r"^byte [0-9]+ of", "byte … of"),
    (r"after [0-9,]+ decompressed", "after … decompressed"),
)


def count_refused(
    home: Home, manifests: Sequence[Manifest], day: date | None = None
) -> pl.DataFrame:
    """The kinds of refused rows (schema `REFUSED`), the commonest first.

    Args:
        home: where they lie.
        manifests: of the sources that are looked at.
        day: only rows of this day.

    Raises:
        DanteError: a file of the quarantine is missing or damaged.
    """
    kinds = pl.DataFrame(schema=REFUSED)
    for manifest in manifests:
        kept = [of for of in manifest.quarantined if of not in manifest.dropped]
        days = [of for of in kept if day is None or of == day]
        if days:
            mine = _joined(pl.concat([_kinds(home, manifest, of) for of in days]))
            kinds = _joined(pl.concat([kinds, mine.with_columns(sources=pl.lit(1, pl.Int64))]))
    return kinds.sort("rows", "reason", descending=[True, False])


def _kinds(home: Home, manifest: Manifest, day: date | None) -> pl.DataFrame:
    kind = pl.col("reason")
    for pattern, shown in _VALUES:
        kind = kind.str.replace_all(pattern, shown)
    rows = scan_refused(home.quarantine(day, manifest.digest)).with_row_index("place")
    try:
        counted = (
            rows.select("place", kind.alias("reason"))
            .group_by("reason")
            .agg(pl.len().cast(pl.Int64).alias("rows"), pl.col("place").min())
            .collect()
        )
        examples = rows.select("place", "row", example="raw").filter(
            pl.col("place").is_in(counted["place"].to_list())
        )
        found = counted.join(examples.collect(), on="place")
    except (OSError, pl.exceptions.PolarsError):
        raise DanteError(
            f"refused rows of {manifest.source} are missing or damaged in the lake; ingest it "
            "again with --again"
        ) from None
    of = [pl.lit(day, dtype=pl.Date).alias(name) for name in ("first_day", "last_day")]
    where = [pl.lit(1, pl.Int64).alias("sources"), pl.lit(manifest.source).alias("source")]
    return found.with_columns(*of, *where).select(list(REFUSED))


def _joined(kinds: pl.DataFrame) -> pl.DataFrame:
    """Kinds of several sources and days, each once, with the example of the first."""
    return (
        kinds.group_by("reason", maintain_order=True)
        .agg(
            pl.col("rows").sum(),
            pl.col("first_day").min(),
            pl.col("last_day").max(),
            pl.col("sources").sum(),
            *(pl.col(name).first() for name in ("source", "row", "example")),
        )
        .select(list(REFUSED))
    )
