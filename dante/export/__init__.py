"""What other systems take in: STIX, MISP, tables, blocklists, all from the published database.

Two exports of one publication are the same bytes: ids are made from names, times are taken from
the data, and rows have a total order.
"""

from dante.export.blocklist import FORMS, Blocked, Chosen, blocklist, choose_senders
from dante.export.campaigns import Wanted
from dante.export.misp import write_misp
from dante.export.rows import VIEWS, csv_of, write_parquet
from dante.export.sqlite import write_sqlite
from dante.export.stix import stix_bundle
from dante.export.target import checked_target, write_chunks
from dante.export.vectors import write_vectors

__all__ = [
    "FORMS",
    "VIEWS",
    "Blocked",
    "Chosen",
    "Wanted",
    "blocklist",
    "checked_target",
    "choose_senders",
    "csv_of",
    "stix_bundle",
    "write_chunks",
    "write_misp",
    "write_parquet",
    "write_sqlite",
    "write_vectors",
]
