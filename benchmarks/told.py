"""What any system says of a telescope."""

from dataclasses import dataclass

import polars as pl

__all__ = ["Told"]


@dataclass(frozen=True)
class Told:
    """A system's answer: `memberships` (`day`, `src`, `track`), and `lineage` (`day`, `track`,
    `event`, `related`) and `threats` (`day`, `track`) where it has them.
    """

    memberships: pl.DataFrame
    lineage: pl.DataFrame | None
    threats: pl.DataFrame | None
