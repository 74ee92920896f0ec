"""The judge of rows: every packet against its bounds at ingest, all at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.contracts.contract import Check, Contract
from dante.contracts.words import rule_text
from dante.errors import DanteError
from dante.schema import PACKETS, backscatter, empty_packets
from dante.store.records import BIT, Extent, Packed, blocks

__all__ = ["RowsChecked", "check_rows"]


_MOST: Final[dict[pl.DataType, int]] = {
    pl.UInt8(): 2**8 - 1,
    pl.UInt16(): 2**16 - 1,
    pl.UInt32(): 2**32 - 1,
    pl.UInt64(): 2**64 - 1,
}


@dataclass(frozen=True, eq=False)
class RowsChecked:
    """Packets divided by the contract; both parts keep the order of the rows.

    `kept` has the schema `dante.schema.PACKETS`, or is packed if the packets were; `refused` has
    it and `reason` String, the first check the row breaks and what it asks for. Together they are
    the input, where `refused` stood at `positions` (from 0, ascending).
    """

    kept: pl.DataFrame | Packed
    refused: pl.DataFrame
    positions: pl.Series


def check_rows(packets: pl.DataFrame | Packed, contract: Contract) -> RowsChecked:
    """Divide canonical packets into those within the contract and those refused.

    Args:
        packets: rows with the schema `dante.schema.PACKETS`, or the same packed.
        contract: whose checks on rows are applied.

    Raises:
        DanteError: the frame is not of canonical packets, which is a mistake of its reader.
    """
    if isinstance(packets, Packed):
        return _check_packed(packets, contract)
    wrong = sorted(set(packets.schema.items()) ^ set(PACKETS.items()), key=str)
    if wrong:
        columns = ", ".join(dict.fromkeys(name for name, _ in wrong))
        raise DanteError(f"Not canonical packets: the columns {columns} are missing or mistyped.")
    packets = packets.select(list(PACKETS))
    breaches = {
        check: breach
        for check in contract.row_checks
        if (breach := _breach(check)) is not None and not _holds(check, packets)
    }
    if not breaches or packets.is_empty():
        return _all_kept(packets)
    broken = packets.select(pl.any_horizontal(list(breaches.values())).alias("broken"))["broken"]
    if not broken.any():  # nearly always: the packets need not be copied
        return _all_kept(packets)
    refused = _reasoned(packets.filter(broken), breaches)
    return RowsChecked(packets.filter(~broken), refused, broken.arg_true())


def _check_packed(packets: Packed, contract: Contract) -> RowsChecked:
    """Look at the numbers as they lie, and only at rows that may break a check as rows."""
    whole = packets.extent
    checks = [
        check
        for check in contract.row_checks
        if _breach(check) is not None and not _kept(check, whole, packets.texts)
    ]
    doubtful = np.concatenate(
        [
            np.flatnonzero(_doubtful(packets.slice(part.start, part.stop - part.start), checks))
            + part.start
            for part in (blocks(packets.height) if checks else ())
        ]
        or [np.empty(0, np.int64)]
    )
    if not doubtful.size:
        return _all_kept(packets)
    judged = check_rows(Packed(packets.records[doubtful], packets.texts).frame(), contract)
    if not judged.refused.height:
        return RowsChecked(packets, judged.refused, judged.positions)
    lost = doubtful[judged.positions.to_numpy()]
    kept = packets.without(lost)
    return RowsChecked(kept, judged.refused, pl.Series(lost, dtype=pl.get_index_type()))


def _kept(check: Check, whole: Extent, texts: Sequence[str]) -> bool:
    """Whether what is known of all rows shows that none of them can break the check."""
    column, low, high = str(check.column), check.minimum, check.maximum
    if check.kind in ("present", "required_for"):
        return not whole.some & BIT[column]
    if whole.every & BIT[column]:
        return True
    if low is None or high is None:
        return False
    if check.kind == "length":
        return all(low <= len(text.encode()) <= high for text in texts)
    return column == "ts" and low <= whole.first and whole.last <= high


def _doubtful(packets: Packed, checks: Sequence[Check]) -> npt.NDArray[np.bool_]:
    """Rows of which some may break a check; no other does."""
    found = np.zeros(packets.height, np.bool_)
    nulls = packets.records["nulls"]
    for check in checks:
        column, low, high = str(check.column), check.minimum, check.maximum
        if check.kind in ("present", "required_for"):
            found |= nulls & BIT[column] != 0
        elif low is None or high is None or check.kind == "length":
            found |= True
        else:
            values = packets.records[column]
            found |= ((values < low) | (values > high)) & (nulls & BIT[column] == 0)
    return found


def _holds(check: Check, packets: pl.DataFrame) -> bool:
    """Whether a look at the column as a whole shows that no row can break the check."""
    column = packets[str(check.column)]
    if check.kind in ("present", "required_for"):
        return not column.null_count()
    if column.null_count() == column.len():
        return True
    if check.kind != "between" or check.minimum is None or check.maximum is None:
        return False
    low, high = column.to_physical().min(), column.to_physical().max()
    assert isinstance(low, int) and isinstance(high, int), "bounds are of columns of integers"
    return check.minimum <= low and high <= check.maximum


def _all_kept(packets: pl.DataFrame | Packed) -> RowsChecked:
    none = pl.Series(dtype=pl.get_index_type())
    return RowsChecked(packets, _reasoned(empty_packets(), {}), none)


def _reasoned(rows: pl.DataFrame, breaches: dict[Check, pl.Expr]) -> pl.DataFrame:
    first = [
        pl.when(breach).then(pl.lit(f"{check.name}: {rule_text(check)}"))
        for check, breach in breaches.items()
    ]
    reason = pl.coalesce(first) if first else pl.lit(None)
    return rows.with_columns(reason.cast(pl.String).alias("reason"))


def _breach(check: Check) -> pl.Expr | None:
    """True where a row breaks the check, never null; None where the type rules a breach out.

    A null breaks a check only where a value is required.
    """
    column = pl.col(str(check.column))
    if check.kind == "present":
        return column.is_null()
    if check.kind == "required_for":
        lacks = column.is_null() & pl.col("proto").is_in(list(check.protocols)).fill_null(False)
        return lacks & ~backscatter() if check.unless_backscatter else lacks
    dtype = PACKETS[str(check.column)]
    low, high = check.minimum, check.maximum
    if check.kind == "length":
        column = column.str.len_bytes()
    elif isinstance(dtype, pl.Datetime):
        column = column.to_physical()
    elif low is not None and high is not None and low <= 0 and high >= _MOST[dtype]:
        return None
    return (~column.is_between(pl.lit(low), pl.lit(high))).fill_null(False)
