"""Everything besides its bytes that decides how a file is read."""

import hashlib
import json
from dataclasses import asdict, dataclass

from dante.sources.mapping import Mapping

__all__ = ["Reading"]


@dataclass(frozen=True)
class Reading:
    """How a file is to be read.

    `format` is `auto` or a name from `dante.sources.FORMATS`; `sensor` fills rows that name no
    sensor; `tz` is the zone of times written without one and outranks the mapping's; `year` is
    for time formats that have none.
    """

    format: str = "auto"
    mapping: Mapping | None = None
    sensor: str | None = None
    tz: str | None = None
    year: int | None = None

    def fingerprint(self) -> str:
        """64 hex digits, equal for equal readings in every run and on every machine."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()
