"""Databases in MaxMind's format, of networks and their countries or autonomous systems."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from dante.errors import SourceError
from dante.labels.networks import NETWORKS, network_range

__all__ = ["read_mmdb"]


def read_mmdb(path: Path) -> tuple[str, pl.DataFrame]:
    """The kind of a database (`asn` or `country`), and its networks as a frame of `NETWORKS`.

    Raises:
        SourceError: it is damaged, or of something else.
    """
    import maxminddb

    try:
        with maxminddb.open_database(path) as reader:
            kind = _kind(reader.metadata().database_type)
            if kind is None:
                raise SourceError(
                    f"{path} is a database of {reader.metadata().database_type[:60]!r}; networks' "
                    "countries (Country, City) or autonomous systems (ASN, ISP) are understood"
                )
            rows = pl.DataFrame(_rows(reader, kind), schema=NETWORKS, orient="row")
    # A damaged database can make its reader raise nearly anything.
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"{path} cannot be read as a MaxMind database ({error}); download it again"
        ) from None
    return kind, _joined(rows.sort("first", "last"))


def _kind(database: str) -> str | None:
    if "ASN" in database or "ISP" in database:
        return "asn"
    return "country" if "Country" in database or "City" in database else None


def _rows(reader: Any, kind: str) -> Iterator[tuple[int, int, str]]:
    for network, record in reader:
        name = _name(record, kind)
        if name:
            yield *network_range(str(network)), name


def _name(record: Any, kind: str) -> str | None:
    if not isinstance(record, dict):
        return None
    if kind == "asn":
        number = record.get("autonomous_system_number")
        if not isinstance(number, int):
            return None
        whose = str(record.get("autonomous_system_organization") or "")
        return "".join(c for c in f"AS{number} {whose}".strip()[:80] if c.isprintable())
    for key in ("country", "registered_country"):
        country = record.get(key)
        code = country.get("iso_code") if isinstance(country, dict) else None
        if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha():
            return code.upper()
    return None


def _joined(rows: pl.DataFrame) -> pl.DataFrame:
    """Neighbouring networks of one name as one range."""
    apart = pl.col("first") != pl.col("last").shift(1) + 1
    starts = (apart | (pl.col("name") != pl.col("name").shift(1))).fill_null(True)
    return (
        rows.group_by(starts.cum_sum().alias("run"), maintain_order=True)
        .agg(pl.col("first").first(), pl.col("last").last(), pl.col("name").first())
        .select(list(NETWORKS))
    )
