"""Vectors of a span's senders, fused of ports, headers, hours and networks."""

import datetime as dt
import tracemalloc

import numpy as np
import polars as pl
import pytest

from dante.config import ModelSettings
from dante.embedding import BlockWeights, PortModel, SenderVectors, sender_vectors, train_model
from dante.schema import PACKETS
from dante.sequences import day_sequences

DAY = dt.datetime(2025, 3, 1, tzinfo=dt.UTC)
HEADERS = ("sport", "ttl", "tcp_window", "ip_id", "tcp_seq", "length")


def _packets(senders: int, seed: int = 1) -> pl.DataFrame:
    """Two tools on the same ports, half the senders each, eight packets a sender, two days."""
    rng = np.random.default_rng(seed)
    n = senders * 8
    who = np.repeat(np.arange(senders), 8)
    zmap = who % 2 == 0
    second = rng.integers(0, 2 * 86_400, n)
    frame = pl.DataFrame(
        {
            "ts": pl.Series(second, dtype=pl.Int64) * 1_000_000 + int(DAY.timestamp() * 1e6),
            "src": 0x01000000 + who * 70_001,
            "dst": 0xC6120000 + rng.integers(0, 256, n),
            "sensor": "a",
            "proto": np.where(rng.random(n) < 0.1, 17, 6),
            "dport": rng.choice([22, 23, 80, 443, 445, 2323, 3389, 5900, 8080, 8443, 6379], n),
            "sport": np.where(zmap, rng.integers(32768, 61000, n), 40_000 + who % 20_000),
            "ttl": np.where(zmap, 50, 242) - who % 3,
            "tcp_flags": 2,
            "tcp_window": np.where(zmap, 65_535, 1024),
            "ip_id": np.where(zmap, 54_321, rng.integers(0, 65_536, n)),
            "tcp_seq": rng.integers(0, 2**32, n),
            "length": np.where(zmap, 40, 44),
            "packets": 1,
        }
    )
    return frame.with_columns(
        pl.col("ts").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    ).select(pl.col(name).cast(kind) for name, kind in PACKETS.items())


def _bare(packets: pl.DataFrame) -> pl.DataFrame:
    return packets.with_columns(pl.lit(None).cast(PACKETS[name]).alias(name) for name in HEADERS)


@pytest.fixture(scope="module")
def ports() -> PortModel:
    made = day_sequences(_packets(200).lazy(), sentence_words=64)
    settings = ModelSettings(dimensions=16, epochs=2, train_words=20_000)
    return train_model([(DAY.date(), made.senders)], settings, model_id="m", inputs="")


def _vectors(
    packets: pl.DataFrame, ports: PortModel, weights: BlockWeights | None = None
) -> SenderVectors:
    return sender_vectors(packets.lazy(), ports, everyday_share=0.01, weights=weights)


def test_the_same_bytes_in_any_order(ports: PortModel) -> None:
    """Every sender has a unit vector, the same bytes each time and for packets in any order."""
    packets = _packets(120)
    first = _vectors(packets, ports)
    again = _vectors(packets, ports)
    shuffled = _vectors(packets.sample(fraction=1, shuffle=True, seed=5), ports)
    assert first.vectors.dtype == np.float32
    assert first.src.tolist() == sorted(packets["src"].unique().to_list())
    assert (first.packets == 8).all()
    assert np.allclose(np.linalg.norm(first.vectors, axis=1), 1, atol=1e-5)
    assert first.vectors.tobytes() == again.vectors.tobytes() == shuffled.vectors.tobytes()


def test_without_headers_exactly_without_the_block(ports: PortModel) -> None:
    """A source without headers gives the very vectors of one with headers but for their block."""
    packets = _packets(120)
    bare = _vectors(_bare(packets), ports)
    unread = _vectors(packets, ports, BlockWeights(header=0))
    assert bare.vectors.tobytes() == unread.vectors.tobytes()
    assert bare.vectors.shape[1] < _vectors(packets, ports).vectors.shape[1]


def test_headers_tell_tools_apart(ports: PortModel) -> None:
    """Of two tools on the same ports, a sender's nearest is of its own tool; by ports it is not."""
    packets = _packets(120)
    shares = []
    for given in (packets, _bare(packets)):
        vectors = _vectors(given, ports).vectors
        cosine = vectors @ vectors.T
        np.fill_diagonal(cosine, -2)
        shares.append(float((cosine.argmax(axis=1) % 2 == np.arange(120) % 2).mean()))
    assert shares[0] > 0.95
    assert shares[1] < 0.8


def test_neighbours_in_the_network_are_nearer(ports: PortModel) -> None:
    """By network alone: one /24 is one vector, one /16 is nearer than another, IPv6 as well."""
    addresses = [
        0x0A010203, 0x0A0102FE, 0x0A01FF01, 0x0B000001,
        0x20010DB800010001, 0x20010DB800010002, 0x20010DB8000F0001, 0x2A00000000010001,
    ]  # fmt: skip
    plain = [0x01000000 + who * 70_001 for who in range(8)]
    packets = _packets(8).with_columns(
        pl.col("src").replace_strict(plain, addresses, return_dtype=pl.UInt64)
    )
    only = BlockWeights(ports=0, header=0, pace=0, network=1)
    cosine = (v := _vectors(packets, ports, only).vectors) @ v.T
    for first in (0, 4):
        same, near, other = cosine[first, first + 1 : first + 4]
        assert same == pytest.approx(1, abs=1e-6)
        assert same > near > other


def test_some_without_headers(ports: PortModel) -> None:
    """Senders of which no header is known, beside others, have unit vectors too."""
    packets = _packets(40)
    half = packets["src"].unique().sort()[20]
    mixed = pl.concat(
        [packets.filter(pl.col("src") < half), _bare(packets.filter(pl.col("src") >= half))]
    )
    vectors = _vectors(mixed, ports).vectors
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_replies_make_no_sender(ports: PortModel) -> None:
    """Nobody but victims: no senders, and no fault."""
    replies = _packets(5).with_columns(
        proto=pl.lit(6, dtype=pl.UInt8), tcp_flags=pl.lit(0x12, dtype=pl.UInt8)
    )
    assert len(_vectors(replies, ports).src) == 0


def test_a_row_of_many_packets_is_many_rows(ports: PortModel) -> None:
    """A flow of three packets gives the ports that three rows of one packet give."""
    packets = _packets(40)
    only = BlockWeights(ports=1, header=0, pace=0, network=0)
    flows = packets.with_columns(packets=pl.lit(3, dtype=pl.UInt32))
    thrice = pl.concat([packets] * 3)
    assert _vectors(flows, ports, only).packets.tolist() == [24] * 40
    assert (
        _vectors(flows, ports, only).vectors.tobytes()
        == _vectors(thrice, ports, only).vectors.tobytes()
    )


def test_read_in_parts(ports: PortModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """A span read in ranges of senders gives the bytes of one read at once."""
    packets = _packets(120)
    whole = _vectors(packets, ports)
    monkeypatch.setattr("dante.embedding.shown._ROWS", 100)
    assert _vectors(packets, ports).vectors.tobytes() == whole.vectors.tobytes()


def test_memory_grows_as_the_senders_do(ports: PortModel) -> None:
    """Four times the senders take at most about four times the memory, and not sixteen."""
    peaks = []
    for senders in (1000, 4000):
        packets = _packets(senders)
        tracemalloc.start()
        _vectors(packets, ports)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 5 * peaks[0]
