"""What is wrong with how a damaged file was read, if anything is."""

import os
import resource
import time
from functools import lru_cache
from pathlib import Path

import polars as pl

from benchmarks.fuzz.damage import Case
from dante.errors import DanteError
from dante.schema import PACKETS, QUARANTINE
from dante.sources import Batch, Reading, read_batches

__all__ = ["MEMORY", "SECONDS", "judge"]

SECONDS = 120.0
"""Of processor time that reading one file may take."""
MEMORY = 2 << 30
"""Bytes that reading may take besides what the process had; all rows of the file are held here."""

_READING = Reading(year=2025)


def _read(path: Path, rows: int) -> Batch:
    batches = list(read_batches(path, _READING, rows_per_batch=rows))
    return Batch(
        pl.concat([pl.DataFrame(schema=PACKETS), *(b.packets for b in batches)]),
        pl.concat([pl.DataFrame(schema=QUARANTINE), *(b.refused for b in batches)]),
    )


@lru_cache(maxsize=64)
def _expected(form: str, data: bytes, folder: Path) -> pl.DataFrame:
    path = folder / f"{os.getpid()}.intact"
    path.write_bytes(data)
    back = _read(path, 1_000_000)
    assert back.refused.is_empty(), (form, back.refused)
    return back.packets


def judge(case: Case, folder: Path) -> str | None:
    """One sentence about what is wrong; None if nothing is."""
    expected = _expected(case.seed.form, case.seed.data, folder)
    assert expected.height == len(case.seed.ends), (case.seed.form, expected.height)
    path = folder / f"{os.getpid()}.damaged"
    path.write_bytes(case.data)
    before, had = time.process_time(), _peak()
    try:
        back = _read(path, 1_000_000)
        spent, more = time.process_time() - before, _peak() - had
        again = _read(path, 7) if case.number % 8 == 0 and back.rows < 2000 else None
    except DanteError as error:
        lines = str(error)
        if not lines.isprintable():
            return f"an error that is not one line of text: {lines[:200]!r}"
        # Of a Parquet file the end counts; whole blocks in front of a cut do not help it.
        return f"{case.intact} intact records lost: {lines[:200]}" if case.intact else None
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {str(error)[:300]}"
    return _fault(case, back, again, expected, spent, more)


def _fault(
    case: Case, back: Batch, again: Batch | None, expected: pl.DataFrame, spent: float, more: int
) -> str | None:
    packets, refused = back.packets, back.refused
    if packets.schema != PACKETS or refused.schema != QUARANTINE:
        return "other columns than packets have"
    rows = refused["row"]
    if rows.null_count() or rows.n_unique() != rows.len() or not rows.is_sorted():
        return f"numbers of refused rows: {rows.to_list()[:20]}"
    if rows.len() and (rows[0] < 1 or rows[-1] > back.rows):
        return f"refused row {rows[-1]} of {back.rows}"
    if refused["reason"].null_count() or refused["reason"].str.len_chars().min() == 0:
        return "a row refused without a reason"
    if not packets.head(case.intact).equals(expected.head(case.intact)):
        kept = sum(
            packets.slice(i, 1).equals(expected.slice(i, 1)) for i in range(case.intact)
        )  # fmt: skip
        return f"{case.intact - kept} of {case.intact} intact records lost or changed"
    if case.cut and not refused["reason"].str.contains("damaged|offset|at byte").any():
        return "a damaged stream without a row that says so"
    if again is not None and not (
        again.packets.equals(packets) and again.refused.equals(refused)
    ):  # fmt: skip
        return "read otherwise in small batches"
    if spent > SECONDS:
        return f"{spent:.0f} seconds of processor time"
    if more > MEMORY:
        return f"{more >> 20} MiB"
    return None


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
