"""Networks of names: the most specific one that holds a sender wins."""

import ipaddress

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dante.labels.networks import NETWORKS, flatten, network_range
from dante.schema import parse_address


def _flat(*networks):
    rows = [(*network_range(text), name) for text, name in networks]
    return flatten(pl.DataFrame(rows, schema=NETWORKS, orient="row"))


def _match(networks, *addresses):
    numbers = pl.Series([parse_address(text) for text in addresses], dtype=pl.UInt64)
    return networks.match(numbers).to_list()


def test_the_most_specific_wins():
    """A network in a network in a network: each address is of the innermost."""
    flat = _flat(
        ("10.0.0.0/8", "isp"), ("10.1.0.0/16", "branch"), ("10.1.2.0/24", "lab"),
        ("10.1.2.3", "host"),
    )  # fmt: skip
    asked = (
        "9.255.255.255",
        "10.0.0.0",
        "10.1.1.9",
        "10.1.2.2",
        "10.1.2.3",
        "10.1.2.4",
        "10.9.9.9",
    )
    found = [None, "isp", "branch", "lab", "host", "lab", "isp"]
    assert _match(flat, *asked, "10.255.255.255", "11.0.0.0") == [*found, "isp", None]


def test_ipv6_is_by_64():
    """A host of IPv6 stands for its /64, and no IPv6 network meets an IPv4 address."""
    flat = _flat(("2001:db8:1:2::5/128", "host"), ("2001:db8::/32", "isp"), ("::/0", "all"))
    assert _match(flat, "2001:db8:1:2::77", "2001:db8:1:3::1", "2a00::1", "1.2.3.4") == [
        "host", "isp", "all", None,
    ]  # fmt: skip


def test_of_the_same_network_the_first_is_believed():
    """Two names of one network: the first row's."""
    assert _match(_flat(("1.2.3.0/24", "b"), ("1.2.3.0/24", "a")), "1.2.3.4") == ["b"]


def test_no_networks():
    """Of nothing, nobody is known."""
    assert _match(_flat(), "1.2.3.4", "2001:db8::1") == [None, None]


_NETWORKS = st.lists(
    st.tuples(st.integers(0, 1023), st.integers(22, 32)).map(
        lambda pair: ipaddress.ip_network((pair[0], pair[1]), strict=False)
    ),
    max_size=20,
    unique=True,
)


@given(_NETWORKS, st.lists(st.integers(0, 1100), min_size=1, max_size=40))
def test_as_a_search_one_by_one(networks, numbers):
    """Matching in bulk finds what looking at every network for every address finds."""
    flat = _flat(*((str(network), str(network)) for network in networks))
    wanted = []
    for number in numbers:
        inside = [network for network in networks if ipaddress.IPv4Address(number) in network]
        best = max(inside, key=lambda network: network.prefixlen, default=None)
        wanted.append(None if best is None else str(best))
    assert flat.match(pl.Series(numbers, dtype=pl.UInt64)).to_list() == wanted


def test_half_a_million_senders():
    """Half a million senders against fifty thousand nested networks: every one as it should be."""
    outer = [(n << 16, (n << 16) + 65535, f"o{n % 7}") for n in range(20_000)]
    inner = [((n << 16) + 256, (n << 16) + 511, f"i{n % 5}") for n in range(30_000)]
    flat = flatten(pl.DataFrame(outer + inner, schema=NETWORKS, orient="row"))
    senders = pl.select(pl.int_range(0, 500_000, dtype=pl.UInt64) * 4500).to_series()
    found = flat.match(senders)
    place, rest = senders // 65536, senders % 65536
    within = (rest >= 256) & (rest <= 511) & (place < 30_000)
    wanted = pl.select(
        pl.when(within).then("i" + (place % 5).cast(pl.String))
        .when(place < 20_000).then("o" + (place % 7).cast(pl.String))
    ).to_series()  # fmt: skip
    assert found.equals(wanted.alias(found.name), null_equal=True)
