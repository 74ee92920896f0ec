"""Text that Markdown shows as it is, and a track's days as a line of blocks."""

import re
from datetime import date
from typing import Final

import polars as pl

from dante.report.axis import Columns
from dante.report.words import clean

__all__ = ["markdown", "strip"]

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS: Final = re.compile(r"[\\`*_{}\[\]#|~@!$^]")
# What some readers make a link of without being asked.
_LINKS: Final = re.compile(r"://|\bwww(?=\.)", re.IGNORECASE)

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_WIDEST: Final = 32


def markdown(text: str) -> str:
    """Text with everything escaped that Markdown or the HTML in it would take for a sign.

    It stays in its line, and in its cell of a table.
    """
    plain = "".join(_ENTITIES.get(char, char) for char in clean(text))
    plain = _SIGNS.sub(r"\\\g<0>", plain)
    return _LINKS.sub(lambda found: "&#58;//" if ":" in found[0] else found[0] + "&#8203;", plain)


def strip(days: pl.DataFrame, first: date, last: date) -> str:
    """Senders over a span as at most 32 blocks; a dot where there were none.

    Args:
        days: day and senders of one track.
        first, last: of the span, both inclusive; a block is one day or several, by the highest.
    """
    wide = -(-((last - first).days + 1) // _WIDEST)
    columns = Columns(first, wide, -(-((last - first).days + 1) // wide))
    highest = [0] * columns.count
    for day, senders in days.select("day", "senders").iter_rows():
        column = columns.column(day)
        highest[column] = max(highest[column], senders)
    most = max(1, *highest)
    return "".join(
        _BLOCKS[max(0, -(-len(_BLOCKS) * value // most) - 1)] if value else "·" for value in highest
    )
