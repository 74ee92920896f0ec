"""The tool a group of senders shows."""

import numpy as np
import polars as pl

from dante.clustering import Histogram
from dante.clustering.evidence import trait_codes
from dante.labels.tools import RULES

__all__ = ["common_tool"]


def common_tool(shown: Histogram) -> str | None:
    """Name of the tool that half of a group's senders show; None where none is known."""
    codes = trait_codes("tool", pl.Series([rule.number for rule in RULES]))
    held = [shown.traits.weights[shown.traits.keys == code].sum() for code in codes]
    most = int(np.argmax(held))
    return RULES[most].name if 2 * held[most] >= shown.senders else None
