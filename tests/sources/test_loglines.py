"""Many lines of a firewall's log at once: read as each of them is by itself."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.sources import Reading
from tests.sources.whole import read_text

IP = "SRC={src} DST=198.51.100.9 LEN=60 TOS=0x08 PREC=0x20 TTL=47 ID={id} {df}"
MAC = "MAC=fa:16:3e:8a:b4:2d:fe:16:3e:8a:b4:2e:08:00 "
TAILS = (
    f"IN=eth0 OUT= {MAC}{IP}PROTO=TCP SPT=43210 DPT={{port}} WINDOW=1024 RES=0x00 SYN URGP=0 ",
    f"IN=eth0.7 OUT= {MAC}{IP}PROTO=TCP SPT=4 DPT={{port}} SEQ=4294967295 ACK=0 WINDOW=9 RES=0x00 "
    "ACK RST URGP=0 OPT (020405B4) MARK=0x1 ",
    f"IN=br0 OUT=br0 PHYSIN=eth1 {IP}PROTO=UDP SPT=5060 DPT={{port}} LEN=40 ",
    f"IN=eth0 OUT= {IP}PROTO=ICMP TYPE=8 CODE=0 ID=77 SEQ=9 ",
    f"IN=eth0 OUT= {IP}PROTO=47 ",
    f"IN=eth0 OUT= {IP}PROTO=ICMP TYPE=3 CODE=4 [SRC=1.2.3.4 DST=5.6.7.8 PROTO=UDP DPT=9 ] ",
    f"IN= OUT=eth0 {IP}PROTO=TCP SPT=1 DPT={{port}} WINDOW=1024 RES=0x00 SYN URGP=0 ",
    "IN=eth0 OUT= SRC=2001:0db8:0001:0002:0000:0000:0000:0003 "
    "DST=2001:0db8:0000:0000:0000:0000:0000:0001 LEN=64 TC=0 HOPLIMIT=251 FLOWLBL=1 PROTO=ICMPv6 "
    "TYPE=128 CODE=0 ",
    "usb 1-1: new high-speed USB device",
)
HEADS = (
    "{month} {day:2} {clock} tower kernel: ",
    "<4>{month} {day:2} {clock}.25 gate.example.org kernel: ",
    "{month} {day:2} {clock} kernel: ",
    "{month} {day:2} {clock} tower sshd[7]: ",
    "2025-03-{day:02}T{clock}.123456+01:00 tower kernel: ",
    "2025-03-{day:02} {clock} tower2 kernel: ",
    "<12>1 2025-03-{day:02}T{clock}Z tower kernel - - - ",
    "Sat 2025-03-{day:02} {clock} CET tower kernel: ",
)
PREFIXES = ("[12345.678901] [UFW BLOCK] ", "DROP: ", "IN=x OUT=y SRC=6.6.6.6 ", "", "Zurück ")
PIECES = (
    *(" ", ".", "  ", "[", "]", "]\n", "\t", "\r\n", "\n\n", "\0", "ü", "=", "0", "300", "99999"),
    *("IN=", " OUT= ", " OUT=eth1 ", " ID=", "ID=5 ", "PROTO=TCP ", "SYN ", "FRAG:9 ", "ARP "),
    *("-", "4294967296", "SRC=9.9.9.9 ", ":", "kern.warn ", "2024 ", "Feb 29", "message repeated"),
)


def _log(rng: random.Random, lines: int, changed: float) -> str:
    """Lines like a few ones, some with bytes put in, taken out or written over."""
    heads = [rng.choice(HEADS) + rng.choice(PREFIXES) for _ in range(rng.randint(1, 3))]
    tails = [rng.choice(TAILS) for _ in range(rng.randint(1, 4))]
    month = rng.choice(["Mar", "Feb", "Dec", "Jan"])
    made = []
    for _ in range(lines):
        line = (rng.choice(heads) + rng.choice(tails)).format(
            month=month if rng.random() < 0.98 else "Jan",
            day=rng.randint(1, 30),
            clock=f"{rng.choice([2, 2, 14])}:{rng.randint(0, 61):02}:07".zfill(8),
            src=".".join(str(rng.choice([0, 7, 10, 99, 203, 255])) for _ in range(4)),
            id=rng.randint(0, 65535),
            df=rng.choice(["", "DF "]),
            port=rng.choice([23, 445, 8080, 65535]),
        )
        while rng.random() < changed:
            at = rng.randrange(len(line) + 1)
            line = line[:at] + rng.choice(PIECES) + line[at + rng.choice([0, 1, 3]) :]
        if rng.random() < changed / 4:
            line = (
                rng.choice(HEADS[:6])
                .split(" kernel")[0]
                .format(month=month, day=5, clock="10:00:00")
                + " last message repeated 3 times"
            )
        made.append(line)
    return "\n".join(made)


@pytest.mark.parametrize("tz", ["UTC", "Europe/Rome"])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 1 << 32), changed=st.sampled_from([0.0, 0.05, 0.6]))
def test_lines_are_read_alike_among_many_and_among_few(tmp_path, tz, seed, changed):
    """So many lines are read by the shapes they have, so few word by word: nothing differs."""
    text = _log(random.Random(seed), 150, changed)
    asked = Reading(format="firewall", year=2025, tz=tz)
    many = read_text(tmp_path, text, asked)
    for rows in (50, 90):
        few = read_text(tmp_path, text, asked, rows_per_batch=rows)
        assert_frame_equal(many.packets, few.packets)
        assert_frame_equal(many.refused, few.refused)


def test_every_line_of_a_usual_log_is_a_packet(tmp_path):
    """Of a thousand lines of one firewall none is lost, and none out of order."""
    lines = [
        (HEADS[0] + PREFIXES[0] + TAILS[row % 4]).format(
            month="Mar", day=1 + row // 500, clock=f"10:{row // 60:02}:{row % 60:02}", df="",
            src=f"203.0.{row // 256}.{row % 256}", port=row, id=row,
        )
        for row in range(1000)
    ]  # fmt: skip
    batch = read_text(tmp_path, "\n".join(lines), Reading(year=2025))
    assert batch.refused.height == 0
    assert batch.packets["ip_id"].to_list() == list(range(1000))
    assert (batch.packets["src"] & 0xFFFF).to_list() == list(range(1000))
    assert batch.packets["proto"].to_list() == [6, 6, 17, 1] * 250
    assert batch.packets["tcp_flags"].to_list() == [2, 20, None, None] * 250
    assert batch.packets["tcp_seq"].to_list() == [None, 4294967295, None, None] * 250
    assert batch.packets["dport"].gather_every(4, 3).unique().to_list() == [8 * 256]
    assert batch.packets["dport"].gather_every(4).to_list() == list(range(0, 1000, 4))
    assert batch.packets["ts"].is_sorted()
