"""Runs of Avro records → columns of whole numbers, without a step for each record.

Every number ends in the one byte of it that is below 0x80, and so does every character of
ASCII: cut at these bytes, the data is a row of tokens, and where a field's token lies follows
from the tokens before it. Nothing is guessed: where a record is unusual, the run ends in front
of it, and `avroschema` is to judge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dante.sources.avroschema import Kind

__all__ = ["Column", "Run", "is_plain", "read_run"]

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]
# A token that cannot be told here; so far down that no hop comes back from it.
_LOST: Final = -(1 << 40)
_LONGEST: Final = 8
_SMALL: Final = np.array(
    [byte >> 1 if byte < 0x80 and byte % 2 == 0 else _LOST for byte in range(256)], dtype=np.int64
)
_MASKS: Final = np.array([(1 << 8 * size) - 1 for size in range(_LONGEST + 1)], dtype=np.uint64)


@dataclass(frozen=True)
class Column:
    """The values of a field, and where they are null (None: nowhere)."""

    values: _Ints
    null: _Bools | None = None


@dataclass(frozen=True)
class Run:
    """Records one after another from the first byte of data on.

    Attributes:
        begins: the first byte of each.
        size: their bytes.
        columns: their fields that were asked for; of an array its first item, null if it has none.
    """

    begins: _Ints
    size: int
    columns: dict[str, Column]


class _Tokens:
    """Data cut at its bytes below 0x80.

    Attributes:
        bytes: the data, and a few zeros.
        begins: the first byte of each token, and the end of the last.
        count: how many tokens there are, up to the first that is longer than is looked at.
    """

    def __init__(self, data: bytes) -> None:
        self.bytes = np.frombuffer(data + bytes(_LONGEST), dtype=np.uint8)
        ends = np.flatnonzero(self.bytes[: len(data)] < 0x80)
        self.begins = np.zeros(ends.size + 1, dtype=np.int32)
        np.add(ends, 1, out=self.begins[1:], casting="unsafe")
        long = np.flatnonzero(np.diff(self.begins) > _LONGEST)
        if long.size:
            self.begins = self.begins[: long[0] + 1]
        self.count = self.begins.size - 1
        # Eight bytes from every place on, which a copy could not hold.
        self._words = np.ndarray((len(data),), dtype="<u8", buffer=self.bytes.data, strides=(1,))

    def small(self, at: _Ints) -> _Ints:
        """Numbers in 0..63, which have one byte; others are lost. Past the end: any number."""
        found: _Ints = _SMALL[self.bytes[self.begins.take(at, mode="clip")]]
        return found

    def values(self, at: _Ints) -> _Ints:
        """Numbers of at most eight bytes, at places within the data."""
        begin = self.begins[at]
        word = self._words[begin] & _MASKS[self.begins[at + 1] - begin]
        # Seven bits of each byte, moved together in halves, quarters and eighths.
        word &= np.uint64(0x7F7F7F7F7F7F7F7F)
        for low, shift in (
            (0x007F007F007F007F, 1),
            (0x00003FFF00003FFF, 2),
            (0x000000000FFFFFFF, 4),
        ):
            kept = word & np.uint64(low)
            word -= kept
            word >>= np.uint64(shift)
            word |= kept
        sign = (word & np.uint64(1)).view(np.int64)
        found: _Ints = (word >> np.uint64(1)).view(np.int64) ^ -sign
        return found

    def spans(self, at: _Ints, size: _Ints) -> _Bools:
        """Whether tokens from places on are as many bytes, as those of ASCII text are."""
        first, last = self.begins.take(at, mode="clip"), self.begins.take(at + size, mode="clip")
        fits: _Bools = last - first == size
        return fits


def is_plain(record: Kind) -> bool:
    """Whether records of this kind can be read here at all."""
    return bool(record.fields) and all(_is_plain(field.kind) for field in record.fields)


def _is_plain(kind: Kind) -> bool:
    if kind.name == "array":
        return kind.parts[0].name in ("int", "long")
    if kind.name == "union":
        other = {part.name for part in kind.parts} - {"null"}
        return len(kind.parts) == 2 and len(other) == 1 and other <= {"int", "long", "string"}
    return kind.name in ("int", "long", "string")


def read_run(record: Kind, wanted: Sequence[str], data: bytes) -> Run | None:
    """Records of a plain kind as far as they are easily read; None if the first is not."""
    tokens = _Tokens(data)
    if not tokens.count:
        return None
    starts, end = _even(record, tokens)
    if tokens.begins[end] < len(data) // 2:
        places = _likely(record, tokens)
        starts, end = _chain(record, tokens, places)
        if tokens.begins[end] < len(data) // 2 and places.size < tokens.count:
            starts, end = _chain(record, tokens, np.arange(tokens.count))
    if not starts.size:
        return None
    columns = _columns(record, frozenset(wanted), tokens, starts)
    return Run(tokens.begins[starts].astype(np.int64), int(tokens.begins[end]), columns)


def _even(record: Kind, tokens: _Tokens) -> tuple[_Ints, int]:
    """Records one after another from the first token on, as long as each has as many tokens as the
    first, and the token behind the last.
    """
    size = int(_behind(record, tokens, np.zeros(1, dtype=np.int64))[0])
    if not 0 < size <= tokens.count:
        return np.zeros(0, dtype=np.int64), 0
    starts = np.arange(0, tokens.count - size + 1, size)
    uneven = np.flatnonzero(_behind(record, tokens, starts) != starts + size)
    starts = starts[: uneven[0] if uneven.size else None]
    return starts, starts.size * size


def _behind(record: Kind, tokens: _Tokens, places: _Ints) -> _Ints:
    """The token behind a record that begins at each place; below 0: it cannot be told."""
    after = places
    run = 0
    for field in record.fields:
        if field.kind.name in ("int", "long"):
            run += 1
            continue
        after, run = _after(field.kind, tokens, after + run), 0
    return np.where(after >= 0, after + run, _LOST)


def _likely(record: Kind, tokens: _Tokens) -> _Ints:
    """Tokens much like the first: records begin alike (with a time), so there they may begin."""
    sizes = np.diff(tokens.begins)
    # A value that may be null has a token in front that says which it is.
    ahead = min(2 if record.fields[0].kind.name == "union" else 1, tokens.count)
    places = np.arange(tokens.count - ahead + 1)
    for token in range(ahead):
        places = places[sizes[places + token] == sizes[token]]
        ends = tokens.begins[1 + token :]
        for back in range(1, min(3, int(sizes[token])) + 1):
            byte = tokens.bytes[ends[0] - back]
            places = places[tokens.bytes[ends[places] - back] == byte]
    return places


def _chain(record: Kind, tokens: _Tokens, places: _Ints) -> tuple[_Ints, int]:
    """Records one after another from the first token on, and the token behind the last.

    They begin at some of `places`, of which the first token is one.
    """
    after = _behind(record, tokens, places)
    # A place that no record leads to is none where a record begins.
    ends = np.zeros(tokens.count + 1, dtype=np.bool_)
    ends[after[(after >= 0) & (after <= tokens.count)]] = True
    led_to = ends[places]
    led_to[0] = True
    likely, behind = places[led_to], after[led_to]
    breaks = np.flatnonzero(likely[1:] != behind[:-1])
    last = int(breaks[0]) if breaks.size else likely.size - 1
    # What is behind may lie beyond the last token, of a record that is not whole.
    reached = min(max(0, int(behind[last])), tokens.count)
    if breaks.size and tokens.begins[reached] < tokens.begins[-1] // 2:
        path = _walk(likely, behind)
        likely, behind = likely[path], behind[path]
        last = likely.size - 1
    if not 0 <= behind[last] <= tokens.count:  # the last one is not whole, or unusual
        last -= 1
    return likely[: last + 1], int(behind[last]) if last >= 0 else 0


def _walk(places: _Ints, after: _Ints) -> list[int]:
    """Which places lead from the first one to another, a record at a time."""
    which = np.minimum(np.searchsorted(places, after), places.size - 1)
    steps: list[int] = np.where(places[which] == after, which, _LOST).tolist()
    path = []
    at = 0
    while at >= 0:
        path.append(at)
        at = steps[at]
    return path


def _after(kind: Kind, tokens: _Tokens, at: _Ints) -> _Ints:
    """The token after a value that begins at a token, or lost."""
    if kind.name in ("int", "long"):
        return at + 1
    small = tokens.small(at)
    if kind.name == "string":
        good = (small >= 0) & tokens.spans(at + 1, small)
        return np.where(good, at + 1 + small, _LOST)
    if kind.name == "array":
        end = at + 1 + small
        good = (small == 0) | ((small > 0) & (tokens.small(end) == 0))
        return np.where(good, end + (small > 0), _LOST)
    null = [part.name for part in kind.parts].index("null")
    inner = _after(kind.parts[1 - null], tokens, np.where(small == 1 - null, at + 1, _LOST))
    return np.where(small == null, at + 1, inner)


def _columns(
    record: Kind, wanted: frozenset[str], tokens: _Tokens, starts: _Ints
) -> dict[str, Column]:
    found = {}
    at = starts
    for field in record.fields:
        if field.name in wanted:
            found[field.name] = _column(field.kind, tokens, at)
        at = _after(field.kind, tokens, at)
    return found


def _column(kind: Kind, tokens: _Tokens, at: _Ints) -> Column:
    if kind.name in ("int", "long"):
        return Column(tokens.values(at))
    if kind.name == "array":
        null = tokens.small(at) == 0
    else:
        null = tokens.small(at) == [part.name for part in kind.parts].index("null")
    # What is null has no second token of its own; the count of an empty array serves.
    return Column(tokens.values(np.where(null, at, at + 1)), null)
