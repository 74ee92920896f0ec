"""Where the values of packets stand in lines of a log → columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from dante.schema import ICMP, PACKETS
from dante.sources.logtails import NUMBERS, OCTETS, Found, Tail
from dante.sources.marked import Marked
from dante.sources.spans import digits, long_digits, octets

__all__ = ["Values", "read_values"]

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
_Words = npt.NDArray[np.uint64]

_OWN: Final = ("length", "ttl", "ip_id", "sport", "tcp_window", "tcp_seq")


@dataclass(frozen=True)
class Values:
    """Columns of lines.

    Attributes:
        right: lines all of whose values are written plainly and are such as they may be.
        columns: values by the names of `PACKETS`.
        told: where a column is not null; one that is not here is so nowhere.
    """

    right: _Bools
    columns: dict[str, npt.NDArray[Any]]
    told: dict[str, _Bools]

    def series(self, pick: _Ints) -> dict[str, pl.Series]:
        """The columns of some lines, as canonical packets have them."""
        made = {}
        for name, values in self.columns.items():
            column = pl.Series(name, values[pick]).cast(PACKETS[name])
            if name in self.told:
                column = column.set(pl.Series(~self.told[name][pick]), None)
            made[name] = column
        return made


def read_values(lines: Marked, found: Sequence[Found]) -> Values:
    """The values of lines of several shapes, one shape after another."""
    ends = np.concatenate([one.ends for one in found], axis=1)
    sizes = np.concatenate([one.sizes for one in found], axis=1)
    counts = [one.rows.size for one in found]

    def each(value: Callable[[Tail], Any], kind: type) -> npt.NDArray[Any]:
        return np.repeat(np.array([value(one.tail) for one in found], dtype=kind), counts)

    parts, plain = octets(lines.data, ends[:OCTETS], sizes[:OCTETS])
    right: _Bools = np.logical_and.reduce(plain, axis=0)
    columns: dict[str, npt.NDArray[Any]] = {"proto": each(lambda tail: tail.proto, np.uint8)}
    for name, first in (("src", 0), ("dst", 4)):
        address = parts[first]
        for part in parts[first + 1 : first + 4]:
            address = (address << np.uint32(8)) | part
        columns[name] = address.astype(np.uint64)
    port = np.zeros(right.size, dtype=np.uint64)
    told: dict[str, _Bools] = {}
    for at, (name, bits) in enumerate(NUMBERS.items(), OCTETS):
        if not any(name in one.tail.fields for one in found):
            continue
        number, plain = _number(lines, ends[at], sizes[at], bits)
        right &= plain
        if name in _OWN:
            columns[name] = number
            told[name] = each(partial(_lists, name), np.bool_)
        else:  # what a shape lacks is 0: the sum is of one part, or of an ICMP type and code
            port += number << np.uint64(8) if name == "icmp_type" else number
    columns["dport"] = port
    told["dport"] = each(lambda tail: "dport" in tail.fields or tail.proto == ICMP, np.bool_)
    columns["tcp_flags"] = each(lambda tail: tail.flags or 0, np.uint8)
    told["tcp_flags"] = each(lambda tail: tail.flags is not None, np.bool_)
    return Values(right, columns, {name: mask for name, mask in told.items() if not mask.all()})


def _lists(name: str, tail: Tail) -> bool:
    return name in tail.fields


def _number(lines: Marked, end: _Ints, size: _Ints, bits: int) -> tuple[_Words, _Bools]:
    """Whole numbers of so many bits."""
    if bits <= 16:
        number, right = digits(lines.data, end, size)
    else:
        number, right = long_digits(lines.data, end, size)
    right &= number < 1 << bits
    return number, right
