"""What the Linux kernel's packet log says of a packet: `IN=eth0 OUT= … SRC= DST= … PROTO=TCP …`.

The text is written by the kernel (net/netfilter/nf_log_syslog.c) for iptables, nftables and UFW
alike, and in nearly the same form by ulogd. It is cut into words at blanks, all lines of a block at
once, so the order of the fields does not matter and none is taken for another.

In front of it stands a prefix that the firewall's owner chose, which may hold anything; the
packet's own fields follow the last `IN=… OUT=…`. An ICMP error quotes in brackets the packet that
caused it: nothing from the first bracket on is the sender's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["FIELDS", "packet_fields"]

_Quads = npt.NDArray[np.uint32]
_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]

FIELDS: Final[Mapping[str, str]] = {
    "src": "SRC",
    "dst": "DST",
    "length": "LEN",
    "ttl": "TTL",
    "ip_id": "ID",
    "proto": "PROTO",
    "sport": "SPT",
    "dport": "DPT",
    "tcp_seq": "SEQ",
    "tcp_window": "WINDOW",
    "icmp_type": "TYPE",
    "icmp_code": "CODE",
    "ethertype": "MACPROTO",
}
"""Columns of text, and the kernel's name of each."""

# The IP header's; UDP has a LEN of its own after PROTO, and ICMP an ID.
_BEFORE_PROTO: Final = ("src", "dst", "length", "ttl", "ip_id")
_FLAGS: Final = {
    name: 1 << bit
    for bit, name in enumerate(("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"))
}
_CHUNK: Final = 1 << 20
_NEVER: Final = 1 << 62
_NEWLINE, _BLANK, _EQUALS, _BRACKET = 10, 32, 61, 91


def packet_fields(messages: pl.Series) -> pl.DataFrame:
    """The fields of each message (String, no line feeds), a row a message.

    Returns:
        `found` Boolean, whether the message is a packet's at all; `outgoing` Boolean, whether the
        host sent it itself; `arp` Boolean; `fragment` Boolean, whether it names a fragment offset;
        `tcp_flags` UInt8; and a String for each of `FIELDS`. What a message lacks is null.
    """
    # A logger that quotes a message it repeats closes a bracket right behind it.
    plain = messages.fill_null("").str.strip_suffix("]")
    text = plain.str.join("\n").item() + "\n" if messages.len() else "\n"
    located = [_located(chunk) for chunk in _chunks(text.encode())]
    joined = {name: np.concatenate([part[name] for part in located]) for name in located[0]}
    found = {name: pl.Series(name, values[: messages.len()]) for name, values in joined.items()}
    known = found.pop("known")
    found["tcp_flags"] = found["tcp_flags"].set(~known, None)
    return _sliced(messages, found)


def _chunks(block: bytes) -> Iterator[bytes]:
    """Runs of whole lines that stay, with all that is made of them, in a processor's memory."""
    start = 0
    while start < len(block):
        end = block.find(b"\n", min(start + _CHUNK, len(block)) - 1) + 1
        yield block[start:end]
        start = end


def _located(chunk: bytes) -> dict[str, npt.NDArray[Any]]:
    """For each line what it is, and where in it each field's text begins (-1: none) and ends."""
    words = _words(chunk)
    begin, outgoing = _begin(words)
    # Nothing lies between a begin and an end that are not there.
    inner = np.where(begin >= 0, begin, _NEVER)
    bracket = _first(words, np.flatnonzero(words.quads & 0xFF == _BRACKET), inner, None)
    spots = _Spots(
        words, inner, np.where(bracket >= 0, bracket, _NEVER) if bracket.max() >= 0 else None
    )
    proto = spots.at("PROTO=")
    urgent = np.where(proto >= 0, spots.at("URGP="), -1)
    found: dict[str, npt.NDArray[Any]] = {
        "found": begin >= 0,
        "outgoing": outgoing,
        "arp": spots.at("ARP ") >= 0,
        "fragment": spots.at("FRAG:") >= 0,
        "known": urgent >= 0,
        "tcp_flags": _flags(words, urgent),
    }
    for field, name in FIELDS.items():
        at, skip = spots.at(f"{name}="), np.full(begin.size, len(name) + 1)
        if field == "ttl":
            hops = spots.at("HOPLIMIT=")
            at, skip = np.where(hops >= 0, hops, at), np.where(hops >= 0, len("HOPLIMIT="), skip)
        if field in _BEFORE_PROTO:
            at = np.where((proto < 0) | (at < proto), at, -1)
        first = words.starts[at] + skip - words.first
        found[f"{field} at"] = np.where(at >= 0, first, -1)
        found[f"{field} end"] = np.where(at >= 0, words.ends[at] - words.first, -1)
    return found


def _sliced(messages: pl.Series, found: dict[str, pl.Series]) -> pl.DataFrame:
    columns = []
    for field in FIELDS:
        at, end = pl.col(f"{field} at"), pl.col(f"{field} end")
        if found[f"{field} at"].max() == -1:
            columns.append(pl.lit(None, dtype=pl.String).alias(field))
            continue
        text = pl.col("message").bin.slice(pl.when(at >= 0).then(at), end - at)
        columns.append(text.cast(pl.String).alias(field))
    kept = [name for name in found if not name.endswith((" at", " end"))]
    frame = pl.DataFrame({"message": messages.cast(pl.Binary), **found})
    return frame.with_columns(columns).select(*kept, *FIELDS)


