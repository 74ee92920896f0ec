"""Lines of iptables, nftables and UFW as packets, and every other line as a refused row."""

import gzip
import json
import random
from datetime import UTC, date, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import PACKETS, QUARANTINE, parse_address
from dante.sources import Reading, read_batches
from tests.sources.whole import joined

HEAD = "Mar  1 10:00:00 tower kernel: [12345.678901] "
MAC = "MAC=fa:16:3e:8a:b4:2d:fe:16:3e:8a:b4:2e:08:00"
IP = "SRC=203.0.113.7 DST=198.51.100.9 LEN=60 TOS=0x08 PREC=0x20 TTL=47 ID=54321 DF"
TCP = f"IN=eth0 OUT= {MAC} {IP} PROTO=TCP SPT=43210 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 "
UDP = f"IN=eth0 OUT= {MAC} {IP} PROTO=UDP SPT=5060 DPT=53 LEN=40 "
GIVEN = Reading(year=2025)
NONE = dict.fromkeys(PACKETS)
KNOWN = {
    "ts": datetime(2025, 3, 1, 10, tzinfo=UTC),
    "src": parse_address("203.0.113.7"),
    "dst": parse_address("198.51.100.9"),
    "sensor": "tower",
    "length": 60,
    "ttl": 47,
    "ip_id": 54321,
}
TCP_PACKET = (
    NONE
    | KNOWN
    | {
        "proto": 6,
        "sport": 43210,
        "dport": 23,
        "tcp_window": 1024,
        "tcp_flags": 0x02,
    }
)


def _read(tmp_path, text, reading=GIVEN, rows_per_batch=1_000_000):
    path = tmp_path / "source"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    batches = list(read_batches(path, reading, rows_per_batch=rows_per_batch))
    for batch in batches:
        assert batch.packets.schema == PACKETS
        assert batch.refused.schema == QUARANTINE
        assert batch.rows <= rows_per_batch
    return joined(batches)


def _packet(tmp_path, line, head=HEAD, reading=None):
    asked = reading or Reading(format="firewall", year=2025)
    batch = _read(tmp_path, head + line + "\n", asked)
    assert batch.refused["reason"].to_list() == []
    return batch.packets.row(0, named=True)


def _reason(tmp_path, line, head=HEAD):
    batch = _read(tmp_path, f"{head}{line}\n{HEAD}{TCP}\n")
    assert batch.packets.height == 1
    return batch.refused["reason"].item()


def test_a_tcp_line_fills_every_column_that_it_carries(tmp_path):
    """Addresses, ports, flags, window, TTL, ID and length of a UFW line are read."""
    assert _packet(tmp_path, "[UFW BLOCK] " + TCP) == TCP_PACKET


def test_a_udp_line_keeps_the_length_of_the_ip_packet(tmp_path):
    """UDP's own LEN, which stands behind PROTO, is not the packet's."""
    assert _packet(tmp_path, UDP) == NONE | KNOWN | {"proto": 17, "sport": 5060, "dport": 53}


def test_an_echo_request_has_its_type_and_code_as_dport(tmp_path):
    """ICMP's own ID and SEQ are neither ip_id nor tcp_seq."""
    line = f"IN=eth0 OUT= {MAC} {IP} PROTO=ICMP TYPE=8 CODE=0 ID=77 SEQ=9 "
    assert _packet(tmp_path, line) == NONE | KNOWN | {"proto": 1, "dport": 8 * 256}


def test_the_packet_quoted_by_an_icmp_error_is_not_the_senders(tmp_path):
    """Nothing in the brackets of an ICMP error is read, however it is ordered."""
    quoted = "[SRC=192.0.2.1 DST=192.0.2.2 LEN=9 TTL=1 ID=1 PROTO=UDP SPT=1 DPT=2 LEN=3 ] MTU=1280 "
    line = f"IN=eth0 OUT= {IP} PROTO=ICMP TYPE=3 CODE=4 {quoted}"
    assert _packet(tmp_path, line) == NONE | KNOWN | {"proto": 1, "dport": 3 * 256 + 4}
    bare = "IN=eth0 OUT= SRC=203.0.113.7 PROTO=ICMP TYPE=3 CODE=4 "
    assert _packet(tmp_path, bare + quoted)["dst"] is None


