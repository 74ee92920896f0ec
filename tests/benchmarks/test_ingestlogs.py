"""The logs that ingest is measured on hold the packets they were made of."""

import polars as pl
import pytest

from benchmarks import ingest, ingestlogs
from dante.sources import Reading, load_mapping, read_batches

COMMON = ("ts", "src", "proto", "dport")


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        (ingestlogs.write_zeek, (*COMMON, "dst", "sport", "length")),
        (ingestlogs.write_syslog, (*COMMON, "dst", "sport", "length")),
        (ingestlogs.write_mapped, COMMON),
        (ingestlogs.write_avro, (*COMMON[1:], "dst", "sport", "length")),
    ],
)
def test_packets_are_read_back(tmp_path, make, columns):
    """Each packet is a row, with all that the format carries of it."""
    made = ingest.packets(3000)
    path = tmp_path / "made"
    make(made, path)
    mapping = load_mapping(ingestlogs.MAPPING) if make is ingestlogs.write_mapped else None
    batches = list(read_batches(path, Reading(mapping=mapping)))
    assert sum(batch.refused.height for batch in batches) == 0
    back = pl.concat([batch.packets for batch in batches])
    assert back.select(columns).equals(made.select(columns))
