"""Files of many formats → canonical packets, and a reason for every row that is none.

Rows read = packets + refused rows, always. A new format is one module that yields `Batch`es, a
line in `dante.sources.read` and its mark in `dante.sources.detect`.
"""

from dante.sources.batch import MAX_RAW, Batch
from dante.sources.files import find_files, source_digest
from dante.sources.mapping import FIELDS, Mapping, load_mapping, parse_mapping
from dante.sources.read import FORMATS, read_batches
from dante.sources.reading import Reading

__all__ = [
    "FIELDS",
    "FORMATS",
    "MAX_RAW",
    "Batch",
    "Mapping",
    "Reading",
    "find_files",
    "load_mapping",
    "parse_mapping",
    "read_batches",
    "source_digest",
]
