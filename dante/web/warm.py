"""What takes long when a publication has just been opened, done before anybody asks."""

from dante.web.activities import activity_map
from dante.web.publication import Reader

__all__ = ["warm"]


def warm(reader: Reader) -> None:
    """Lay out the newest map, and have DuckDB read what every sender is looked for in.

    Raises:
        NotEnoughDataError: no day is published.
    """
    reader.one("SELECT max(track_id) + sum(packets) FROM memberships WHERE address > 0")
    activity_map(reader)
