"""A day's packets as one port sequence a sender, and what else each sender shows of itself."""

from dante.sequences.files import (
    PROFILES_VERSION,
    read_inputs,
    read_rows,
    read_sequences,
    write_sequences,
)
from dante.sequences.sentences import SENDERS, DaySequences, day_sequences
from dante.sequences.traits import TRAITS

__all__ = [
    "PROFILES_VERSION",
    "SENDERS",
    "TRAITS",
    "DaySequences",
    "day_sequences",
    "read_inputs",
    "read_rows",
    "read_sequences",
    "write_sequences",
]
