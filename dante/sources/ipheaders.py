"""Captured frames → packets: IPv4 and IPv6 headers, and those behind them, many at once.

Each header is gathered as one piece for all frames and taken apart into words of 32 bits, so that
nothing is done packet by packet. What a header has behind the captured bytes is not looked at.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import ICMP, ICMPV6, QUARANTINE, TCP, UDP
from dante.sources.batch import Batch, refuse
from dante.sources.frames import CUT, FAMILY, IPV4, IPV6, LINK, NOWHERE, RAW, Frames, Inside, inside
from dante.sources.octets import Integers, Window
from dante.store.records import BIT, RECORD, Extent, Packed, Records

__all__ = ["read_frames"]

_Bits = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_Array = npt.NDArray[Any]

# Frames that are read at once: what is made of them on the way fits into a processor's cache.
_BLOCK: Final = 1 << 14

# An IPv4 header and what is behind it, if it has no options: so many words of 32 bits, the
# header's own being the first.
_WORDS: Final = 10
_OWN: Final = 5
_SIX: Final = np.dtype(
    {
        "names": ["length", "next", "hops", "src", "low_src", "dst", "low_dst"],
        "formats": [">u2", "u1", "u1", ">u8", ">u8", ">u8", ">u8"],
        "offsets": [4, 6, 7, 8, 16, 24, 32],
        "itemsize": 40,
    }
)
_EXTENSION: Final = np.dtype(
    {"names": ["next", "size", "place"], "formats": ["u1", "u1", ">u2"], "offsets": [0, 1, 2]}
)

_ETHERTYPES: Final = {4: IPV4, 6: IPV6}
_ARP: Final = 0x0806
_FIRST_TYPE: Final = 0x0600
_FRAGMENT, _AH = 44, 51
# Options by hop, routing, fragment, authentication, options for the destination.
_EXTENSIONS: Final = (0, 43, _FRAGMENT, _AH, 60)
_MOST_EXTENSIONS: Final = 32
_ENDLESS: Final = 1 << 30
# The place of a fragment, behind its flags.
_OFFSET: Final = 0x1FFF

# Bytes that a packet's word needs of the header behind IP's, by protocol: ports, type and code.
_NEEDED: Final = np.zeros(256, np.uint8)
_NEEDED[[TCP, UDP]] = 4
_NEEDED[[ICMP, ICMPV6]] = 2
# What packets of a protocol do not carry.
_LACKED: Final = np.zeros(256, np.uint16)
_LACKED[_NEEDED != 4] |= BIT["sport"]
_LACKED[_NEEDED == 0] |= BIT["dport"]
_LACKED[np.arange(256) != TCP] |= BIT["tcp_flags"] | BIT["tcp_window"] | BIT["tcp_seq"]
# How many bytes of TCP's header must be there for a field of it.
_REACHED: Final = {"tcp_seq": 8, "tcp_flags": 14, "tcp_window": 16}

# Why a frame is no packet. The first of them stands; `_NOT_IP` and `_LINKED` have a value.
_FINE, _NO_TIME, _EMPTY, _CUT_LINK, _NOT_IP, _VERSION, _CUT_IP, _BROKEN = range(8)
_CUT_BEHIND, _MANY, _LATER, _CUT_PORTS, _NO_PORTS = range(8, 13)
_WHY: Final = {
    _NO_TIME: "ts: missing, or not a time",
    _EMPTY: "cut: not one byte of the packet was captured",
    _CUT_LINK: "cut within the link's header",
    _CUT_IP: "cut within the IP header",
    _BROKEN: "not a valid IP header: it says that it is longer than its packet",
    _CUT_BEHIND: "cut within the IPv6 extension headers",
    _MANY: f"more than {_MOST_EXTENSIONS} IPv6 extension headers",
    _LATER: "a later fragment: it carries no ports",
    _CUT_PORTS: "cut: the ports, or the ICMP type, were not captured",
    _NO_PORTS: "no ports, or no ICMP type: the packet ends before them",
}
_RAW_BYTES: Final = 2048
_DAY: Final = 86_400_000_000


@dataclass
class _Headers:
    """What the IP headers of frames say; `size` and `end` are bytes from where they begin.

    Attributes:
        src, dst: canonical addresses.
        proto: the protocol behind the last of them.
        ttl: or hop limit.
        ip_id: of IPv4.
        length: of the packet; 0 where that is not known.
        size: where the last header ends.
        end: where the packet ends, or far behind where that is not known.
        most: how many bytes must be captured for `dst`.
        why: why a frame is no packet.
    """

    src: _Array
    dst: _Array
    proto: _Bytes
    ttl: _Bytes
    ip_id: _Array
    length: _Array
    size: Integers
    end: Integers
    most: int | Integers
    why: _Bytes

    def put(self, rows: Integers, other: "_Headers") -> None:
        """Others in the place of some."""
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int):
                value = np.full(self.why.size, value)
                setattr(self, field.name, value)
            value[rows] = getattr(other, field.name)


def read_frames(window: Window, frames: Frames, sensor: str | None) -> Batch:
    """A batch of the frames: those of IP as packets, and why each other one is none."""
    size = frames.at.size
    records: Records = np.empty(size, RECORD)
    lacked = BIT["packets"] | (BIT["sensor"] if sensor is None else np.uint16(0))
    lost, codes = [], []
    whole = Extent()
    for start in range(0, size, _BLOCK):
        part = slice(start, start + _BLOCK)
        rows, code, extent = _read(window, frames.some(part), records[part], lacked)
        whole |= extent
        if rows.size:
            lost.append(rows + start)
            codes.append(code)
    packets = Packed(records, () if sensor is None else (sensor,), whole)
    if not lost:
        return Batch(packets, pl.DataFrame(schema=QUARANTINE))
    rows = np.concatenate(lost)
    refused = _refused(window, frames, rows, np.concatenate(codes))
    return Batch(packets.without(rows, whole), refused)


def _read(
    window: Window, frames: Frames, records: Records, lacked: np.uint16
) -> tuple[Integers, Integers, Extent]:
    """Write frames as packets; `lacked` are the bits of what none of them carries.

    Returns:
        Which frames are no packets, ascending, and of each why, with a value in the higher bits;
        and the extent of the others.
    """
    found = inside(window, frames)
    words = _words(window, found.at, _WORDS)
    version: _Bytes = (words[0] >> 28).astype(np.uint8)
    four = _is(found, version, 4)
    headers = _four(words, found.have)
    if not four.all():
        six = _is(found, version, 6)
        rows = np.flatnonzero(six)
        if rows.size:
            headers.put(rows, _six(window, found.at[rows], found.have[rows]))
        _not_ip(headers.why, found, four | six)
    headers.why[(frames.kept <= 0) & (np.asarray(found.kind) < LINK)] = _EMPTY
    if frames.untimed is not None:
        headers.why[frames.untimed & (np.asarray(found.kind) < LINK)] = _NO_TIME
    moved = np.flatnonzero(headers.size != 4 * _OWN)
    if moved.size:
        at = np.minimum(found.at[moved] + headers.size[moved], window.size)
        words[_OWN : _OWN + 4, moved] = _words(window, at, 4)
    records["ts"] = frames.ts
    records["sensor"] = records["packets"] = 0
    nulls = _pack(headers, found.have, words[_OWN:], four, lacked, records)
    why = headers.why
    rows = np.flatnonzero(why != _FINE)
    ts = np.delete(frames.ts, rows) if rows.size else frames.ts
    extent = Extent.of(np.delete(nulls, rows) if rows.size else nulls, ts)
    value = np.zeros(rows.size, np.int64)
    if rows.size:
        kind = np.broadcast_to(np.asarray(found.kind), why.shape)[rows]
        value = np.where(why[rows] == _NOT_IP, kind, value)
        value = np.where(why[rows] == _VERSION, version[rows], value)
    return rows, value << 8 | why[rows], extent


def _words(window: Window, at: Integers, number: int) -> _Array:
    """So many words from each place on; the first of all places, then the second, and so on."""
    found = window.fields(np.dtype(f"V{4 * number}"), at).view(">u4").reshape(-1, number)
    words: _Array = np.empty((number, at.size), np.uint32)
    words[:] = found.T
    return words


def _is(found: Inside, version: _Bytes, number: int) -> _Bits:
    """Whether a frame holds IP of this version."""
    same: _Bits = version == number
    if isinstance(found.kind, int):
        return same if found.kind in (RAW, _ETHERTYPES[number]) else np.zeros_like(same)
    same &= (found.kind == _ETHERTYPES[number]) | (found.kind == RAW)
    return same


def _not_ip(why: _Bytes, found: Inside, ip: _Bits) -> None:
    """Why frames that are not of IP are none."""
    kind = np.broadcast_to(np.asarray(found.kind), ip.shape)
    odd = np.where(np.isin(kind, (RAW, IPV4, IPV6)), _VERSION, _NOT_IP)
    odd[found.have <= 0] = _CUT_IP
    odd[kind >= LINK] = _NOT_IP
    odd[kind == CUT] = _CUT_LINK
    why[~ip] = odd[~ip]


def _four(words: _Array, have: Integers) -> _Headers:
    size = (words[0] >> 22 & 0x3C).astype(np.int64)
    length = words[0].astype(np.uint16)
    end = length.astype(np.int64)
    end[length == 0] = _ENDLESS
    why = np.zeros(have.size, np.uint8)
    why[words[1] & _OFFSET != 0] = _LATER
    why[(size < 20) | (size > end)] = _BROKEN
    why[have < 16] = _CUT_IP
    return _Headers(
        src=words[3].astype(np.uint64),
        dst=words[4].astype(np.uint64),
        proto=(words[2] >> 16).astype(np.uint8),
        ttl=(words[2] >> 24).astype(np.uint8),
        ip_id=(words[1] >> 16).astype(np.uint16),
        length=length,
        size=size,
        end=end,
        most=20,
        why=why,
    )


def _six(window: Window, at: Integers, have: Integers) -> _Headers:
    head = window.fields(_SIX, at)
    payload = head["length"].astype(np.int64)
    proto = head["next"].copy()
    # No payload, yet something that has one: so are the frames of more than 64 KiB that a
    # network card cuts into packets, or has joined.
    unknown = (payload == 0) & (np.isin(proto, _EXTENSIONS) | (_NEEDED[proto] > 0))
    end = np.where(unknown, _ENDLESS, payload + 40)
    length = np.where(unknown | (payload + 40 > 0xFFFF), 0, payload + 40)
    why = np.zeros(have.size, np.uint8)
    why[have < 40] = _CUT_IP
    size = np.full(have.size, 40, np.int64)
    _pass_extensions(window, at, np.minimum(have, end), have, proto, size, why)
    return _Headers(
        src=_canonical(head["src"], head["low_src"]),
        dst=_canonical(head["dst"], head["low_dst"]),
        proto=proto,
        ttl=head["hops"],
        ip_id=np.zeros(have.size, np.uint16),
        length=length.astype(np.uint16),
        size=size,
        end=end,
        most=40,
        why=why,
    )


def _canonical(high: _Array, low: _Array) -> _Array:
    """An IPv6 address as its upper half; one that stands for an IPv4 address as that."""
    high, low = high.astype(np.uint64), low.astype(np.uint64)
    mapped = (high == 0) & (low >> np.uint64(32) == 0xFFFF)
    return np.where(mapped, low & np.uint64(0xFFFF_FFFF), high)


def _pass_extensions(
    window: Window,
    at: Integers,
    there: Integers,
    have: Integers,
    proto: _Bytes,
    size: Integers,
    why: _Bytes,
) -> None:
    """Move `size` and `proto` behind the extension headers of packets, `there` bytes long."""
    rows = np.flatnonzero(np.isin(proto, _EXTENSIONS) & (why == _FINE))
    for _ in range(_MOST_EXTENSIONS):
        if not rows.size:
            return
        short = there[rows] - size[rows] < 8
        lost = rows[short]
        why[lost] = np.where(have[lost] - size[lost] < 8, _CUT_BEHIND, _BROKEN)
        rows = rows[~short]
        head = window.fields(_EXTENSION, at[rows] + size[rows])
        kind = proto[rows]
        units = head["size"].astype(np.int64)
        step = np.where(kind == _AH, (units + 2) * 4, (units + 1) * 8)
        size[rows] += np.where(kind == _FRAGMENT, 8, step)
        proto[rows] = head["next"]
        later = (kind == _FRAGMENT) & (head["place"] >> 3 != 0)
        why[rows[later]] = _LATER
        rows = rows[~later & np.isin(head["next"], _EXTENSIONS)]
    why[rows] = _MANY


def _pack(
    headers: _Headers,
    have: Integers,
    behind: _Array,
    four: _Bits,
    lacked: np.uint16,
    records: Records,
) -> _Array:
    """Every frame as a record; those that lack what their protocol needs are marked in `why`.

    `behind` are the words behind the IP headers, as far as they are there; `lacked` are the bits
    of what no frame carries. Given back are the records' `nulls`.
    """
    proto, why = headers.proto, headers.why
    left = np.minimum(have, headers.end) - headers.size
    needed = _NEEDED.take(proto, mode="clip")
    lost = np.flatnonzero((left < needed) & (why == _FINE))
    if lost.size:
        cut = have[lost] - headers.size[lost] < needed[lost]
        why[lost] = np.where(cut, _CUT_PORTS, _NO_PORTS)
    nulls = _LACKED.take(proto, mode="clip")
    nulls |= lacked
    for name, size in _REACHED.items():
        nulls |= (left < size) * BIT[name]
    nulls |= (have < headers.most) * BIT["dst"]
    nulls |= (headers.length == 0) * BIT["length"]
    nulls |= ~four * BIT["ip_id"]
    # A number that goes into fewer bits than it has is cut to its lowest ones.
    first = behind[0] >> 16
    records["src"] = headers.src
    records["dst"] = headers.dst
    records["proto"] = proto
    records["dport"] = np.where(needed == 4, behind[0], first)
    records["sport"] = first
    records["ttl"] = headers.ttl
    records["tcp_flags"] = behind[3] >> 16
    records["tcp_window"] = behind[3]
    records["ip_id"] = headers.ip_id
    records["tcp_seq"] = behind[1]
    records["length"] = headers.length
    records["nulls"] = nulls
    return nulls


def _refused(window: Window, frames: Frames, rows: Integers, codes: Integers) -> pl.DataFrame:
    at, kept = frames.at[rows], np.clip(frames.kept[rows], 0, _RAW_BYTES)
    days = pl.Series(frames.ts[rows] // _DAY).cast(pl.Int32).cast(pl.Date)
    if frames.untimed is not None:
        days = days.set(pl.Series(frames.untimed[rows]), None)
    code, place = np.unique(codes, return_inverse=True)
    told = pl.Series([_reason(int(number) & 0xFF, int(number) >> 8) for number in code])
    raw = [window.piece(a, a + n).hex() for a, n in zip(at.tolist(), kept.tolist(), strict=True)]
    return refuse(days, pl.Series(frames.row[rows]), raw, told.gather(pl.Series(place)))


def _reason(why: int, value: int) -> str:
    if why == _VERSION:
        return f"not IP: its header has the version {value}"
    if why != _NOT_IP:
        return _WHY[why]
    if value == LINK + NOWHERE:
        return "the interface that it came by is not described"
    if value >= LINK:
        return f"the link type {value - LINK} is not read"
    if value >= FAMILY:
        return f"not IP: address family {value - FAMILY}"
    if value == _ARP:
        return "not IP: ARP (ethertype 0x0806)"
    if value < _FIRST_TYPE:
        return "not IP: a frame without an ethertype"
    return f"not IP: ethertype 0x{value:04x}"
