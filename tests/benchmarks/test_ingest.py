"""The measurement of ingest measures what it says."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from benchmarks import ingest
from dante.schema import PACKETS
from dante.sources import Reading, format_of, load_mapping, read_batches


@pytest.mark.parametrize("form", ingest.FORMATS, ids=lambda form: form.name)
def test_each_file_is_what_it_is_called(form: ingest.Format, tmp_path: Path) -> None:
    """The file that is made is of its format, and holds a row a packet."""
    made = ingest.packets(500)
    path = tmp_path / "made"
    form.make(made, path)
    # A log of the system is read as a firewall's, and a table by its mapping.
    mapping = load_mapping(ingest.MAPPING) if "--mapping" in form.options else None
    reading = Reading(mapping=mapping)
    assert format_of(path, reading) == {"syslog": "firewall"}.get(form.name, form.name)
    batches = list(read_batches(path, reading))
    assert sum(batch.packets.height for batch in batches) == 500
    assert not sum(batch.refused.height for batch in batches)


def test_captures_hold_the_packets_that_were_made(tmp_path: Path) -> None:
    """Both kinds of capture give back every field."""
    made = ingest.packets(500)
    assert dict(made.schema) == PACKETS
    for form in ingest.FORMATS[:2]:
        form.make(made, tmp_path / form.name)
        assert_frame_equal(pl.concat(b.packets for b in read_batches(tmp_path / form.name)), made)


def test_the_table_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and an installed peer are run, and the figures stand in a table and in JSON."""
    asked = ["pcap", "--rows", "200", "--repeats", "1", "--json", str(tmp_path / "told.json")]
    assert ingest.main(asked) == 0
    (told,) = json.loads((tmp_path / "told.json").read_text("utf-8"))["formats"]
    assert told["rows"] == 200
    assert told["ours"]["rows_a_second"] > 0 and told["dpkt"]["rows_a_second"] > 0
    assert "dpkt" in capsys.readouterr().out
