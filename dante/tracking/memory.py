"""Reading back from the state what the tracker knew before a day."""

from datetime import date

import polars as pl

from dante.store.state import State
from dante.tracking.track import MEMBERS, PAST, Memory, Track

__all__ = ["load_memory"]

_TRACKS = """
    SELECT * FROM pipeline.track_states WHERE day < ?
    QUALIFY row_number() OVER (PARTITION BY track_id ORDER BY day DESC) = 1
    ORDER BY track_id
"""
_MEMBERS = """
    SELECT address AS src, track_id, max(day) AS last_day
    FROM memberships WHERE day >= ? AND day < ? AND track_id IS NOT NULL
    GROUP BY ALL ORDER BY src, track_id
"""
_PAST = """
    SELECT track_id, day, senders FROM track_days WHERE day >= ? AND day < ?
    ORDER BY track_id, day
"""


def load_memory(state: State, day: date, *, window: int) -> Memory:
    """All the tracker knew at the end of the last committed day before `day`.

    Args:
        state: the state.
        day: nothing of it or later is read.
        window: committed days of senders an awake track is known by.
    """
    days = tuple(known for known in state.committed_days() if known < day)[-window:]
    since = days[0] if days else day
    rows = state.frame(_TRACKS, [day]).iter_rows(named=True)
    tracks = tuple(Track.from_row(row) for row in rows)
    awake = [track.track_id for track in tracks if track.state == "active"]
    members = state.frame(_MEMBERS, [since, day])
    past = state.frame(_PAST, [since, day])
    return Memory(
        tracks=tracks,
        members=members.filter(pl.col("track_id").is_in(awake)).select(
            pl.col(name).cast(dtype) for name, dtype in MEMBERS.items()
        ),
        days=days,
        past=past.select(pl.col(name).cast(dtype) for name, dtype in PAST.items()),
    )
