"""Lines that say that a line was repeated: how many packets they stand for, and which."""

from datetime import UTC, datetime

import pytest

from dante.schema import PACKETS, parse_address
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

HEAD = "Mar  1 10:00:00 tower kernel: [12345.678901] "
IP = "SRC=203.0.113.7 DST=198.51.100.9 LEN=60 TOS=0x08 PREC=0x20 TTL=47 ID=54321 DF"
TCP = f"IN=eth0 OUT= {IP} PROTO=TCP SPT=43210 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 "
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


def _read(tmp_path, text, rows_per_batch=1_000_000):
    path = tmp_path / "source"
    path.write_text(text)
    asked = Reading(format="firewall", year=2025)
    batches = list(read_batches(path, asked, rows_per_batch=rows_per_batch))
    return joined(batches)


def _packet(tmp_path, line, head=HEAD):
    batch = _read(tmp_path, head + line + "\n")
    assert batch.refused["reason"].to_list() == []
    return batch.packets.row(0, named=True)


def _reason(tmp_path, line, head=HEAD):
    batch = _read(tmp_path, f"{head}{line}\n{HEAD}{TCP}\n")
    assert batch.packets.height == 1
    return batch.refused["reason"].item()


def _repeat(n, host="tower", second=5):
    return f"Mar  1 10:00:0{second} {host} last message repeated {n} times\n"


def test_a_line_that_says_how_often_it_was_repeated_counts_so_many_packets(tmp_path):
    """Rsyslog quotes the message it repeats."""
    line = f"message repeated 12 times: [ [UFW BLOCK] {TCP}]"
    assert _packet(tmp_path, line, "Mar  1 10:00:00 tower kernel: ") == TCP_PACKET | {"packets": 12}


def test_the_bracket_behind_a_quoted_message_is_not_its_last_fields(tmp_path):
    """Whether or not the message ended in a blank."""
    line = f"message repeated 2 times: [ IN=eth0 OUT= {IP} PROTO=ICMP TYPE=13 CODE=0]"
    assert _packet(tmp_path, line)["dport"] == 13 * 256


@pytest.mark.parametrize("rows_per_batch", [1, 2, 100])
def test_a_line_that_repeats_the_one_before_counts_so_many_packets(tmp_path, rows_per_batch):
    """It stands for n more of them, at its own time; in any batch, and several times over."""
    text = f"{HEAD}{TCP}\n{_repeat(3)}{_repeat(7, second=9)}"
    packets = _read(tmp_path, text, rows_per_batch=rows_per_batch).packets
    assert packets["packets"].to_list() == [None, 3, 7]
    assert packets["ts"].dt.second().to_list() == [0, 5, 9]
    assert packets.drop("ts", "packets").unique().height == 1


@pytest.mark.parametrize("rows_per_batch", [1, 2, 100])
@pytest.mark.parametrize(
    "between",
    [HEAD + "other\n", "x" * (1 << 20) + "\n", _repeat(1, "other")],
    ids=["line", "long", "host"],
)
def test_what_repeats_no_packet_counts_none(tmp_path, rows_per_batch, between):
    """Another program's line, another host's, and one too long to be read are not repeated."""
    after = _repeat(2) if "repeated" not in between else ""
    text = f"{HEAD}{TCP}\n{between}{after}"
    batch = _read(tmp_path, text, rows_per_batch=rows_per_batch)
    assert batch.packets["packets"].to_list() == [None]
    assert batch.refused["reason"][-1] == "not a firewall line"


def test_a_repetition_of_no_or_too_many_packets_is_refused(tmp_path):
    """Zero packets are no sighting, and more than 2^32 - 1 cannot be counted."""
    for times, reason in ((0, "the line stands for no packets"), (2**32, "packets: 4294967296")):
        line = f"message repeated {times} times: [ {TCP}]"
        assert _reason(tmp_path, line, "Mar  1 10:00:00 tower kernel: ").startswith(reason)


def test_another_program_cannot_repeat_a_packet(tmp_path):
    """Only the logger's own word counts."""
    line = "Mar  1 10:00:01 tower sshd[1]: user last message repeated 900 times"
    batch = _read(tmp_path, f"{HEAD}{TCP}\n{line}\n")
    assert (batch.packets.height, batch.refused.height) == (1, 1)
