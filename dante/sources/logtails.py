"""Packet logs of the kernel by their shape: which words stand in it, in which order.

A firewall's lines nearly all have one of a few shapes. A shape is learnt from one line, by the
general reading of `netfilter`; a line that has every word of it in the same place, up to the
values, is read the same, its values from their bytes. So nothing is decided here that is not
decided there: what no shape fits, or a value that is not written plainly, is left to it.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import ICMP, ICMPV6, TCP, UDP
from dante.sources.marked import Looks, Marked, runs
from dante.sources.netfilter import FIELDS, packet_fields
from dante.sources.spans import PAD
from dante.sources.values import protocols

__all__ = ["NUMBERS", "OCTETS", "Found", "Tail", "begins_of", "learn_tail"]

_Ints = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]

NUMBERS: Final = {
    "length": 16, "ttl": 8, "ip_id": 16, "sport": 16, "dport": 16, "tcp_window": 16,
    "icmp_type": 8, "icmp_code": 8, "tcp_seq": 32,
}  # fmt: skip
"""Fields that are whole numbers, and the bits that each has."""

OCTETS: Final = 8
"""Numbers of both addresses, which come before the others."""

_HEADER: Final = ("length", "ttl", "ip_id", "src", "dst")
_WORD: Final = re.compile(rb"[^\x00-\x20]*[\x00-\x20]")
_KEY: Final = re.compile(rb"[A-Z][A-Z0-9]{0,15}=")
_LONGEST: Final = 24
_MOST_WORDS: Final = 60
_FIVE: Final = (1 << 40) - 1
_OUT: Final = int.from_bytes(b" OUT=", "little")
_NAMES: Final = {"TCP": TCP, "UDP": UDP, "ICMP": ICMP}
# What makes a line other than a packet's own header fields from here to its end.
_STRANGE: Final = (b"[", b"ARP", b"FRAG:", b"OUT=", b"HOPLIMIT=")


@dataclass(frozen=True)
class Found:
    """Lines of one shape, and where their values are.

    Attributes:
        tail: the shape.
        rows: the lines.
        ends, sizes: of shape (OCTETS + len(NUMBERS), rows): where the octets of `src` and `dst` and
            the numbers end, and their bytes; a number that the shape lacks is the pad's `0`.
    """

    tail: "Tail"
    rows: _Ints
    ends: _Ints
    sizes: _Ints


@dataclass(frozen=True, eq=False)
class Tail:
    """A shape of what begins with `IN=`.

    Attributes:
        count: marks behind the word OUT=.
        proto: the protocol's number.
        flags: TCP flags; None if lines of this shape do not tell them.
        fields: the numbers that it has.
    """

    count: int
    proto: int
    flags: int | None
    fields: frozenset[str]
    _ahead: int
    _value: _Words
    _mask: _Words
    _more: Looks | None
    _ends: _Ints
    _skips: _Ints

    def find(self, lines: Marked, rows: _Ints, begin: _Ints) -> Found:
        """Those of some lines that have the shape.

        Args:
            lines: all lines.
            rows: some of them, with `count` marks behind OUT=.
            begin: for each of these the mark that ends OUT=.
        """
        first = begin - self._ahead
        if first.size and first.min() < 0:  # before the first line there is nothing
            rows, first = rows[first >= 0], first[first >= 0]
        words = runs(lines.words, first, self._value.size)
        words ^= self._value
        words &= self._mask
        good = ~words.any(axis=1)
        places = runs(lines.marks, first, self._value.size + 1)
        good &= places[:, 1] - places[:, 0] > len(" IN=")  # else the packet went out
        good &= lines.data[places[:, -1] - 1] != ord("]")  # which a logger may have put there
        if self._more is not None:
            good &= self._more.hold(lines.data, places.T)
        if not good.all():
            rows, places = rows[good], places[good]
        ends = places.T[self._ends]
        sizes = ends - places.T[self._ends - 1]
        sizes -= self._skips
        absent = self._ends < 0
        ends[absent], sizes[absent] = PAD, 1
        return Found(self, rows, ends, sizes)


def begins_of(lines: Marked) -> _Ints:
    """For each line the mark that ends its last word that begins with `OUT=`; -1: none."""
    begin = np.full(lines.lines, -1, dtype=np.int64)
    out = np.flatnonzero(lines.words & np.uint64(_FIVE) == _OUT) + 1
    begin[np.searchsorted(lines.last, out)] = out
    return begin


def learn_tail(line: bytes, names: dict[str, int]) -> Tail | None:
    """The shape of a line, which ends in a line feed; None if it has none that can be read here.

    `names` are the numbers of protocols by their names in lower case.
    """
    words = _WORD.findall(line[line.rfind(b" IN=") + 1 :])
    if not 2 <= len(words) <= _MOST_WORDS or not _are_usual(words):
        return None
    message = pl.Series([line[:-1].decode("utf-8", errors="replace")])
    told = packet_fields(message).row(0, named=True)
    proto = _protocol(told["proto"], names)
    where = _where(words, told)
    if proto is None or where is None or not told["found"] or told["outgoing"]:
        return None
    needed = {TCP: "dport", UDP: "dport", ICMP: "icmp_type"}.get(proto, "src")
    if not {"src", "dst", needed} <= set(where):
        return None
    firsts = np.cumsum([0, *(word.count(b".") + 1 for word in words)])
    ends, skips = np.full(OCTETS + len(NUMBERS), -1), np.ones((OCTETS + len(NUMBERS), 1), np.int64)
    for at, field in ((0, "src"), (4, "dst")):
        if words[where[field]].count(b".") != 3:
            return None
        ends[at : at + 4] = firsts[where[field]] + np.arange(1, 5)
        skips[at] += len(FIELDS[field]) + 1
    fields = {field for field in NUMBERS if field in where and _has(proto, field)}
    if any(b"." in words[where[field]] for field in fields):
        return None
    for at, field in enumerate(NUMBERS, OCTETS):
        if field in fields:
            ends[at] = firsts[where[field]] + 1
            skips[at] += len(FIELDS[field]) + 1
    texts = _texts(words, firsts.tolist())
    heads = dict.fromkeys(range(int(firsts[-1])), b"")
    heads |= {place: text[:8] for place, text in texts}
    more = [(place, 8, text[8:]) for place, text in texts if len(text) > 8]
    return Tail(
        count=int(firsts[-1] - firsts[1]) - 1,
        proto=proto,
        flags=told["tcp_flags"] if proto == TCP else None,
        fields=frozenset(fields),
        _ahead=int(firsts[1]) + 1,
        _value=np.array([int.from_bytes(text, "little") for text in heads.values()], np.uint64),
        _mask=np.array([(1 << 8 * len(text)) - 1 for text in heads.values()], np.uint64),
        _more=Looks.at(more) if more else None,
        _ends=ends,
        _skips=skips,
    )


def _are_usual(words: list[bytes]) -> bool:
    """Whether words, the first and second of them IN= and OUT=, are all such as are read here."""
    return (
        words[0].startswith(b"IN=")
        and words[1].startswith(b"OUT=")
        and all(word.endswith(b" ") for word in words[:-1])
        and not any(word.startswith(_STRANGE) for word in words[2:])
        and all(_is_free(word) or len(word) <= _LONGEST for word in words)
        and all(len(word) <= _LONGEST for word in words if word.startswith(b"PROTO="))
    )


def _is_free(word: bytes) -> bool:
    """Whether only the beginning of a word tells what it is: `LEN=…`, and options in brackets."""
    return bool(_KEY.match(word)) or word.startswith(b"(")


def _texts(words: list[bytes], firsts: list[int]) -> list[tuple[int, bytes]]:
    """What stands at the marks of all lines that have these words, up to the values."""
    texts = []
    for word, first in zip(words, firsts, strict=False):
        if _is_free(word) and not word.startswith(b"PROTO="):
            key = _KEY.match(word)
            texts.append((first, b" " + (key[0] if key else b"(")))
            texts += [(first + dot, b".") for dot in range(1, word.count(b".") + 1)]
        else:
            texts.append((first, b" " + word))
    return texts


def _where(words: list[bytes], told: dict[str, Any]) -> dict[str, int] | None:
    """Which word each field is; None if it is not the one that was told."""
    names = {name: f"{key}=".encode() for name, key in FIELDS.items()}
    proto = next((i for i, word in enumerate(words) if word.startswith(b"PROTO=")), 0)
    where = {}
    for field, name in names.items():
        end = proto if field in _HEADER else len(words)
        at = next((i for i in range(2, end) if words[i].startswith(name)), None)
        text = None if at is None else words[at][len(name) : -1].decode("utf-8", errors="replace")
        if text != told[field]:
            return None
        if at is not None:
            where[field] = at
    return where


def _has(proto: int, field: str) -> bool:
    if field in ("tcp_window", "tcp_seq"):
        return proto == TCP
    if field in ("icmp_type", "icmp_code"):
        return proto == ICMP
    return proto != ICMP or field not in ("sport", "dport")


def _protocol(text: str | None, names: dict[str, int]) -> int | None:
    """The number of a protocol that is read here, from its name or number as it is written."""
    if text is None or text in _NAMES:
        return _NAMES.get(text or "")
    number: int | None = protocols(pl.Series([text.lower()]), names).item()
    return None if number in (*_NAMES.values(), ICMPV6) else number
