"""Entries of a systemd journal, as journalctl writes them in JSON, as packets."""

import json
from datetime import UTC, datetime

import pytest

from dante.schema import PACKETS, parse_address
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

TCP = (
    "IN=eth0 OUT= SRC=203.0.113.7 DST=198.51.100.9 LEN=60 TOS=0x08 PREC=0x20 TTL=47 ID=54321 DF "
    "PROTO=TCP SPT=43210 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 "
)

TCP_PACKET = dict.fromkeys(PACKETS) | {
    "ts": datetime(2025, 3, 1, 10, tzinfo=UTC),
    "src": parse_address("203.0.113.7"),
    "dst": parse_address("198.51.100.9"),
    "sensor": "tower",
    "proto": 6,
    "sport": 43210,
    "dport": 23,
    "ttl": 47,
    "tcp_flags": 2,
    "tcp_window": 1024,
    "ip_id": 54321,
    "length": 60,
}


def _read(tmp_path, text, reading, rows_per_batch=1_000_000):
    path = tmp_path / "source"
    path.write_text(text)
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    return joined(batches)


ENTRY = {
    "__CURSOR": "s=1",
    "__REALTIME_TIMESTAMP": "1740823200000000",
    "_HOSTNAME": "tower",
    "SYSLOG_IDENTIFIER": "kernel",
    "_TRANSPORT": "kernel",
    "MESSAGE": "[UFW BLOCK] " + TCP,
}


def test_journal_entries_are_read(tmp_path):
    """The message may be text or an array of bytes, and a field may stand there twice."""
    entries = [
        ENTRY,
        ENTRY | {"MESSAGE": list(ENTRY["MESSAGE"].encode())},
        ENTRY | {"MESSAGE": [ENTRY["MESSAGE"], "more"]},
        ENTRY | {"MESSAGE": "first\n" + ENTRY["MESSAGE"]},
    ]
    batch = _read(tmp_path, "\n".join(json.dumps(entry) for entry in entries), Reading())
    assert batch.packets.rows(named=True) == [TCP_PACKET] * len(entries)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (ENTRY | {"SYSLOG_IDENTIFIER": "NetworkManager"}, "not a firewall line"),
        (ENTRY | {"MESSAGE": None}, "not a firewall line"),
        (ENTRY | {"MESSAGE": {"a": 1}}, "not a firewall line"),
        (ENTRY | {"MESSAGE": [1, 999]}, "not a firewall line"),
        (ENTRY | {"__REALTIME_TIMESTAMP": "soon"}, "ts: not a time"),
        ({"MESSAGE": TCP}, "ts: missing"),
        ([], "not a JSON object"),
    ],
)
def test_other_journal_entries_are_refused(tmp_path, entry, reason):
    """Each with its own reason, and the packet beside it is kept."""
    text = "\n".join(json.dumps(e) for e in (ENTRY, entry))
    batch = _read(tmp_path, text, Reading(format="journald"))
    assert batch.refused["reason"].to_list() == [reason]
    assert batch.packets.height == 1


def test_lines_of_a_journal_that_are_no_json_are_refused(tmp_path):
    """Broken text, nesting without end and huge numbers refuse their line only."""
    text = json.dumps(ENTRY)
    bad = ["{", "[" * 200_000, '{"a":' + "9" * 9000 + "}", '{"MESSAGE":"\\ud800"}']
    batch = _read(tmp_path, "\n".join([text, *bad, text]), Reading(format="journald"))
    assert batch.packets.height == 2
    assert batch.refused["row"].to_list() == [2, 3, 4, 5]
    assert set(batch.refused["reason"][:3]) == {"not JSON"}


def test_batches_of_a_journal_are_the_same_in_any_size(tmp_path):
    """Records are numbered on from batch to batch."""
    lines = [json.dumps(ENTRY), "{", "", json.dumps(ENTRY | {"MESSAGE": "x"})] * 3
    whole = _read(tmp_path, "\n".join(lines), Reading(format="journald"))
    parts = _read(tmp_path, "\n".join(lines), Reading(format="journald"), rows_per_batch=2)
    assert whole.packets.equals(parts.packets)
    assert whole.refused.equals(parts.refused)
    assert whole.refused["row"].to_list() == [2, 3, 5, 6, 8, 9]