def test_an_ipv6_line_is_read_with_its_hop_limit(tmp_path):
    """HOPLIMIT is the ttl, there is no ip_id, and an address is its upper 64 bits."""
    address = (
        "SRC=2001:0db8:0001:0002:0000:0000:0000:0003 DST=2001:0db8:0000:0000:0000:0000:0000:0001"
    )
    tail = "LEN=64 TC=0 HOPLIMIT=251 FLOWLBL=4711 PROTO=ICMPv6 TYPE=128 CODE=0 ID=4 SEQ=1 "
    wanted = {
        "ts": KNOWN["ts"],
        "src": 0x2001_0DB8_0001_0002,
        "dst": 0x2001_0DB8_0000_0000,
        "sensor": "tower",
        "proto": 58,
        "dport": 128 * 256,
        "ttl": 251,
        "length": 64,
    }
    assert _packet(tmp_path, f"IN=eth0 OUT= {address} {tail}") == NONE | wanted


def test_sequence_numbers_and_options_are_read_over(tmp_path):
    """--log-tcp-sequence gives tcp_seq; OPT (…), UID and MARK change nothing."""
    line = (
        f"IN=eth0 OUT= {IP} OPT (94040000) PROTO=TCP SPT=43210 DPT=23 SEQ=4294967295 ACK=17 "
        "WINDOW=1024 RES=0x00 SYN URGP=0 OPT (020405B4) UID=0 GID=0 MARK=0x1 "
    )
    assert _packet(tmp_path, line) == TCP_PACKET | {"tcp_seq": 4294967295}


@pytest.mark.parametrize(
    ("words", "flags"),
    [("", 0), ("ACK SYN ", 0x12), ("RST ", 4), ("CWR ECE URG ACK PSH RST SYN FIN ", 255)],
)
def test_flags_are_the_words_in_front_of_urgp(tmp_path, words, flags):
    """No word is the null scan's 0, and ACK=… is no flag."""
    line = TCP.replace("SYN ", words).replace("WINDOW", "SEQ=5 ACK=9 WINDOW")
    assert _packet(tmp_path, line)["tcp_flags"] == flags


def test_flags_that_may_have_been_cut_off_are_unknown(tmp_path):
    """A line that ends in front of URGP does not say which flags there were."""
    assert _packet(tmp_path, TCP.partition(" SYN")[0])["tcp_flags"] is None
    assert _packet(tmp_path, TCP.partition(" URGP")[0])["tcp_flags"] is None


@pytest.mark.parametrize(
    "prefix",
    [
        "DROP",
        "Shorewall:net2fw:DROP:",
        "[WAN_LOCAL-default-D]",
        'DESCR="no SRC=6.6.6.6 here" ',
        "SRC=6.6.6.6 DST=7.7.7.7 PROTO=UDP SPT=1 DPT=2 ",
        "IN=x OUT=y SRC=6.6.6.6 PROTO=UDP DPT=9 ",
        "IN=IN=",
        "[ IN=a [",
        "Zur\u00fcckgewiesen: ",
    ],
)
def test_a_prefix_may_hold_anything(tmp_path, prefix):
    """The packet's own fields are those behind the last IN=… OUT=…, whatever stands before."""
    assert _packet(tmp_path, prefix + TCP) == TCP_PACKET


def test_bytes_that_are_no_text_cost_no_packet(tmp_path):
    """A prefix in Latin-1, and the zero bytes that a crash leaves, are passed over."""
    latin = HEAD.encode() + b"Zur\xfcck " + TCP.encode()
    batch = _read(tmp_path, latin + b"\n" + b"\0" * 7 + (HEAD + TCP).encode() + b"\n")
    assert batch.packets.rows(named=True) == [TCP_PACKET] * 2


