"""Captures as packets, field by field as dpkt and tshark have them."""

import bz2
import gzip
import lzma
import random
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import dpkt
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.errors import SourceError
from dante.schema import parse_address
from dante.simulate import Scenario, simulate_days, write_pcap
from dante.sources import format_of
from tests.sources import captures
from tests.sources.conftest import Documented
from tests.sources.reading import FIELDS, Row, read, rows_of

ETHERTYPES = (0x0800, 0x86DD)


def network(link: int, data: bytes) -> dpkt.Packet | None:
    """The IP packet of a frame by dpkt, which knows some links; the others are plain here."""
    if link == captures.ETHERNET:
        found = dpkt.ethernet.Ethernet(data).data
    elif link == captures.COOKED:
        found = dpkt.sll.SLL(data).data
    elif link == captures.COOKED2:
        found = dpkt.sll2.SLL2(data).data
    else:
        bare = data[4:] if link in (0, 108) else data
        found = (dpkt.ip.IP if bare[0] >> 4 == 4 else dpkt.ip6.IP6)(bare)
    return found if isinstance(found, dpkt.ip.IP | dpkt.ip6.IP6) else None


def expected(link: int, packet: captures.Packet) -> Row | str:
    """A packet's row by dpkt, or why it is none."""
    ip = network(link, packet.data)
    if ip is None:
        return "not IP"
    if isinstance(ip, dpkt.ip.IP):
        later, proto, ttl, ip_id, length = ip.offset > 0, ip.p, ip.ttl, ip.id, ip.len
        src, dst = (int.from_bytes(address) for address in (ip.src, ip.dst))
    else:
        fragments = [
            h for h in ip.all_extension_headers if isinstance(h, dpkt.ip6.IP6FragmentHeader)
        ]
        later, proto, ttl, ip_id = any(h.frag_off for h in fragments), ip.p, ip.hlim, None
        length = ip.plen + 40
        src, dst = (int.from_bytes(address[:8]) for address in (ip.src, ip.dst))
    if later:
        return "later fragment"
    dport = sport = flags = window = seq = None
    data = ip.data
    if isinstance(data, dpkt.tcp.TCP):
        sport, dport, seq = data.sport, data.dport, data.seq
        flags, window = data.flags & 0xFF, data.win
    elif isinstance(data, dpkt.udp.UDP):
        sport, dport = data.sport, data.dport
    elif isinstance(data, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
        dport = data.type * 256 + data.code
    elif proto in (1, 58):
        dport = data[0] * 256 + data[1]  # of the other version of IP
    us = packet.ns // 1000
    return us, src, dst, proto, dport, sport, ttl, flags, window, ip_id, seq, length


def check(
    link: int, made: list[captures.Packet], packets: pl.DataFrame, refused: pl.DataFrame
) -> None:
    """What was read is what dpkt reads, in the same order, and each other row is refused."""
    found = [expected(link, one) for one in made]
    assert rows_of(packets) == [row for row in found if isinstance(row, tuple)]
    lost = [(at, why) for at, why in enumerate(found, 1) if isinstance(why, str)]
    assert refused["row"].to_list() == [at for at, _ in lost]
    for reason, (_, why) in zip(refused["reason"], lost, strict=True):
        assert why in reason
    assert refused["raw"].to_list() == [made[at - 1].data.hex() for at, _ in lost]


@pytest.mark.parametrize("link", captures.LINKS)
def test_every_kind_of_packet_as_dpkt_reads_it(tmp_path: Path, link: int) -> None:
    """On each link, all fields of all kinds of packets are dpkt's, with the same rows refused."""
    rng = random.Random(link)
    made = captures.packets(rng, link, 24_000 if link == captures.ETHERNET else 9_000)
    order, magic = rng.choice("<>"), rng.choice((captures.MICRO, captures.NANO, captures.MODIFIED))
    data = captures.classic(made, link, magic=magic, order=order)
    check(link, made, *read(tmp_path, data, rng.choice((1000, 1_000_000))))


def test_a_simulated_day_comes_back_from_its_capture(tmp_path: Path) -> None:
    """The simulator's capture of a day gives the packets of its Parquet, but for the sensors."""
    day = next(iter(simulate_days(Scenario(days=1, senders=300, seed=3))))
    write_pcap(day.packets, tmp_path / "day.pcap")
    packets, refused = read(tmp_path, (tmp_path / "day.pcap").read_bytes())
    assert format_of(tmp_path / "day.pcap") == "pcap"
    assert_frame_equal(packets.drop("sensor"), day.packets.drop("sensor"))
    assert not refused.height


@pytest.mark.parametrize("link", [captures.ETHERNET, captures.RAW, captures.COOKED2, 0])
def test_a_cut_frame_gives_what_was_captured(tmp_path: Path, link: int) -> None:
    """Snap lengths leave fields null, and refuse a row only if its address or port is lost."""
    rng = random.Random(link)
    made = captures.packets(rng, link, 400, odd=0)
    whole, later = read(tmp_path, captures.classic(made, link))
    row_of = dict(zip(sorted({*range(1, 401)} - {*later["row"]}), rows_of(whole), strict=True))
    for snap in (0, 1, 13, 14, 20, 30, 37, 38, 39, 41, 47, 48, 52, 58, 60, 61, 62, 75, 96, 128):
        packets, refused = read(tmp_path, captures.classic(captures.cut(made, snap), link))
        assert packets.height + refused.height == 400
        kept = sorted({*range(1, 401)} - {*refused["row"]})
        for at, row in zip(kept, rows_of(packets), strict=True):
            assert all(value in (None, full) for value, full in zip(row, row_of[at], strict=True))
            assert row[3] not in (6, 17, 1, 58) or row[4] is not None
        for at, why in refused.select("row", "reason").rows():
            assert at not in row_of or why.startswith("cut")
        headers = {captures.ETHERNET: 14, captures.COOKED2: 20, 0: 4}.get(link, 0)
        for at, one in enumerate(made, 1):  # plain SYNs, to the byte
            start = headers
            if one.data[start : start + 1] == b"\x45" and one.data[start + 9] == 6 and at in row_of:
                assert (at in kept) == (snap >= start + 24)
                if at in kept:
                    row = dict(zip(FIELDS, rows_of(packets)[kept.index(at)], strict=True))
                    have = snap - start - 20
                    known = [row[f] is not None for f in ("tcp_seq", "tcp_flags", "tcp_window")]
                    assert known == [have >= 8, have >= 14, have >= 16]


@pytest.mark.parametrize("flavour", captures.FLAVOURS)
def test_every_flavour_is_told_by_its_bytes(tmp_path: Path, flavour: str) -> None:
    """Under any name, and each of its packets is a row or a refused one with a reason."""
    data = captures.FLAVOURS[flavour](random.Random(1), 50)
    packets, refused = read(tmp_path, data, 7)
    assert packets.height + refused.height == 50
    assert packets.height >= 35
    assert refused["reason"].str.contains("not IP|later fragment").all()


def packed(data: bytes, how: str) -> bytes:
    if how == "zst":
        import zstandard

        return zstandard.compress(data)
    return {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}[how](data)


@pytest.mark.parametrize("how", ["gz", "xz", "bz2", "zst"])
def test_packed_captures(tmp_path: Path, how: str) -> None:
    """Compressed captures are the same packets."""
    for flavour in list(captures.FLAVOURS)[:: len(captures.FLAVOURS) - 1]:
        data = captures.FLAVOURS[flavour](random.Random(2), 50)
        for one, other in zip(read(tmp_path, data), read(tmp_path, packed(data, how)), strict=True):
            assert_frame_equal(one, other)


On = captures.Interface
SECTIONS = {
    "microseconds": [On(captures.ETHERNET)],
    "seconds": [On(captures.RAW, 0)],
    "nanoseconds and links": [On(captures.ETHERNET, 9), On(captures.COOKED, 7), On(0), On(229)],
    "powers of two": [On(captures.RAW, 0x80 | code) for code in (0, 10, 30, 32, 33)],
    "offsets": [On(captures.ETHERNET, 9, 3600), On(captures.ETHERNET, 6, -86_400 * 365)],
    "finer than a nanosecond": [On(captures.RAW, 10), On(captures.RAW, 0x80 | 33)],
}


@pytest.mark.parametrize("name", SECTIONS)
def test_blocks_as_they_were_written(tmp_path: Path, name: str) -> None:
    """Packets of any interface are dpkt's, at times rounded down to the interface's units."""
    rng = random.Random(name)
    data, made = b"", []
    for order in "<>":
        some = captures.several(rng, SECTIONS[name], 300)
        kinds = (captures.ENHANCED, captures.OLD)
        data += captures.capture_section(some, SECTIONS[name], rng, order=order, kinds=kinds)
        made += some
    packets, refused = read(tmp_path, data, 77)
    found = []
    for number, one in made:
        interface = SECTIONS[name][number]
        code = 6 if interface.resolution is None else interface.resolution
        per_second = 1 << (code & 0x7F) if code & 0x80 else 10**code
        ns = interface.units(one.ns) * 1_000_000_000 // per_second
        one = replace(one, ns=ns + (interface.offset or 0) * 1_000_000_000)
        found.append(expected(interface.link, one))
    assert rows_of(packets) == [row for row in found if isinstance(row, tuple)]
    lost = [at for at, why in enumerate(found, 1) if isinstance(why, str)]
    assert refused["row"].to_list() == lost


@settings(deadline=None, max_examples=100)
@given(
    units=st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 2**40), min_size=1),
    code=st.integers(0, 255),
    offset=st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**9), 10**9),
)
def test_times_of_any_resolution(
    units: list[int], code: int, offset: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Any 64-bit time in any unit, from any offset, is exact to the microsecond, or refused."""
    interface = On(captures.RAW, code, offset)
    parts = [captures.section("<"), interface.block("<")]
    syn = captures.ipv4(random.Random(1), 6)
    for value in units:
        head = struct.pack("<IIIII", 0, value >> 32, value & 0xFFFFFFFF, len(syn), len(syn))
        parts.append(captures.block("<", captures.ENHANCED, head + syn))
    packets, refused = read(tmp_path_factory.mktemp("times"), b"".join(parts))
    per_second = 2 ** (code & 0x7F) if code & 0x80 else 10**code
    times = [offset * 1_000_000 + value * 1_000_000 // per_second for value in units]
    fine = [-62_135_596_800 <= time // 1_000_000 < 253_402_300_800 for time in times]
    assert packets["ts"].to_physical().to_list() == [
        time for time, ok in zip(times, fine, strict=True) if ok
    ]
    assert refused["row"].to_list() == [at for at, ok in enumerate(fine, 1) if not ok]
    assert set(refused["reason"]) <= {"ts: missing, or not a time"}


def test_blocks_that_hold_no_packet_to_use(tmp_path: Path) -> None:
    """Simple packets have no time; an interface must be described, on a link that is read."""
    rng = random.Random(6)
    made = [
        captures.Packet(captures.START, data, len(data))
        for data in (captures.ipv4(rng, 6) for _ in range(5))
    ]
    raw = captures.Interface(captures.RAW, snap=20)
    parts = [captures.section("<"), raw.block("<"), captures.Interface(127).block("<")]
    wanted = ((0, 6), (1, 6), (2, 6), (0, 3), (0, 6))
    for one, (number, kind) in zip(made, wanted, strict=True):
        parts.append(captures.packet_block("<", one, number, raw, kind, rng))
    packets, refused = read(tmp_path, b"".join(parts))
    assert packets.height == 2
    assert refused.select("row", "reason").rows() == [
        (2, "the link type 127 is not read"),
        (3, "the interface that it came by is not described"),
        (4, "ts: missing, or not a time"),
    ]
    assert refused["day"].to_list()[2] is None


def test_a_section_has_its_own_interfaces(tmp_path: Path) -> None:
    """Interfaces of the section before are not those of the next."""
    rng = random.Random(7)
    (one,) = captures.packets(rng, captures.RAW, 1)
    raw = captures.Interface(captures.RAW)
    packet = captures.packet_block("<", one, 0, raw, 6, rng)
    data = captures.section("<") + raw.block("<") + packet + captures.section("<") + packet
    packets, refused = read(tmp_path, data)
    assert packets.height + refused.height == 2
    assert refused["reason"][-1] == "the interface that it came by is not described"


TSHARK = (
    *("frame.number", "frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "ip.ttl"),
    *("ipv6.hlim", "ip.id", "ip.len", "ipv6.plen", "tcp.srcport", "tcp.dstport", "udp.srcport"),
    *("udp.dstport", "tcp.flags", "tcp.window_size_value", "tcp.seq_raw", "icmp.type"),
    *("icmp.code", "icmpv6.type", "icmpv6.code", "frame.protocols"),
)


def by_tshark(path: Path) -> list[dict[str, str]]:
    """The fields of all packets by tshark, each packet by itself; of nested ones the outermost."""
    options = ("ip.defragment", "ipv6.defragment", "tcp.desegment_tcp_streams")
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "occurrence=f"]
    command += [word for option in options for word in ("-o", f"{option}:FALSE")]
    command += [word for field in TSHARK for word in ("-e", field)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [dict(zip(TSHARK, line.split("\t"), strict=True)) for line in said.splitlines()]


def row_of_tshark(fields: dict[str, str], proto: int) -> Row:
    """A packet's row by tshark's fields."""

    def number(*names: str) -> int | None:
        return next((int(fields[name], 0) for name in names if fields[name]), None)

    seconds, part = fields["frame.time_epoch"].split(".")
    dport, sport = number("tcp.dstport", "udp.dstport"), number("tcp.srcport", "udp.srcport")
    flags = number("tcp.flags")
    ip = next(name for name in fields["frame.protocols"].split(":") if name in ("ip", "ipv6"))
    if proto in (1, 58):
        name = "icmp" if proto == 1 else "icmpv6"
        sport, dport = None, int(fields[f"{name}.type"]) * 256 + int(fields[f"{name}.code"])
    return (
        int(seconds) * 1_000_000 + int(part[:6]),
        *(parse_address(fields[f"{ip}.{end}"]) for end in ("src", "dst")),
        proto,
        dport,
        sport,
        number("ip.ttl" if ip == "ip" else "ipv6.hlim"),
        None if flags is None else flags & 0xFF,
        number("tcp.window_size_value"),
        number("ip.id") if ip == "ip" else None,
        number("tcp.seq_raw"),
        number("ip.len") if ip == "ip" else int(fields["ipv6.plen"]) + 40,
    )


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
@pytest.mark.parametrize("flavour", list(captures.FLAVOURS)[1::3])
def test_every_flavour_as_tshark_reads_it(tmp_path: Path, flavour: str) -> None:
    """Wireshark counts the same rows, and has the same times, addresses, ports and other fields."""
    packets, refused = read(tmp_path, captures.FLAVOURS[flavour](random.Random(5), 600))
    told = by_tshark(tmp_path / "capture")
    assert len(told) == packets.height + refused.height
    lost = {*refused["row"]}
    others = [fields for fields in told if int(fields["frame.number"]) not in lost]
    plain = (6, 17, 1, 58)  # of other protocols Wireshark has ports of its own
    for row, fields in zip(rows_of(packets), others, strict=True):
        if row[3] in plain and not (row[3] == 58 and row[9] is not None):
            assert row == row_of_tshark(fields, row[3])


def test_the_commands_of_the_page(documented: Documented) -> None:
    """The documented commands read a folder of captures, and a packed one of blocks."""
    rng = random.Random(8)
    made = {
        "captures/a.pcap": captures.FLAVOURS["pcap on link 1"](rng, 50),
        "captures/b.pcap.gz": gzip.compress(captures.FLAVOURS["pcap of nanoseconds"](rng, 50)),
        "evening.pcapng.zst": packed(captures.FLAVOURS["pcapng, several sections"](rng, 50), "zst"),
    }
    said = documented("formats/captures.md", made)
    assert "pcap)" in said[0] and "pcapng)" in said[1]


def test_a_capture_within_a_payload_is_no_packet(tmp_path: Path) -> None:
    """What lies within a whole record is never read as records."""
    rng = random.Random(12)
    inner = captures.classic(captures.packets(rng, captures.RAW, 20), captures.RAW)
    made = captures.packets(rng, captures.RAW, 3, odd=0)
    made[1] = replace(made[1], data=made[1].data + inner, size=len(made[1].data) + len(inner))
    packets, refused = read(tmp_path, captures.classic(made, captures.RAW))
    assert packets.height + refused.height == 3


@pytest.mark.parametrize("link", [2, 105, 147, 0xFFFF])
def test_a_capture_of_another_link_is_an_error(tmp_path: Path, link: int) -> None:
    """A pcap of a link that is not read is refused whole, with what is read."""
    with pytest.raises(SourceError, match=f"of type {link}, which is not read; read are 0, 1"):
        read(tmp_path, captures.classic([], link))


def test_the_upper_bits_of_a_link_are_of_its_checksums(tmp_path: Path) -> None:
    """Bits that tell the length of a frame's checksum are no part of the link's type."""
    made = captures.packets(random.Random(13), captures.ETHERNET, 5, odd=0)
    data = captures.classic(made, captures.ETHERNET | 0x24000000)
    assert sum(frame.height for frame in read(tmp_path, data)) == 5
