"""Damaged files of every format are read as far as they are whole."""

import pytest

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.judge import judge
from benchmarks.fuzz.seeds import FORMS, make
from dante.sources import FORMATS, streams


def test_every_format_is_tried():
    """A format that is read has files that are damaged."""
    assert set(FORMS) == set(FORMATS) - {"auto"}


def test_files_of_a_number_are_the_same():
    """A number names one file in every run."""
    assert damaged(7) == damaged(7)
    assert make("pcap", 3) == make("pcap", 3)


@pytest.mark.parametrize("part", range(4))
def test_damaged_files(tmp_path, monkeypatch, part):
    """No damage crashes or hangs the reader, nor costs a record in front of it."""
    monkeypatch.setattr(streams, "FREE", 4 << 20)
    faults = {n: judge(damaged(n, bombs=False), tmp_path) for n in range(part, 240, 4)}
    assert {n: fault for n, fault in faults.items() if fault} == {}