def test_a_bridge_names_its_ports_between_in_and_out(tmp_path):
    """Lines of kernels before 2.6 and after, with PHYSIN in either place, are read."""
    old = TCP.replace("IN=eth0 OUT= ", "IN=br0 PHYSIN=eth0 OUT=br0 PHYSOUT=eth1 ")
    new = TCP.replace("IN=eth0 OUT= ", "IN=br0 OUT=br0 PHYSIN=eth0 PHYSOUT=eth1 ")
    assert _packet(tmp_path, old) == _packet(tmp_path, new) == TCP_PACKET


def test_other_protocols_have_no_ports(tmp_path):
    """A protocol by number, or by a name without ports, is kept with nulls."""
    for name, number in (("47", 47), ("ESP", 50), ("2", 2)):
        line = f"IN=eth0 OUT= {IP} PROTO={name} "
        assert _packet(tmp_path, line) == NONE | KNOWN | {"proto": number}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("usb 1-1: new high-speed USB device", "not a firewall line"),
        ("IN=eth0 is nice, OUT= too", "not a firewall line"),
        (TCP.replace("IN=eth0 OUT=", "IN= OUT=eth0"), "not an incoming packet"),
        ("IN=eth0 OUT= MACSRC=a MACDST=b MACPROTO=0806 ARP HTYPE=1 ", "not IP: ARP"),
        ("IN=eth0 OUT= MACSRC=a MACDST=b MACPROTO=88cc ", "not IP: ethertype 0x88cc"),
        (f"IN=eth0 OUT= {IP} FRAG:185 PROTO=UDP ", "a later fragment"),
        (f"IN=eth0 OUT= {IP} PROTO=TCP INCOMPLETE [8 bytes] ", "no destination port"),
        (f"IN=eth0 OUT= {IP} PROTO=ICMP INCOMPLETE [2 bytes] ", "no ICMP type"),
        (TCP.replace("203.0.113.7", "203.0.113.777"), "src: not an address"),
        (TCP.replace("SRC=203.0.113.7 ", ""), "src: missing"),
        (TCP.replace("DPT=23", "DPT=65536"), "dport: 65536 is out of 0..65535"),
        (TCP.replace("TTL=47", "TTL=x"), "ttl: 'x' is not a whole number"),
        (f"IN=eth0 OUT= {IP} ", "proto: missing"),
    ],
)
def test_what_is_no_packet_is_refused_with_its_reason(tmp_path, line, reason):
    """Lines that are none, packets that did not come in, and broken values are told apart."""
    assert _reason(tmp_path, line).startswith(reason)


@pytest.mark.parametrize(
    "head",
    ["Mar  1 10:00:00 tower sshd[812]: Invalid user ", "Mar  1 10:00:00 tower dovecot: user=<"],
)
def test_what_another_program_logs_is_never_a_packet(tmp_path, head):
    """Anyone may try to log in under a name that reads as a packet."""
    assert _reason(tmp_path, TCP, head) == "not a firewall line"


@pytest.mark.parametrize("tag", ["", "DROP: ", "ulogd[55]: ", "iptables: "])
def test_lines_that_ulogd_wrote_are_read(tmp_path, tag):
    """They have no kernel: in front, or the name of ulogd, or only a prefix."""
    assert _packet(tmp_path, TCP, f"Mar  1 10:00:00 tower {tag}") == TCP_PACKET


def test_a_line_without_a_time_is_refused(tmp_path):
    """Seconds since the start of the kernel are no time."""
    assert _reason(tmp_path, TCP, "[12345.678901] ") == "ts: missing"


def test_refused_lines_keep_their_number_their_day_and_their_text(tmp_path):
    """Numbers count every line that is not blank."""
    text = f"\n{HEAD}{TCP}\n\n{HEAD}other\nno head\n"
    refused = _read(tmp_path, text).refused
    assert refused.rows() == [
        (date(2025, 3, 1), 2, f"{HEAD}other", "not a firewall line"),
        (None, 3, "no head", "not a firewall line"),
    ]


def _repeat(n, host="tower", second=5):
    return f"Mar  1 10:00:0{second} {host} last message repeated {n} times\n"


