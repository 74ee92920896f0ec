"""Makes captures of every flavour that is read: random packets, on any link, in any file."""

import random
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

MICRO, NANO, MODIFIED = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34
ETHERNET, RAW, COOKED, COOKED2 = 1, 101, 113, 276
LINKS = (0, 1, 12, 14, 101, 108, 113, 228, 229, 276)
START = 1_740_823_200_000_000_000  # 2025-03-01 10:00 in ns


@dataclass(frozen=True)
class Packet:
    """A frame as it was captured: `ns` since 1970, its bytes and how many there were."""

    ns: int
    data: bytes
    size: int


def transport(rng: random.Random, proto: int) -> bytes:
    """A random header of TCP (with options), UDP, ICMP or anything else, and a payload."""
    body = rng.randbytes(rng.choice((0, 0, 3, 40)))
    if proto == 6:
        options = rng.choice((0, 0, 4, 12, 20, 40))
        return (
            rng.randbytes(12)
            + bytes([(20 + options) // 4 << 4 | rng.randrange(2)])
            + (rng.randbytes(7 + options) + body)
        )
    if proto == 17:
        return rng.randbytes(4) + struct.pack(">HH", 8 + len(body), rng.randrange(65536)) + body
    if proto in (1, 58):
        kinds = (0, 3, 8, 11, 13) if proto == 1 else (1, 3, 128, 129, 135)
        return bytes([rng.choice(kinds), rng.randrange(4)]) + rng.randbytes(26) + body
    return rng.randbytes(rng.randrange(40))


def ipv4(rng: random.Random, proto: int, *, options: int = 0, fragment: int = 0) -> bytes:
    """A packet; `fragment` is that field of the header: flags and offset."""
    body = transport(rng, proto)
    size = 20 + options
    return struct.pack(
        ">BBHHHBBH", 0x40 | size // 4, rng.randrange(256), size + len(body), rng.randrange(65536),
        fragment, rng.randrange(256), proto, rng.randrange(65536),
    ) + rng.randbytes(8 + options) + body  # fmt: skip


EXTENSIONS = (0, 43, 44, 51, 60)


def ipv6(
    rng: random.Random, proto: int, extensions: Iterable[int] = (), later: bool = False
) -> bytes:
    """A packet with extension headers in this order; `later` is a fragment's offset above 0."""
    chain = [*extensions, proto]
    body = b""
    for kind, behind in pairwise(chain):
        if kind == 44:
            place = rng.randrange(1, 8192) << 3 if later else rng.randrange(2)
            body += struct.pack(">BBHI", behind, 0, place, rng.randrange(1 << 32))
        elif kind == 51:
            units = rng.randrange(1, 5) * 2
            body += bytes([behind, units]) + rng.randbytes(units * 4 + 6)
        elif kind == 43:  # of a type that dpkt takes: its addresses are read
            count = rng.randrange(3)
            body += bytes([behind, 2 * count, 0, count]) + bytes(4) + rng.randbytes(16 * count)
        else:
            units = rng.randrange(3)
            pad = 8 * units + 4
            body += bytes([behind, units, 1, pad]) + bytes(pad)
    body += transport(rng, proto)
    head = struct.pack(">IHBB", 6 << 28 | rng.randrange(1 << 28), len(body), chain[0],
                       rng.randrange(256))  # fmt: skip
    return head + b"\x20\x01" + rng.randbytes(30) + body


def ip_packet(rng: random.Random, version: int | None = None) -> bytes:
    """Any packet of these."""
    version = version or rng.choice((4, 4, 4, 6))
    other = rng.choice((2, 33, 47, 103, 132, 136, 200, 255))
    if version == 4:
        fragments = (0, 0x4000, 0x4000, 0x2000, 0x20B9, 3)
        proto = rng.choice((6, 6, 6, 17, 17, 1, 1, 58, other))
        return ipv4(
            rng, proto,
            options=rng.choice((0, 0, 0, 4, 12, 40)),
            fragment=rng.choice(fragments) if rng.random() < 0.2 else 0,
        )  # fmt: skip
    # dpkt cannot read headers behind a fragment's.
    extensions = sorted(rng.sample(EXTENSIONS, rng.choice((0, 0, 0, 1, 2, 4))), key=(44).__eq__)
    return ipv6(rng, rng.choice((6, 6, 17, 58, 58, other)), extensions, rng.random() < 0.3)


def framed(rng: random.Random, link: int, packet: bytes, ethertype: int | None = None) -> bytes:
    """A frame of the packet; on Ethernet with up to two VLAN tags, and padded to 60 bytes."""
    version = packet[0] >> 4
    ethertype = ethertype or {4: 0x0800, 6: 0x86DD}[version]
    if link == ETHERNET:
        tags = b"".join(
            struct.pack(">HH", tag, rng.randrange(65536))
            for tag in rng.choice(((), (), (0x8100,), (0x88A8, 0x8100), (0x9100, 0x8100)))
        )
        frame = rng.randbytes(12) + tags + struct.pack(">H", ethertype) + packet
        return frame.ljust(60, b"\0")
    if link in (0, 108):
        family = 2 if version == 4 else rng.choice((10, 24, 28, 30))
        order = rng.choice("<>") if link == 0 else ">"
        return struct.pack(order + "I", family) + packet
    if link == COOKED:
        head = struct.pack(">HHH", rng.choice((0, 1, 3)), 1, 6) + rng.randbytes(8)
        return head + struct.pack(">H", ethertype) + packet
    if link == COOKED2:
        head = struct.pack(">HHIHBB", ethertype, 0, rng.randrange(9), 1, 0, 6)
        return head + rng.randbytes(8) + packet
    return packet


def packets(rng: random.Random, link: int, count: int, odd: float = 0.02) -> list[Packet]:
    """Random packets of all kinds on a link, a part of them `odd`: ARP, 802.3 and so on."""
    version = {228: 4, 229: 6}.get(link)
    made, ns = [], START
    for _ in range(count):
        ns += rng.randrange(5_000_000)
        if link in (ETHERNET, COOKED, COOKED2) and rng.random() < odd:
            kind = rng.choice((0x0806, 0x88CC, 0x0026, 0x8035))
            data = framed(rng, link, b"\0" + rng.randbytes(45), kind)
        else:
            data = framed(rng, link, ip_packet(rng, version))
        made.append(Packet(ns, data, len(data)))
    return made


def cut(made: Iterable[Packet], snap: int) -> list[Packet]:
    """The packets as a capture with this snap length has them."""
    return [Packet(one.ns, one.data[:snap], one.size) for one in made]


def classic(
    made: Iterable[Packet], link: int, *, magic: int = MICRO, order: str = "<", snap: int = 262144
) -> bytes:
    """A pcap file."""
    unit = 1 if magic == NANO else 1000
    more = struct.pack(order + "IHBB", 2, 0x0800, 0, 0) if magic == MODIFIED else b""
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link)]
    for one in made:
        seconds, ns = divmod(one.ns, 1_000_000_000)
        head = struct.pack(order + "IIII", seconds, ns // unit, len(one.data), one.size)
        parts += [head, more, one.data]
    return b"".join(parts)


@dataclass(frozen=True)
class Record:
    """Where a packet's record begins, and where its length stands."""

    start: int
    length: int


def records(data: bytes) -> Iterator[Record]:
    """The whole packet records of an undamaged piece of a capture."""
    order = "<" if data[:4] in (struct.pack("<I", m) for m in (MICRO, NANO, MODIFIED)) else ">"
    if len(data) < 24:
        return
    size = 24 if struct.unpack_from(order + "I", data)[0] == MODIFIED else 16
    at = 24
    while at + size <= len(data):
        after = at + size + struct.unpack_from(order + "I", data, at + 8)[0]
        if after > len(data):
            return
        yield Record(at, at + 8)
        at = after


Flavour = Callable[[random.Random, int], bytes]


def _classic(link: int, magic: int = MICRO, order: str = "<") -> Flavour:
    return lambda rng, count: classic(packets(rng, link, count), link, magic=magic, order=order)


FLAVOURS: dict[str, Flavour] = {
    **{f"pcap on link {link}": _classic(link) for link in LINKS},
    "pcap, big-endian": _classic(ETHERNET, order=">"),
    "pcap of nanoseconds": _classic(ETHERNET, NANO),
    "pcap of nanoseconds, big-endian": _classic(RAW, NANO, ">"),
    "pcap with longer records": _classic(ETHERNET, MODIFIED),
    "pcap with longer records, big-endian": _classic(COOKED, MODIFIED, ">"),
}
"""A valid capture of so many packets, all of which are read or refused, by its flavour."""
