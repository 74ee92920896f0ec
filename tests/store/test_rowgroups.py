"""Parquet files put together from row groups that are made side by side."""

import datetime as dt
import threading
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dante.store.rowgroups import write_groups

_SCHEMA: dict[str, pl.DataType] = {
    "ts": pl.Datetime("us", "UTC"),
    "src": pl.UInt64(),
    "sensor": pl.String(),
    "dport": pl.UInt16(),
    "reason": pl.String(),
}


def _group(number: int, rows: int = 900) -> pl.DataFrame:
    places = pl.int_range(number, number + rows, eager=True)
    return pl.DataFrame(
        {
            "ts": places.cast(pl.Int64) * 86_000_000_123,
            "src": places.cast(pl.UInt64) * (1 << 40),
            "sensor": [None if place % 3 else f"sensor {number}" for place in places.to_list()],
            "dport": places * 7 % 65536,
            "reason": ["x" * (place % 50) for place in places.to_list()],
        },
        schema=_SCHEMA,
    )


def _table(frame: pl.DataFrame) -> Any:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@pytest.mark.parametrize("number", [1, 2, 40])
def test_the_bytes_are_those_of_one_writer(tmp_path: Path, number: int) -> None:
    """A file put together is byte for byte the one that Parquet's writer makes by itself."""
    frames = [*(_group(one) for one in range(number - 1)), _group(number, 17)]
    write_groups(tmp_path / "together.parquet", frames, _table, _SCHEMA)
    dictionaries = ["sensor", "reason"]
    with pq.ParquetWriter(
        tmp_path / "alone.parquet",
        _table(frames[0]).schema,
        compression="zstd",
        compression_level={"ts": -3} | dict.fromkeys(("src", "sensor", "dport", "reason"), 1),
        use_dictionary=dictionaries,
        column_encoding=dict.fromkeys(("ts", "src", "dport"), "BYTE_STREAM_SPLIT"),
        write_statistics=["ts", "src"],
        store_schema=False,
    ) as writer:
        for frame in frames:
            writer.write_table(_table(frame))
    together = tmp_path / "together.parquet"
    assert together.read_bytes() == (tmp_path / "alone.parquet").read_bytes()
    whole = pl.concat(frames)
    assert pl.read_parquet(together).equals(whole)
    day = dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
    (found,) = duckdb.sql(
        f"SELECT count(dport) FROM '{together}' WHERE ts < TIMESTAMPTZ '{day.isoformat()}'"
    ).fetchall()[0]
    assert found == whole.filter(pl.col("ts") < day)["dport"].count()


def test_an_error_in_a_group_is_raised_and_ends_the_threads(tmp_path: Path) -> None:
    """What goes wrong in a thread is the writer's error, and no thread is left behind."""

    def table(number: int) -> Any:
        if number == 3:
            raise pa.ArrowInvalid("no such group")
        return _table(_group(number))

    with pytest.raises(pa.ArrowInvalid, match="no such group"):
        write_groups(tmp_path / "x.parquet", range(1000), table, _SCHEMA)
    assert not [one for one in threading.enumerate() if one.name.startswith("dante-")]