port = st.integers(0, 65535)
names = st.text("abz.-AZ019_", min_size=1, max_size=8).filter(lambda n: not n.startswith("-"))
heads = st.sampled_from(
    [
        "{:%b} {day:2} {:%H:%M:%S} {host} kernel: ",
        "<4>{:%b} {day:2} {:%H:%M:%S.%f} {host} kernel: [ 1.5] ",
        "{:%Y-%m-%dT%H:%M:%S.%f+00:00} {host} kernel: ",
        "<4>1 {:%Y-%m-%dT%H:%M:%S.%fZ} {host} kernel - - - ",
        "{:%a %Y-%m-%d %H:%M:%S} UTC {host} kernel: ",
    ]
)
prefixes = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="\u2028\u2029"),
    max_size=29,
)


@st.composite
def _lines(draw):
    """A line as the kernel writes it, and the packet it stands for."""
    when = draw(st.datetimes(datetime(2025, 1, 1), datetime(2025, 12, 31)))
    host, head = draw(names), draw(heads)
    if "%f" not in head:
        when = when.replace(microsecond=0)
    proto = draw(st.sampled_from(["TCP", "UDP", "ICMP", "47"]))
    src, dst = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 2**32 - 1))
    packet = NONE | {"ts": when.replace(tzinfo=UTC), "src": src, "dst": dst, "sensor": host}
    for field in ("length", "ttl", "ip_id"):
        packet[field] = draw(port) % (256 if field == "ttl" else 65536)
    dotted = [".".join(str(n >> s & 255) for s in (24, 16, 8, 0)) for n in (src, dst)]
    line = (
        f"IN=eth0 OUT= {MAC} SRC={dotted[0]} DST={dotted[1]} LEN={packet['length']} TOS=0x00 "
        f"PREC=0x00 TTL={packet['ttl']} ID={packet['ip_id']} {draw(st.sampled_from(['', 'DF ']))}"
        f"PROTO={proto} "
    )
    packet["proto"] = {"TCP": 6, "UDP": 17, "ICMP": 1, "47": 47}[proto]
    if proto in ("TCP", "UDP"):
        packet["sport"], packet["dport"] = draw(port), draw(port)
        line += f"SPT={packet['sport']} DPT={packet['dport']} "
    if proto == "UDP":
        line += f"LEN={draw(port)} "
    if proto == "TCP":
        packet["tcp_window"], packet["tcp_flags"] = draw(port), draw(st.integers(0, 255))
        if draw(st.booleans()):
            packet["tcp_seq"] = draw(st.integers(0, 2**32 - 1))
            line += f"SEQ={packet['tcp_seq']} ACK={draw(st.integers(0, 2**32 - 1))} "
        words = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        flags = [word for bit, word in enumerate(words) if packet["tcp_flags"] >> bit & 1]
        line += " ".join([f"WINDOW={packet['tcp_window']} RES=0x00", *reversed(flags), "URGP=0 "])
    if proto == "ICMP":
        kind, code = draw(st.integers(0, 255)), draw(st.integers(0, 255))
        packet["dport"] = kind * 256 + code
        line += f"TYPE={kind} CODE={code} "
    start = head.format(when, when, day=when.day, host=host)
    return start + "[12345.678901] " + draw(prefixes) + line, packet


quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
others = st.sampled_from(
    ["", "x", HEAD + "other", HEAD + TCP.replace("DPT=23", "DPT=-"), _repeat(2).strip(), "{", "\t"]
)


@quick
@given(lines=st.lists(_lines(), min_size=1, max_size=6))
def test_every_line_of_a_kernel_reads_back(tmp_path, lines):
    """Whatever the packet, the prefix and the form of the time."""
    asked = Reading(format="firewall", year=2025)
    batch = _read(tmp_path, "\n".join(line for line, _ in lines), asked)
    assert batch.refused["reason"].to_list() == []
    months = [packet["ts"].month for _, packet in lines]
    for row, (_, packet) in zip(batch.packets.rows(named=True), lines, strict=True):
        if row["ts"].year != 2025 and len(set(months)) > 1:  # taken as another year's
            packet = packet | {"ts": row["ts"]}
        assert row == packet


