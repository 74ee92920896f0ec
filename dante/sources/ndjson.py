"""Files of one JSON object a line → their lines, and columns of text.

Polars reads the objects of a block at once. A line it refuses makes it refuse the block, so a
block that fails is halved until the lines that are to blame are few; `json` then tells which they
are. What a line is read as never depends on its neighbours.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NoReturn

import polars as pl

from dante.schema import QUARANTINE, empty_packets
from dante.sources.batch import Batch, refuse
from dante.sources.flowrows import judge
from dante.sources.format import Head
from dante.sources.interpret import Rules
from dante.sources.text import TextSource, cut_row, parts, read_lines
from dante.store.ahead import ahead

__all__ = ["Keys", "first_objects", "read_objects"]

Keys = Mapping[str, "tuple[str, ...] | None"]
"""The keys that are read: of those with names, the value is an object, and those of its keys are
read as `key.name`."""

_BLOCK: Final = 1 << 22
_LINES: Final = 1 << 17  # of lines that are next to empty, a block holds millions
_FEW: Final = 64


def read_objects(
    path: Path,
    keys: Keys,
    packets: Callable[[pl.DataFrame], pl.DataFrame],
    rule: Rules,
    limit: int,
) -> Iterator[Batch]:
    """Batches of a file of objects, at most `limit` rows each; blank lines are no rows.

    Args:
        path: the file.
        keys: what is read of an object. Numbers are text as JSON may write them, `true` and `false`
            are words, arrays and objects their JSON; null is what is null or not there.
        packets: from `row` and the keys, as text, the columns of `interpret` and `reason`; blocks
            are given in the order of the file.
        rule: how values are read.
        limit: rows of a batch.
    """
    source = TextSource(path)
    row = 0
    # Two hands: one reads the next objects, the other makes packets of these.
    with closing(ahead(_blocks(source, keys, limit))) as blocks:
        for frame, odd in blocks:
            batch = Batch(empty_packets(), pl.DataFrame(schema=QUARANTINE))
            if frame.height:
                batch = judge(packets(frame.drop("raw")), rule, _lines_of(frame["raw"]))
            if odd.height:
                batch = Batch(batch.packets, pl.concat([batch.refused, odd]).sort("row"))
            row += batch.rows
            yield batch
    if source.damage is not None:
        yield cut_row(source, row + 1)


def _lines_of(raw: pl.Series) -> Callable[[pl.Series], list[str]]:
    return lambda at: raw.gather(at).to_list()


def _blocks(
    source: TextSource, keys: Keys, limit: int
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Objects as `row`, `raw` and their keys, and quarantine rows of lines that are none."""
    row = 0
    for block in source.blocks(min(_BLOCK, max(1 << 16, limit * 512))):
        for part in parts(block, min(limit, _LINES)):
            lines = read_lines(part, row)
            row += lines.rows
            frame, odd = _objects(lines.frame, keys)
            yield frame, pl.concat([lines.odd, odd]).sort("row") if lines.odd.height else odd


def _columns(keys: Keys) -> list[str]:
    return [
        name if inner is None else f"{name}.{part}"
        for name, inner in keys.items()
        for part in inner or ("",)
    ]


def _objects(lines: pl.DataFrame, keys: Keys) -> tuple[pl.DataFrame, pl.DataFrame]:
    texts = lines["line"]
    # An array may stand around the objects, and commas between them.
    bare = texts.str.strip_chars(" \t\r")
    if not (bare.str.starts_with("{") & bare.str.ends_with("}")).all():
        bare = bare.str.strip_prefix("[").str.strip_suffix("]").str.strip_chars(" \t,")
    begins = bare.str.starts_with("{")
    tried = bare if begins.all() else bare.filter(begins)
    values, reasons = _read(tried, keys)
    reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, texts.len())
    if tried.len() < texts.len():
        others = (~begins).arg_true()
        reason = reason.scatter(others, [_why(text) for text in bare.gather(others).to_list()])
        reason = reason.scatter(begins.arg_true(), reasons)
    else:
        reason = reasons
    good = reason.is_null()
    values = values.filter(reasons.is_null()) if reasons.null_count() < reasons.len() else values
    kept = lines if good.all() else lines.filter(good)
    # One chunk: of several, Polars 2.1 cannot make formatted text.
    frame = pl.concat([kept.select("row", raw="line"), values], how="horizontal").rechunk()
    bad = lines.filter(~good)
    if not bad.height:
        return frame, pl.DataFrame(schema=QUARANTINE)
    none = pl.Series([None], dtype=pl.Date).new_from_index(0, bad.height)
    return frame, refuse(none, bad["row"], bad["line"].to_list(), reason.drop_nulls())


