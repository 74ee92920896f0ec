"""What senders show of themselves, against a plain Python oracle and packets made by hand."""

import datetime as dt
import itertools
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dante.schema import PACKETS, TCP, UDP
from dante.sequences import TRAITS, day_sequences
from dante.sequences.traits import IP_ID, VARIES

START = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
NEAR, FAR = 0x0A000001, 0x0A000002
"""Two watched addresses."""
WIDE = 0x2001_0DB8_0000_0000

Packet = dict[str, Any]


def _packet(at: float = 0, src: int = 1, **fields: Any) -> Packet:
    ts = START + dt.timedelta(seconds=at)
    return {"ts": ts, "src": src, "proto": TCP, "dport": 23, **fields}


def _traits(packets: list[Packet]) -> dict[int, dict[str, Any]]:
    frame = pl.DataFrame(packets, schema=PACKETS)
    senders = day_sequences(frame.lazy(), sentence_words=8).senders
    return {row["src"]: row for row in senders.select("src", *TRAITS).iter_rows(named=True)}


def _one(*packets: Packet) -> dict[str, Any]:
    return _traits(list(packets))[1]


def test_a_source_that_carries_no_headers_leaves_traits_null() -> None:
    """Of packets of nothing but time, sender and port only the hours are known."""
    shown = _one(_packet(0), _packet(3600 * 5))
    hours = (1 << 0) | (1 << 5)
    assert shown == {"src": 1, **dict.fromkeys(TRAITS), "hours": hours}


def test_a_day_without_senders_has_the_columns_of_traits() -> None:
    """No packets give no rows, with every trait's type."""
    senders = day_sequences(pl.DataFrame(schema=PACKETS).lazy(), sentence_words=8).senders
    assert senders.height == 0
    assert {name: senders.schema[name] for name in TRAITS} == TRAITS


@pytest.mark.parametrize(
    ("ttls", "initial"),
    [([1], 64), ([64], 64), ([65, 3], 128), ([128], 128), ([129], 255), ([None, 255], 255)],
)
def test_the_initial_ttl_is_the_next_above_the_largest(
    ttls: list[int | None], initial: int
) -> None:
    """Routers only lower a TTL, so the largest that arrives is nearest to what was sent."""
    assert _one(*(_packet(i, ttl=ttl) for i, ttl in enumerate(ttls)))["ttl"] == initial


@pytest.mark.parametrize(("ttls", "varies"), [([50, 53], False), ([50, 54], True), ([50], False)])
def test_a_ttl_varies_beyond_what_routes_do(ttls: list[int], varies: bool) -> None:
    """Two hops more or less are another route; more than three another host or a forger."""
    assert _one(*(_packet(i, ttl=ttl) for i, ttl in enumerate(ttls)))["ttl_varies"] is varies


def test_window_and_length_are_of_tcp_packets_only() -> None:
    """A UDP packet's length does not make the length of the probes vary."""
    probe = {"tcp_window": 1024, "length": 44}
    shown = _one(_packet(0, **probe), _packet(1, **probe), _packet(2, proto=UDP, length=60))
    assert (shown["window"], shown["tcp_length"]) == (1024, 44)
    shown = _one(_packet(0, **probe), _packet(1, tcp_window=65535, length=44))
    assert (shown["window"], shown["tcp_length"]) == (VARIES, 44)
    only_udp = _one(_packet(0, proto=UDP, length=60))
    assert (only_udp["window"], only_udp["tcp_length"], only_udp["tool"]) == (None, None, None)


@pytest.mark.parametrize(
    ("ids", "how"),
    [
        ([0], "zero"),
        ([0, 0, 0], "zero"),
        ([7], None),
        ([7, 7], "constant"),
        ([7, 8, 9], "counts up"),
        ([7, 1031, 2055], "counts up"),
        ([7, 1032, 2057], "random"),
        ([65535, 0, 1], "counts up"),
        ([9, 8, 7], "random"),
        ([5, 6, 40_000], "random"),
        ([5, 6, 7, 40_000], "counts up"),
        ([None, None], None),
        ([None, 9], None),
    ],
)
def test_how_a_sender_numbers_its_packets(ids: list[int | None], how: str | None) -> None:
    """Zero, constant, counting (also over the end, and with packets to others between), random."""
    shown = _one(*(_packet(i, ip_id=ip_id) for i, ip_id in enumerate(ids)))["ip_id"]
    assert shown == (None if how is None else IP_ID.index(how))


def test_one_source_port_needs_two_packets() -> None:
    """One packet has one source port by necessity, which says nothing."""
    assert _one(_packet(0, sport=4))["one_sport"] is None
    assert _one(_packet(0, sport=4), _packet(1))["one_sport"] is None
    assert _one(_packet(0, sport=4), _packet(1, sport=4))["one_sport"] is True
    assert _one(_packet(0, sport=4), _packet(1, sport=5))["one_sport"] is False


def test_a_target_is_the_one_address_called() -> None:
    """A sender of two addresses has no target."""
    assert _one(_packet(0, dst=NEAR), _packet(1, dst=NEAR))["target"] == NEAR
    assert _one(_packet(0, dst=NEAR), _packet(1, dst=FAR))["target"] is None


def test_half_of_the_packets_show_a_tool() -> None:
    """One ZMap packet of two is ZMap, one of three is not, and UDP packets do not count."""
    zmap, other = {"ip_id": 54321}, {"ip_id": 9}
    assert _one(_packet(0, **zmap), _packet(1, **other))["tool"] == 2
    assert _one(_packet(0, **zmap), _packet(1, **other), _packet(2, **other))["tool"] == 0
    assert _one(_packet(0, **zmap), _packet(1, proto=UDP, **other))["tool"] == 2