@quick
@given(
    lines=st.lists(_lines().map(lambda pair: pair[0]) | others, min_size=1, max_size=12),
    size=st.integers(1, 5),
)
def test_results_do_not_depend_on_the_batches(tmp_path, lines, size):
    """Years, repetitions and numbers go on from batch to batch; every line is a row."""
    text = "\n".join(lines)
    if not text.strip("\n"):
        return
    asked = Reading(format="firewall", year=2025)
    whole = _read(tmp_path, text, asked)
    parts = _read(tmp_path, text, asked, rows_per_batch=size)
    assert_frame_equal(whole.packets, parts.packets)
    assert_frame_equal(whole.refused, parts.refused)
    assert whole.rows == sum(bool(line) for line in lines)


def test_a_file_cut_anywhere_keeps_every_whole_line(tmp_path):
    """What is left of the last line is one row, packet or not; gzip says where it broke off."""
    text = (f"{HEAD}{TCP}\n" * 3).encode()
    asked = Reading(format="firewall", year=2025)
    for end in range(1, len(text), 7):
        batch = _read(tmp_path, text[:end], asked)
        assert batch.rows == text[:end].count(b"\n") + (not text[:end].endswith(b"\n"))
        assert batch.packets.head(text[:end].count(b"\n")).rows(named=True) == [TCP_PACKET] * min(
            text[:end].count(b"\n"), 3
        )
    packed = gzip.compress(text * 40, mtime=0)
    cut = _read(tmp_path, packed[: len(packed) - 30], asked)
    assert "damaged after" in cut.refused["reason"][-1]
    assert cut.packets.height + cut.refused.height >= 2


def test_mutated_logs_never_crash(tmp_path):
    """Bit flips, cuts and splices give rows or one plain error, and every line is counted."""
    rng = random.Random(7)
    lines = [HEAD + TCP, HEAD + UDP, _repeat(3).strip(), HEAD + "other", ""]
    text = "\n".join(rng.choice(lines) for _ in range(12)).encode()
    for _ in range(200):
        data = bytearray(text)
        for _ in range(rng.randint(1, 6)):
            at = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[at] ^= 1 << rng.randrange(8)
                case 1:
                    del data[at : at + rng.randint(1, 40)]
                case 2:
                    data[at:at] = data[rng.randrange(len(data)) :][: rng.randint(1, 90)]
        try:
            batch = _read(tmp_path, bytes(data), Reading(format="firewall", year=2025))
        except SourceError:
            continue
        kept = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        assert batch.rows == sum(bool(line.removesuffix(b"\r")) for line in kept)


def test_a_log_is_told_by_its_lines(tmp_path):
    """A time in front and IN=… OUT=… SRC=… make it one, even far behind other programs' lines."""
    other = "Mar  1 09:00:00 tower sshd[1]: Connection closed\n"
    assert _read(tmp_path, other * 3000 + HEAD + TCP).packets.height == 1
    for text in (other, TCP, f"note: {TCP}\n", f"when,what\n2025-03-01 10:00:00,{TCP}\n"):
        with pytest.raises(SourceError, match="unknown format"):
            _read(tmp_path, text)


def test_the_commands_of_the_page_do_what_they_say(documented):
    """A log without years, a packed one with ISO times, and a journal."""
    entry = {"__REALTIME_TIMESTAMP": "1740823200000000", "MESSAGE": TCP}
    iso = f"2025-03-01T11:00:00+01:00 tower kernel: {TCP}\n".encode()
    said = documented(
        "formats/firewall.md",
        {
            "kern.log": f"{HEAD}{TCP}\n{HEAD}other\n".encode(),
            "ufw.log.1.gz": gzip.compress(iso * 2, mtime=0),
            "journal.json": json.dumps(entry).encode(),
        },
    )
    assert "1 packets kept" in said[0]
    assert "2 packets kept" in said[1]
    assert "1 packets kept" in said[2]
