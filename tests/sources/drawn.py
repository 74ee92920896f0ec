"""Canonical packets of any values, drawn by hypothesis."""

from datetime import UTC, datetime

import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from dante.schema import PACKETS

numbers = {
    name: st.none() | st.integers(0, 2 ** (8 * size) - 1)
    for name, size in {
        "sport": 2,
        "ttl": 1,
        "tcp_flags": 1,
        "tcp_window": 2,
        "ip_id": 2,
        "tcp_seq": 4,
        "length": 2,
    }.items()
}
sensors = st.none() | st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6)
addresses = st.integers(0, 2**32 - 1) | st.integers(2**61, 2**64 - 1)


@st.composite
def _packets(draw):
    proto = draw(st.sampled_from([1, 6, 17, 58, 47, 255]))
    port = st.integers(0, 65535)
    values = {name: draw(strategy) for name, strategy in numbers.items()}
    return {
        "ts": draw(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1))).replace(tzinfo=UTC),
        "src": draw(addresses),
        "dst": draw(st.none() | addresses),
        "sensor": draw(sensors),
        "proto": proto,
        "dport": draw(port if proto in (6, 17) else st.none() | port),
        **values,
        "sport": None if proto in (1, 58) else values["sport"],
        "packets": draw(st.none() | st.integers(0, 2**32 - 1)),
    }


frames = st.lists(_packets(), max_size=12).map(
    lambda rows: pl.DataFrame(rows, schema=PACKETS, orient="row")
)
quick = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