def test_a_row_of_many_packets_is_one_sight_of_its_sender() -> None:
    """A flow record of a thousand packets shows one header, and one packet is not two."""
    flow = _one(_packet(0, ttl=60, sport=9, ip_id=4, packets=1000))
    packet = _one(_packet(0, ttl=60, sport=9, ip_id=4))
    assert flow == packet
    assert (flow["one_sport"], flow["ip_id"]) == (None, None)


def test_replies_show_nothing() -> None:
    """Backscatter among a sender's probes does not change its traits."""
    probe = _packet(0, ttl=60, tcp_flags=2, sport=5)
    reply = _packet(7200, ttl=200, tcp_flags=0x12, sport=443)
    assert _one(probe, reply) == _one(probe)


@st.composite
def _packets(draw: st.DrawFn) -> list[Packet]:
    maybe = st.none() | st.sampled_from([NEAR, FAR, WIDE, 5])
    packets = []
    for number in range(draw(st.integers(0, 24))):
        made = _packet(
            number * draw(st.sampled_from([1, 1, 3600])),
            draw(st.sampled_from([1, 2, WIDE])),
            proto=draw(st.sampled_from([TCP, TCP, TCP, UDP, 1])),
            dport=draw(st.sampled_from([23, 2323, 8 * 256, None])),
            dst=draw(maybe),
            sport=draw(st.sampled_from([None, 40, 40, 41])),
            ttl=draw(st.sampled_from([None, 1, 50, 53, 54, 64, 65, 128, 200])),
            tcp_window=draw(st.sampled_from([None, 1024, 1024, 65535])),
            ip_id=draw(st.sampled_from([None, 0, 1, 2, 1026, 54321, 54321, 65535])),
            tcp_seq=draw(st.sampled_from([None, NEAR, FAR, 7, 0])),
            length=draw(st.sampled_from([None, 40, 40, 44])),
            packets=draw(st.sampled_from([None, 3])),
        )
        if draw(st.booleans()) and None not in (made["dst"], made["dport"], made["tcp_seq"]):
            made["ip_id"] = (made["dst"] ^ made["dport"] ^ made["tcp_seq"]) & 0xFFFF
        packets.append(made)
    for made in packets:
        if made["proto"] == 1:  # an echo request; lower types are replies
            made["dport"] = 8 * 256
    # No two of one time, so that there is an order to go by.
    return [{**p, "ts": p["ts"] + dt.timedelta(microseconds=i)} for i, p in enumerate(packets)]


def _oracle_tool(packet: Packet) -> int | None:
    dst, seq, ip_id, port = (packet[name] for name in ("dst", "tcp_seq", "ip_id", "dport"))
    if packet["proto"] != TCP or (seq is None and ip_id is None):
        return None
    v4 = dst is not None and dst < 1 << 32
    if v4 and dst > 0xFFFF and seq == dst:
        return 1
    if ip_id == 54321:
        return 2
    told = v4 and seq is not None and port is not None and ip_id
    return 3 if told and ip_id == (dst ^ port ^ seq) & 0xFFFF else 0


def _same(values: list[int], otherwise: int | None) -> int | None:
    return None if not values else values[0] if len(set(values)) == 1 else otherwise


def _oracle_numbering(ids: list[int | None]) -> int | None:
    known = [each for each in ids if each is not None]
    if not known:
        return None
    if set(known) == {0}:
        return 0
    if len(known) < 2:
        return None
    if len(set(known)) == 1:
        return 1
    steps = [(b - a) % 65536 for a, b in itertools.pairwise(ids) if a is not None and b is not None]
    return 2 if 2 * sum(1 <= step <= 1024 for step in steps) > len(known) - 1 else 3


def _oracle(packets: list[Packet]) -> dict[str, Any]:
    def known(name: str, proto: int | None = None) -> list[int]:
        return [p[name] for p in packets if p[name] is not None and proto in (None, p["proto"])]

    tools = [tool for tool in map(_oracle_tool, packets) if tool is not None]
    shown = [
        rule for rule in (1, 2, 3) if tools.count(rule) and 2 * tools.count(rule) >= len(tools)
    ]
    ttls, sports = known("ttl"), known("sport")
    return {
        "tool": None if not tools else shown[0] if shown else 0,
        "ttl": next(t for t in (64, 128, 255) if max(ttls) <= t) if ttls else None,
        "ttl_varies": max(ttls) - min(ttls) > 3 if ttls else None,
        "window": _same(known("tcp_window", TCP), VARIES),
        "tcp_length": _same(known("length", TCP), VARIES),
        "ip_id": _oracle_numbering([p["ip_id"] for p in packets]),
        "one_sport": len(set(sports)) == 1 if len(sports) > 1 else None,
        "hours": sum(1 << hour for hour in {p["ts"].hour for p in packets}),
        "target": _same(known("dst"), None),
    }


@given(packets=_packets())
@settings(max_examples=80)
def test_traits_are_what_a_plain_loop_finds(packets: list[Packet]) -> None:
    """Each trait of each sender is that of a loop over its packets in order of time."""
    made = _traits(packets)
    for src in {packet["src"] for packet in packets}:
        mine = sorted((p for p in packets if p["src"] == src), key=lambda p: p["ts"])
        assert made[src] == {"src": src, **_oracle(mine)}


@given(packets=_packets(), mixer=st.randoms(use_true_random=False))
@settings(max_examples=30)
def test_the_order_in_which_packets_are_read_shows_nothing(
    packets: list[Packet], mixer: Any
) -> None:
    """Shuffled rows give the same traits, for time is what orders them."""
    shuffled = list(packets)
    mixer.shuffle(shuffled)
    assert _traits(shuffled) == _traits(packets)
