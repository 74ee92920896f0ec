"""Makes captures of every flavour that is read: random packets, on any link, in any file."""

import random
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
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
        family = 2 if version == 4 else rng.choice((24, 28, 30))
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


def option(order: str, code: int, value: bytes) -> bytes:
    """An option of a block, padded."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A block of a pcapng file, padded."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


@dataclass(frozen=True)
class Interface:
    """An interface: its link, `if_tsresol` and `if_tsoffset` if it has them, its snap length."""

    link: int
    resolution: int | None = None
    offset: int | None = None
    snap: int = 0

    def block(self, order: str) -> bytes:
        """Its description, with a name and other options."""
        body = struct.pack(order + "HHI", self.link, 0, self.snap) + option(order, 2, b"eth0")
        if self.resolution is not None:
            body += option(order, 9, bytes([self.resolution]))
        if self.offset is not None:
            body += option(order, 14, struct.pack(order + "q", self.offset))
        return block(order, 1, body + option(order, 12, b"an OS") + bytes(4))

    def units(self, ns: int) -> int:
        """A time as it is written, rounded down."""
        ns -= (self.offset or 0) * 1_000_000_000
        code = 6 if self.resolution is None else self.resolution
        if code & 0x80:
            return (ns << (code & 0x7F)) // 1_000_000_000
        return ns * 10**code // 1_000_000_000


ENHANCED, SIMPLE, OLD = 6, 3, 2


def section(order: str) -> bytes:
    """The block a section begins with, with an option."""
    body = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    return block(order, 0x0A0D0D0A, body + option(order, 4, b"tests") + bytes(4))


def packet_block(
    order: str, one: Packet, number: int, interface: Interface, kind: int, rng: random.Random
) -> bytes:
    """A packet's block, some with options behind the packet."""
    if kind == SIMPLE:
        return block(order, kind, struct.pack(order + "I", one.size) + one.data)
    first = (
        struct.pack(order + "HH", number, 7) if kind == OLD else struct.pack(order + "I", number)
    )
    units = interface.units(one.ns)
    head = struct.pack(order + "IIII", units >> 32, units & 0xFFFFFFFF, len(one.data), one.size)
    data = one.data + bytes(-len(one.data) % 4)
    if rng.random() < 0.2:
        data += (
            option(order, 2, struct.pack(order + "I", 1))
            + option(order, 1, b"a comment")
            + bytes(4)
        )
    return block(order, kind, first + head + data)


def capture_section(
    made: Iterable[tuple[int, Packet]],
    interfaces: list[Interface],
    rng: random.Random,
    *,
    order: str = "<",
    kinds: tuple[int, ...] = (ENHANCED,),
) -> bytes:
    """A section: each packet with its interface's number, and blocks of other kinds between."""
    parts = [section(order), *(interface.block(order) for interface in interfaces)]
    for number, one in made:
        kind = rng.choice(kinds)
        parts.append(packet_block(order, one, number, interfaces[number], kind, rng))
        if rng.random() < 0.05:
            parts.append(block(order, 0xABCD, rng.randbytes(rng.randrange(40))))
            parts.append(block(order, 5, struct.pack(order + "III", number, 0, 0)))
    return b"".join(parts)


@dataclass(frozen=True)
class Record:
    """Where a packet's record begins, and where its length stands."""

    start: int
    length: int


def records(data: bytes) -> Iterator[Record]:
    """The whole packet records of an undamaged piece of a capture."""
    if data[:4] == b"\x0a\x0d\x0d\x0a":
        yield from _blocks(data)
        return
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


def _blocks(data: bytes) -> Iterator[Record]:
    at, order = 0, "<"
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8] == 0x4D else ">"
        kind, size = struct.unpack_from(order + "II", data, at)
        if at + size > len(data):
            return
        if kind in (ENHANCED, SIMPLE, OLD):
            yield Record(at, at + 4)
        at += size


Flavour = Callable[[random.Random, int], bytes]


def _classic(link: int, magic: int = MICRO, order: str = "<") -> Flavour:
    return lambda rng, count: classic(packets(rng, link, count), link, magic=magic, order=order)


def _blocked(
    *interfaces: Interface, order: str = "<", kinds: tuple[int, ...] = (ENHANCED,)
) -> Flavour:
    def make(rng: random.Random, count: int) -> bytes:
        made = several(rng, list(interfaces), count)
        return capture_section(made, list(interfaces), rng, order=order, kinds=kinds)

    return make


def several(
    rng: random.Random, interfaces: list[Interface], count: int
) -> list[tuple[int, Packet]]:
    """Random packets on several interfaces, each with its interface's number."""
    made = []
    for at in range(count):
        number = rng.randrange(len(interfaces))
        (one,) = packets(rng, interfaces[number].link, 1)
        made.append((number, replace(one, ns=START + 1_234_567 * at)))
    return made


def _sections(rng: random.Random, count: int) -> bytes:
    """Three sections in one file, the middle one in the other byte order."""
    parts = []
    for at, order in enumerate("<><"):
        interfaces = [Interface(ETHERNET, 9), Interface(RAW)][at % 2 :]
        made = several(rng, interfaces, count // 3 + (at < count % 3))
        parts.append(capture_section(made, interfaces, rng, order=order))
    return b"".join(parts)


FLAVOURS: dict[str, Flavour] = {
    **{f"pcap on link {link}": _classic(link) for link in LINKS},
    "pcap, big-endian": _classic(ETHERNET, order=">"),
    "pcap of nanoseconds": _classic(ETHERNET, NANO),
    "pcap of nanoseconds, big-endian": _classic(RAW, NANO, ">"),
    "pcap with longer records": _classic(ETHERNET, MODIFIED),
    "pcap with longer records, big-endian": _classic(COOKED, MODIFIED, ">"),
    "pcapng": _blocked(Interface(ETHERNET)),
    "pcapng, big-endian": _blocked(Interface(ETHERNET), order=">"),
    "pcapng of nanoseconds": _blocked(Interface(COOKED2, 9)),
    "pcapng, several interfaces": _blocked(
        Interface(ETHERNET, 9, 3600), Interface(RAW, 0x80 | 30), Interface(108, 3, -7)
    ),
    "pcapng, obsolete blocks": _blocked(Interface(COOKED), kinds=(OLD, ENHANCED)),
    "pcapng, obsolete blocks, big-endian": _blocked(
        Interface(ETHERNET), Interface(0), kinds=(OLD,), order=">"
    ),
    "pcapng, several sections": _sections,
}
"""A valid capture of so many packets, all of which are read or refused, by its flavour."""
