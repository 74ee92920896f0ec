"""Thrift's compact protocol, in which the footer of a Parquet file is written: read and written.

Nothing is known here of what the fields mean: a struct is its fields by number, each with its
kind, in the order in which they stand, so that what is read is written as the same bytes.
"""

from typing import Any, Final

__all__ = ["I64", "LIST", "STRUCT", "Struct", "read_struct", "write_struct"]

Struct = dict[int, tuple[int, Any]]
"""The kind and value of each field: a whole number, bytes, a `Struct`, or a list, which is the kind
of its items and the items. A truth is its kind alone."""

_YES, _NO, _BYTE, _I16, _I32, I64, _DOUBLE, _BINARY, LIST, _SET, _MAP, STRUCT = range(1, 13)
_NUMBERS: Final = (_I16, _I32, I64)


def read_struct(data: bytes) -> Struct:
    """The struct that begins the bytes.

    Raises:
        ValueError: there is none, or it has a map, which no footer has.
        IndexError: it is cut.
    """
    return _Reader(data).struct()


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        found: Struct = {}
        number = 0
        while head := self._byte():
            kind = head & 15
            number = number + (head >> 4) if head >> 4 else self._signed()
            found[number] = kind, None if kind in (_YES, _NO) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in _NUMBERS:
            return self._signed()
        if kind == _BINARY:
            return self._take(self._unsigned())
        if kind == STRUCT:
            return self.struct()
        if kind in (LIST, _SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._unsigned()
            return head & 15, [self._value(head & 15) for _ in range(size)]
        if kind in (_YES, _NO, _BYTE):
            return self._byte()
        if kind == _DOUBLE:
            return self._take(8)
        raise ValueError(f"not a value of the compact protocol: kind {kind}")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)


def write_struct(fields: Struct) -> bytes:
    """The bytes of a struct."""
    out = bytearray()
    _write_struct(out, fields)
    return bytes(out)


def _write_struct(out: bytearray, fields: Struct) -> None:
    before = 0
    for number, (kind, value) in fields.items():
        if 0 < number - before < 16:
            out.append(number - before << 4 | kind)
        else:
            out.append(kind)
            _write_unsigned(out, _folded(number))
        before = number
        if kind not in (_YES, _NO):
            _write(out, kind, value)
    out.append(0)


def _write(out: bytearray, kind: int, value: Any) -> None:
    if kind in _NUMBERS:
        _write_unsigned(out, _folded(value))
    elif kind == _BINARY:
        _write_unsigned(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind in (LIST, _SET):
        of, items = value
        out.append(min(len(items), 15) << 4 | of)
        if len(items) >= 15:
            _write_unsigned(out, len(items))
        for item in items:
            _write(out, of, item)
    elif kind == _DOUBLE:
        out += value
    else:
        out.append(value)


def _write_unsigned(out: bytearray, value: int) -> None:
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def _folded(value: int) -> int:
    """A signed number as an unsigned one, small if it is small."""
    return value << 1 if value >= 0 else (-value << 1) - 1
