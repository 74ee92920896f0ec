"""Rules by which tools give themselves away, on packets made by each tool's own definition."""

import numpy as np
import polars as pl
import pytest

from dante.labels.tools import RULES, tool_name, tool_of_packet
from dante.schema import PACKETS, TCP, UDP


def _tools(**columns: object) -> list[int | None]:
    """The tools of packets of which some canonical columns are given, scalars for all."""
    n = max(len(c) for c in columns.values() if isinstance(c, list | np.ndarray))
    given = {k: c if isinstance(c, list | np.ndarray) else [c] * n for k, c in columns.items()}
    frame = pl.DataFrame({"proto": [TCP] * n, **given}).select(
        (pl.col(name) if name in {"proto", *given} else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in PACKETS.items()
    )
    return frame.select(tool_of_packet())["tool"].to_list()


def _random(n: int, seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64(seed))
    return {
        "dst": rng.integers(1 << 16, 1 << 32, n),
        "dport": rng.integers(0, 1 << 16, n),
        "tcp_seq": rng.integers(0, 1 << 32, n),
        "ip_id": rng.integers(0, 1 << 16, n),
    }


def test_mirai_writes_the_destination_into_the_sequence() -> None:
    """Every packet of scanner.c is Mirai's, also where the IP ID is unknown."""
    packets = _random(500)
    packets["tcp_seq"] = packets["dst"]
    assert set(_tools(**packets)) == {1}
    del packets["ip_id"]
    assert set(_tools(**packets)) == {1}


def test_zmap_writes_one_ip_id() -> None:
    """Packets with ZMap's IP ID are ZMap's, also where nothing else is known."""
    packets = _random(500)
    packets["ip_id"][:] = 54321
    assert set(_tools(**packets)) == {2}
    assert _tools(ip_id=[54321, 54320, None]) == [2, 0, None]


def test_masscan_mixes_destination_port_and_sequence() -> None:
    """IP ID = address xor port xor sequence, low 16 bits, is masscan's."""
    packets = _random(5000)
    mixed = (packets["dst"] ^ packets["dport"] ^ packets["tcp_seq"]) & 0xFFFF
    made = _tools(**{**packets, "ip_id": mixed})
    # A mixture of 0 is a sign of nothing, and one of 54321 is ZMap's.
    wanted = [2 if i == 54321 else 3 if i else 0 for i in mixed.tolist()]
    assert made == wanted


def test_tools_are_met_by_chance_as_seldom_as_is_said() -> None:
    """Of a million packets of random headers about two in 65,536 meet a rule."""
    met = np.bincount(_tools(**_random(1_000_000)), minlength=len(RULES) + 1)
    # 15.3 of each are expected of two rules, and none of Mirai's.
    assert met[1] <= 1
    assert 2 <= met[2] <= 40
    assert 2 <= met[3] <= 40


@pytest.mark.parametrize(
    ("what", "columns"),
    [
        ("no address", {"dst": [None], "tcp_seq": [7], "ip_id": [9]}),
        ("address and sequence 0", {"dst": [0], "tcp_seq": [0], "ip_id": [0], "dport": [0]}),
        ("IPv6", {"dst": [0x2001_0DB8_0000_0000], "tcp_seq": [0], "ip_id": [23], "dport": [23]}),
        ("no port", {"dst": [0x0A000001], "tcp_seq": [7], "ip_id": [6]}),
    ],
)
def test_what_is_missing_or_zero_is_no_sign(what: str, columns: dict[str, list[int]]) -> None:
    """Nulls, zeros and IPv6 addresses meet no rule, and are told to meet none."""
    assert _tools(**columns) == [0], what


def test_without_the_headers_that_tell_nothing_is_said() -> None:
    """UDP packets, and TCP packets with neither IP ID nor sequence, have no tool, not even none."""
    packets = _random(3)
    assert _tools(**packets, proto=UDP) == [None] * 3
    assert _tools(dst=packets["dst"], dport=packets["dport"]) == [None] * 3


def test_numbers_of_tools_are_for_ever() -> None:
    """The numbers that states hold keep their names."""
    assert [tool_name(number) for number in range(5)] == [None, "mirai", "zmap", "masscan", None]
    assert [rule.number for rule in RULES] == [1, 2, 3]
