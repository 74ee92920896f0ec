"""Files of many formats → canonical packets, and a reason for every row that is none.

Rows read = packets + refused rows, always. A new format is one module that yields `Batch`es, a
line in `dante.sources.read`.
"""

from dante.sources.batch import MAX_RAW, Batch
from dante.sources.files import Digesting, find_files, prefix_digests, source_digest
from dante.sources.mapping import FIELDS, Mapping, load_mapping, parse_mapping
from dante.sources.read import FORMATS, format_of, read_batches, settled
from dante.sources.reading import Reading

__all__ = [
    "FIELDS",
    "FORMATS",
    "MAX_RAW",
    "Batch",
    "Digesting",
    "Mapping",
    "Reading",
    "find_files",
    "format_of",
    "load_mapping",
    "parse_mapping",
    "prefix_digests",
    "read_batches",
    "settled",
    "source_digest",
]