@dataclass(frozen=True)
class _Words:
    """The words of all lines: where each begins and ends, its line, and its first four bytes."""

    data: _Bytes
    starts: _Ints
    ends: _Ints
    line: npt.NDArray[np.int32]
    first: _Ints
    """Where each line begins."""
    quads: _Quads


def _words(block: bytes) -> _Words:
    data = np.frombuffer(block + b" " * 12, dtype=np.uint8)
    own = data[: len(block)]
    ends = np.flatnonzero(own <= _BLANK)
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    last = np.flatnonzero(own[ends] == _NEWLINE)
    counts = np.diff(last, prepend=-1)
    line = np.repeat(np.arange(last.size, dtype=np.int32), counts)
    first = np.concatenate([[0], ends[last[:-1]] + 1]) if last.size else np.zeros(0, np.int64)
    return _Words(data, starts, ends, line, first, _quads(data, 0)[starts])


def _quads(data: _Bytes, skip: int) -> _Quads:
    """The four bytes that begin `skip` bytes after each position, as one number."""
    return np.ndarray((data.size - 3 - skip,), "<u4", data, offset=skip, strides=(1,))


def _quad(name: str) -> int:
    return int.from_bytes(name.encode()[:4], "little")


def _begin(words: _Words) -> tuple[_Ints, _Bools]:
    """For each line its last word OUT= that follows an IN= (-1: none); whether IN= is empty."""
    begin = np.full(words.first.size, -1, dtype=np.int64)
    outgoing = np.zeros(words.first.size, dtype=bool)
    out = np.flatnonzero(words.quads == _quad("OUT="))
    out = out[out > 0]
    before = out - 1
    bridged = (words.quads[before] == _quad("PHYS")) & (before > 0)
    bridged &= words.line[before - 1] == words.line[out]
    before = before - bridged
    same = words.line[before] == words.line[out]
    good = same & ((words.quads[before] & 0xFFFFFF) == _quad("IN="))
    if not good.all():  # a prefix that does not end in a blank: "DROPIN=eth0"
        good |= same & _holds_in(words)[before]
    out, before, bridged = out[good], before[good], bridged[good]
    begin[words.line[out]] = out
    none = (words.data[words.ends[before] - 1] == _EQUALS) & ~bridged
    outgoing[words.line[out]] = none & (words.ends[out] - words.starts[out] > 4)
    return begin, outgoing


def _holds_in(words: _Words) -> _Bools:
    """For each word whether `IN=` stands in it."""
    signs = np.flatnonzero(words.data == _EQUALS)
    signs = signs[signs >= 2]
    signs = signs[(words.data[signs - 1] == ord("N")) & (words.data[signs - 2] == ord("I"))]
    holds = np.zeros(words.starts.size, dtype=bool)
    holds[np.searchsorted(words.ends, signs)] = True
    return holds


def _first(words: _Words, index: _Ints, begin: _Ints, end: _Ints | None) -> _Ints:
    """For each line the first of these words after `begin` and before `end`; -1: none."""
    found = np.full(begin.size, -1, dtype=np.int64)
    line = words.line[index]
    inside = index > begin[line]
    if end is not None:
        inside &= index < end[line]
    # Of several assignments the last one counts.
    found[line[inside][::-1]] = index[inside][::-1]
    return found


@dataclass(frozen=True)
class _Spots:
    """Where named words stand in each line's own fields."""

    words: _Words
    begin: _Ints
    end: _Ints | None

    def at(self, name: str) -> _Ints:
        """For each line its first word that begins with `name` (3 to 12 bytes); -1: none."""
        quads = self.words.quads if len(name) > 3 else self.words.quads & 0xFFFFFF
        index = np.flatnonzero(quads == _quad(name))
        for skip in sorted({*range(4, len(name) - 3, 4), max(len(name) - 4, 0)} - {0}):
            more = _quads(self.words.data, skip)[self.words.starts[index]]
            index = index[more == _quad(name[skip:])]
        return _first(self.words, index, self.begin, self.end)


def _flags(words: _Words, urgent: _Ints) -> _Bytes:
    """TCP flags: the words right in front of URGP=."""
    codes = np.array(sorted(_quad(f"{name} ") for name in _FLAGS), dtype=np.uint32)
    bits = np.array(
        [_FLAGS[int(code).to_bytes(4, "little").decode().strip()] for code in codes], dtype=np.uint8
    )
    flags = np.zeros(urgent.size, dtype=np.uint8)
    active = np.flatnonzero(urgent >= 0)
    at = urgent[active] - 1
    for _ in _FLAGS:
        quads = words.quads[at]
        spot = np.minimum(np.searchsorted(codes, quads), codes.size - 1)
        is_flag = codes[spot] == quads
        active, at, spot = active[is_flag], at[is_flag], spot[is_flag]
        if not active.size:
            break
        flags[active] |= bits[spot]
        at = at - 1
    return flags
