"""Captured frames → packets: IPv4 and IPv6 headers, and those behind them, many at once.

Each header is gathered as one piece for all frames, so that nothing is done packet by packet.
What a header has behind the captured bytes is not looked at.
"""

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import ICMP, ICMPV6, PACKETS, QUARANTINE, TCP, UDP
from dante.sources.batch import Batch, refuse
from dante.sources.frames import CUT, FAMILY, IPV4, IPV6, LINK, NOWHERE, RAW, Frames, Inside, inside
from dante.sources.octets import Integers, Window

__all__ = ["read_frames"]

_Bits = npt.NDArray[np.bool_]
_Bytes = npt.NDArray[np.uint8]
_Array = npt.NDArray[Any]

_TRANSPORT: Final = np.dtype(
    {
        "names": ["first", "dport", "seq", "flags", "window"],
        "formats": [">u2", ">u2", ">u4", "u1", ">u2"],
        "offsets": [0, 2, 4, 13, 14],
        "itemsize": 16,
    }
)
_FOUR: Final = np.dtype(
    {
        "names": ["version", "length", "id", "fragment", "ttl", "proto", "src", "dst", "behind"],
        "formats": ["u1", ">u2", ">u2", ">u2", "u1", "u1", ">u4", ">u4", _TRANSPORT],
        "offsets": [0, 2, 4, 6, 8, 9, 12, 16, 20],
        "itemsize": 40,
    }
)
"""An IPv4 header, and what is behind it if it has no options."""
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
_OFFSET: Final = np.uint16(0x1FFF)

# Bytes that a packet's word needs of the header behind IP's, by protocol: ports, type and code.
_NEEDED: Final = np.zeros(256, np.uint8)
_NEEDED[[TCP, UDP]] = 4
_NEEDED[[ICMP, ICMPV6]] = 2

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
    found = inside(window, frames)
    head = window.fields(_FOUR, found.at)
    version: _Bytes = head["version"] >> np.uint8(4)
    four, six = _is(found, version, 4), _is(found, version, 6)
    headers = _four(head, found.have)
    if not four.all():
        rows = np.flatnonzero(six)
        if rows.size:
            headers.put(rows, _six(window, found.at[rows], found.have[rows]))
        _not_ip(headers.why, found, four | six)
    headers.why[(frames.kept <= 0) & (np.asarray(found.kind) < LINK)] = _EMPTY
    if frames.untimed is not None:
        headers.why[frames.untimed & (np.asarray(found.kind) < LINK)] = _NO_TIME
    behind = head["behind"]
    moved = np.flatnonzero(headers.size != 20)
    if moved.size:
        at = np.minimum(found.at[moved] + headers.size[moved], window.size)
        behind[moved] = window.fields(_TRANSPORT, at)
    packets = _packets(frames, headers, found.have, behind, four, sensor)
    if not headers.why.any():
        return Batch(packets, pl.DataFrame(schema=QUARANTINE))
    kept = headers.why == _FINE
    return Batch(
        packets.filter(pl.Series(kept)),
        _refused(window, frames, found, version, headers.why, np.flatnonzero(~kept)),
    )


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


def _four(head: _Array, have: Integers) -> _Headers:
    size = (head["version"] & np.uint8(15)).astype(np.int64) << 2
    length = head["length"].astype(np.uint16)
    end = length.astype(np.int64)
    end[length == 0] = _ENDLESS
    why = np.zeros(have.size, np.uint8)
    why[head["fragment"] & _OFFSET != 0] = _LATER
    why[(size < 20) | (size > end)] = _BROKEN
    why[have < 16] = _CUT_IP
    return _Headers(
        src=head["src"].astype(np.uint64),
        dst=head["dst"].astype(np.uint64),
        proto=np.ascontiguousarray(head["proto"]),
        ttl=head["ttl"],
        ip_id=head["id"].astype(np.uint16),
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


def _packets(
    frames: Frames,
    headers: _Headers,
    have: Integers,
    behind: _Array,
    four: _Bits,
    sensor: str | None,
) -> pl.DataFrame:
    """Every frame as a packet; those that lack what their protocol needs are marked in `why`."""
    proto = headers.proto
    left = np.minimum(have, headers.end) - headers.size
    needed = _NEEDED[proto]
    lost = np.flatnonzero((left < needed) & (headers.why == _FINE))
    if lost.size:
        cut = have[lost] - headers.size[lost] < needed[lost]
        headers.why[lost] = np.where(cut, _CUT_PORTS, _NO_PORTS)
    ports, tcp = needed == 4, proto == TCP
    first = behind["first"].astype(np.uint16)
    dport = first.copy()
    np.copyto(dport, behind["dport"], where=ports)
    columns = {
        "ts": _column(frames.ts, time=True),
        "src": _column(headers.src),
        "dst": _column(headers.dst, have >= headers.most),
        "proto": _column(proto),
        "dport": _column(dport, needed > 0),
        "sport": _column(first, ports),
        "ttl": _column(headers.ttl),
        "tcp_flags": _column(behind["flags"], tcp & (left >= 14)),
        "tcp_window": _column(behind["window"].astype(np.uint16), tcp & (left >= 16)),
        "ip_id": _column(headers.ip_id, four),
        "tcp_seq": _column(behind["seq"].astype(np.uint32), tcp & (left >= 8)),
        "length": _column(headers.length, headers.length > 0),
    }
    size = frames.at.size
    series = {
        **{name: pl.Series(name, pl.from_arrow(column)) for name, column in columns.items()},
        "sensor": pl.Series("sensor", [sensor], dtype=pl.String).new_from_index(0, size),
        "packets": pl.Series("packets", [None], dtype=pl.UInt32).new_from_index(0, size),
    }
    return pl.DataFrame([series[name] for name in PACKETS])


def _column(values: _Array, valid: _Bits | None = None, time: bool = False) -> Any:
    """An arrow array of the values where they are valid, which polars takes as it is."""
    import pyarrow as pa

    kind = pa.timestamp("us", "UTC") if time else pa.from_numpy_dtype(values.dtype)
    mask = None
    if valid is not None and not valid.all():
        mask = pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(
        kind, values.size, [mask, pa.py_buffer(np.ascontiguousarray(values))]
    )


def _refused(
    window: Window,
    frames: Frames,
    found: Inside,
    version: _Bytes,
    why: _Bytes,
    rows: Integers,
) -> pl.DataFrame:
    at, kept = frames.at[rows], np.clip(frames.kept[rows], 0, _RAW_BYTES)
    days = pl.Series(frames.ts[rows] // _DAY).cast(pl.Int32).cast(pl.Date)
    if frames.untimed is not None:
        days = days.set(pl.Series(frames.untimed[rows]), None)
    kind = np.broadcast_to(np.asarray(found.kind), why.shape)[rows]
    value = np.where(why[rows] == _NOT_IP, kind, np.where(why[rows] == _VERSION, version[rows], 0))
    code, place = np.unique(value << 8 | why[rows], return_inverse=True)
    told = pl.Series([_reason(int(number) & 0xFF, int(number) >> 8) for number in code])
    raw = [window.data[a : a + n].hex() for a, n in zip(at.tolist(), kept.tolist(), strict=True)]
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
