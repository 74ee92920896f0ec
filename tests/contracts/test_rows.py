"""The judge of rows: what is kept, what is refused, and why."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.contracts import Contract, check_rows, load_contract
from dante.errors import DanteError
from dante.schema import PACKETS, empty_packets
from dante.store.records import RECORD, Names, Packed, pack

OWN = Path(__file__).resolve().parents[2] / "data_contracts" / "packets.yaml"
GOOD: dict[str, Any] = {
    "ts": datetime(2025, 3, 1, 12, tzinfo=UTC),
    "src": 3405803783,
    "sensor": "alpha",
    "proto": 6,
    "dport": 23,
    "sport": 40000,
}
EARLY, LATE = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    whole = [{name: row.get(name) for name in PACKETS} for row in rows]
    return pl.DataFrame(whole, schema=PACKETS, orient="row")


def packed(packets: pl.DataFrame) -> Packed:
    names = Names()
    records = np.zeros(packets.height, RECORD)
    pack(packets, names, records)
    return Packed(records, names.texts)


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    """The contract with ranges narrower than their types, so that they can be broken."""
    text = OWN.read_text("utf-8")
    text = text.replace("minimum: 0, maximum: 255}", "minimum: 1, maximum: 58}")
    text = text.replace("minimum: 0, maximum: 65535}", "minimum: 10, maximum: 1000}")
    path = tmp_path_factory.mktemp("contract") / "tight.yaml"
    path.write_text(text.replace("minimum: 1, maximum: 255}", "minimum: 1, maximum: 3}"), "utf-8")
    return load_contract(path)


def breaches(row: dict[str, Any]) -> list[str]:
    """The checks of the tight contract a row breaks, in the contract's order, by plain Python."""
    found = []
    ts, sensor, proto, dport, sport = (row[c] for c in ("ts", "sensor", "proto", "dport", "sport"))
    if ts is None:
        found.append("ts_present")
    elif ts < EARLY or ts > LATE:
        found.append("ts_range")
    if row["src"] is None:
        found.append("src_present")
    if sensor is not None and not 1 <= len(sensor.encode()) <= 3:
        found.append("sensor_length")
    if proto is None:
        found.append("proto_present")
    elif not 1 <= proto <= 58:
        found.append("proto_range")
    if dport is not None and not 10 <= dport <= 1000:
        found.append("dport_range")
    if dport is None and proto in (6, 17):
        found.append("dport_of_tcp_udp")
    if dport is None and proto in (1, 58):
        found.append("dport_of_icmp")
    if sport is not None and not 10 <= sport <= 1000:
        found.append("sport_range")
    return found


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategy, strategy, strategy, st.none())


PORT = st.one_of(st.integers(10, 1000), st.sampled_from([0, 9, 10, 1000, 1001, 65535]))
ROW = st.fixed_dictionaries(
    {
        "ts": maybe(
            st.one_of(
                st.datetimes(datetime(1980, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC)),
                st.sampled_from([EARLY - TICK, EARLY, LATE, LATE + TICK]),
            )
        ),
        "src": maybe(st.integers(0, 2**64 - 1)),
        "sensor": maybe(st.sampled_from(["", "a", "abc", "abcd", "é", "éé", "€"])),
        "proto": maybe(st.sampled_from([0, 1, 6, 17, 47, 58, 59, 255])),
        "dport": maybe(PORT),
        "sport": maybe(PORT),
        "ttl": maybe(st.integers(0, 255)),
    }
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(ROW, max_size=12))
def test_rows_are_divided_as_plain_python_divides_them(
    tight: Contract, rows: list[dict[str, Any]]
) -> None:
    """Kept and refused together are the input, in order, and each reason is the first breach.

    It makes no difference whether the packets are a frame or packed.
    """
    packets = frame(*rows)
    checked = check_rows(packets, tight)
    as_records = check_rows(packed(packets), tight)
    assert isinstance(checked.kept, pl.DataFrame)
    assert isinstance(as_records.kept, Packed)
    assert_frame_equal(as_records.kept.frame(), checked.kept)
    assert_frame_equal(as_records.refused, checked.refused)
    assert as_records.positions.equals(checked.positions)
    expected = [breaches(row) for row in rows]
    mask = pl.Series([bool(found) for found in expected], dtype=pl.Boolean)
    assert_frame_equal(checked.kept, packets.filter(~mask))
    assert_frame_equal(checked.refused.drop("reason"), packets.filter(mask))
    named = [reason.split(":")[0] for reason in checked.refused["reason"]]
    assert named == [found[0] for found in expected if found]


def test_answers_need_no_port() -> None:
    """A SYN/ACK or RST without its port is no breach of our contract: it makes no word."""
    rows = [{**GOOD, "dport": None, "tcp_flags": flags} for flags in (0x12, 0x04, 0x14, 0x02, None)]
    rows.append({**GOOD, "proto": 17, "dport": None, "tcp_flags": 0x12})
    checked = check_rows(frame(*rows), load_contract())
    assert checked.positions.to_list() == [3, 4, 5]


def test_reasons_say_what_is_asked_for() -> None:
    """A reason names the check and says what the contract asks for."""
    bad = frame({**GOOD, "dport": None}, {**GOOD, "ts": datetime(1970, 1, 1, tzinfo=UTC)})
    assert check_rows(bad, load_contract()).refused["reason"].to_list() == [
        "dport_of_tcp_udp: dport is never null for tcp and udp, but in answers",
        "ts_range: ts is 1990-01-01 to 2100-01-01",
    ]


def test_what_a_source_does_not_carry_is_no_breach() -> None:
    """Rows with only time, sender, protocol and port are kept; so are protocols without ports."""
    bare = {name: GOOD[name] for name in ("ts", "src", "proto", "dport")}
    gre = {**bare, "proto": 47, "dport": None}
    assert check_rows(frame(bare, gre), load_contract()).kept.height == 2


def test_no_packets_are_no_breach() -> None:
    """An empty frame is kept as it is, and the refused have the schema with a reason."""
    checked = check_rows(empty_packets(), load_contract())
    assert isinstance(checked.kept, pl.DataFrame)
    assert checked.kept.schema == PACKETS
    assert dict(checked.refused.schema) == {**PACKETS, "reason": pl.String()}


def test_a_frame_that_is_not_canonical_is_an_error() -> None:
    """A missing, further or mistyped column is told as such, not refused row by row."""
    good = frame(GOOD)
    for wrong in (good.drop("ttl"), good.with_columns(x=1), good.cast({"dport": pl.Int64})):
        with pytest.raises(DanteError, match=r"ttl|x|dport"):
            check_rows(wrong, load_contract())
