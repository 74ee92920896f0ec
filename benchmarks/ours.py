"""DANTE through its real pipeline: ingest, backfill, and the views it publishes."""

from pathlib import Path
from typing import Final

import polars as pl

from benchmarks.told import Told

__all__ = ["ask_ours"]

_HEADERS: Final = ("ttl", "tcp_window", "ip_id", "tcp_seq", "length", "sport")
"""What is nulled out. `tcp_flags` stay, since without them replies cannot be told from scans,
and the rivals are spared the replies too."""


def ask_ours(packets: Path, scratch: Path, *, headers: bool) -> Told:
    """What the published views say of a folder of packets, a Parquet file a day.

    `scratch` is an empty folder for its home. Without `headers` they are nulled out first.
    """
    import duckdb

    from dante.pipeline.backfill import backfill
    from dante.pipeline.context import open_context
    from dante.pipeline.ingest import ingest_files
    from dante.sources import Reading, find_files

    home = scratch / "home"
    if not headers:
        packets = _without_headers(packets, scratch / "packets")
    ingest_files(open_context(home), [(path, Reading()) for path in find_files([str(packets)])])
    context = open_context(home)
    backfill(context, context.days[0], context.days[-1], jobs=1)
    with duckdb.connect(str(context.home.lineage), read_only=True) as con:
        return Told(
            con.sql("SELECT day, src, track_id AS track FROM memberships ORDER BY day, src").pl(),
            con.sql(
                "SELECT day, track_id AS track, event, related_track_id AS related FROM lineage "
                "WHERE event <> 'continue' ORDER BY ALL"
            ).pl(),
            con.sql("SELECT day, track_id AS track FROM threats ORDER BY ALL").pl(),
        )


def _without_headers(packets: Path, out: Path) -> Path:
    """A copy of the packets in which the header's columns are null."""
    out.mkdir(parents=True)
    for path in sorted(packets.glob("*.parquet")):
        frame = pl.read_parquet(path, glob=False)
        frame.with_columns(
            pl.lit(None, dtype=frame.schema[name]).alias(name) for name in _HEADERS
        ).write_parquet(out / path.name, compression="zstd")
    return out