def _read(texts: pl.Series, keys: Keys) -> tuple[pl.DataFrame, pl.Series]:
    """The columns of all texts, and why a text is no such object; its row is null then."""
    frame = _bulk(texts, keys)
    if frame is not None:
        return frame, pl.Series("reason", [None], dtype=pl.String).new_from_index(0, texts.len())
    if texts.len() > _FEW:
        half = texts.len() // 2
        pairs = [_read(texts.slice(0, half), keys), _read(texts.slice(half), keys)]
        return pl.concat([p[0] for p in pairs]), pl.concat([p[1] for p in pairs])
    reasons = pl.Series("reason", [_why(t, keys) for t in texts.to_list()], dtype=pl.String)
    likely = reasons.is_null().arg_true()
    frame = _bulk(texts.gather(likely), keys)
    if frame is None:  # what `json` cannot tell is asked of each line by itself
        frames = []
        for place in likely.to_list():
            one = _bulk(texts.slice(place, 1), keys)
            if one is None:
                reasons[place] = "not JSON"
            frames.append(_nulls(keys, 1) if one is None else one)
        frame = pl.concat(frames)
    order = pl.Series([None], dtype=pl.UInt32).new_from_index(0, texts.len())
    order = order.scatter(likely, pl.int_range(likely.len(), dtype=pl.UInt32, eager=True))
    return frame.select(pl.all().gather(order)), reasons


def _nulls(keys: Keys, rows: int) -> pl.DataFrame:
    return pl.DataFrame(schema=dict.fromkeys(_columns(keys), pl.String)).clear(rows)


def _bulk(texts: pl.Series, keys: Keys) -> pl.DataFrame | None:
    """The columns of all texts, None if one is refused."""
    schema: dict[str, pl.DataType] = {
        name: pl.String() if inner is None else pl.Struct(dict.fromkeys(inner, pl.String))
        for name, inner in keys.items()
    }
    if not texts.len():
        return _nulls(keys, 0)
    block = (texts.str.join("\n").item() + "\n").encode()
    try:
        frame = pl.read_ndjson(io.BytesIO(block), schema=schema)
    except pl.exceptions.PolarsError:
        return None
    if frame.height != texts.len():
        return None
    return frame.select(
        pl.col(name) if inner is None else pl.col(name).struct.field(part).alias(f"{name}.{part}")
        for name, inner in keys.items()
        for part in inner or ("",)
    )


def _why(text: str, keys: Keys | None = None) -> str | None:
    """Why a text is no such object; None if it may be one."""
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except ValueError:
        return "not JSON"
    except RecursionError:
        return None if text.startswith("{") else "not a JSON object"
    if not isinstance(value, dict):
        return "not a JSON object"
    for name, inner in (keys or {}).items():
        if inner is not None and not isinstance(value.get(name), dict | None):
            return f"not such an object: {name!r} holds no object"
    return None


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> Any:
    if float(text) in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large")
    return text


def first_objects(head: Head) -> list[str]:
    """The lines at a file's start that begin like objects, at most 20; none if it begins otherwise.

    The first line may be the rest of one, and lines with zero bytes, as a crash leaves them, are
    passed over.
    """
    text = head.data[:_START].decode("utf-8", errors="replace").lstrip("\ufeff[")
    lines = [line.lstrip(" [") for line in text.split("\n")[:40] if line.strip(" \r\t")]
    lines = [line for line in lines if "\0" not in line][:20]
    objects = [line for line in lines if line.startswith("{")]
    return objects if any(line.startswith("{") for line in lines[:2]) else []


_START: Final = 1 << 16
