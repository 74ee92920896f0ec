"""Addresses and networks as people type them, as ranges of sender numbers."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from dante.errors import UsageError
from dante.schema import address_text

__all__ = ["AddressRange", "address_words", "read_range"]

_PART: Final = re.compile(r"(?:[0-9]{1,3}\.){1,3}(?:[0-9]{1,3})?\*?")


@dataclass(frozen=True)
class AddressRange:
    """Senders from first to last, both inclusive; `text` is the network or address they are."""

    first: int
    last: int
    text: str

    @property
    def single(self) -> bool:
        """Whether it is one sender."""
        return self.first == self.last


def address_words(numbers: list[int]) -> list[str]:
    """Sender numbers as published text."""
    return address_text(pl.Series("address", numbers, dtype=pl.UInt64)).to_list()


def read_range(text: str) -> AddressRange | None:
    """An address, a network in CIDR form, or the beginning of a dotted address.

    Returns:
        None where the text is none of them. An IPv6 address, and a network longer than /64, is
        its /64, for that is a sender.

    Raises:
        UsageError: it is a network with bits set beyond its length: `203.0.113.7/24`.
    """
    text = text.strip()
    if _PART.fullmatch(text) and text.count(".") < 4:
        parts = [part for part in text.rstrip("*").split(".") if part]
        if len(parts) < 4:
            text = ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}"
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if (
        "/" in text
        and str(network.network_address) != str(ipaddress.ip_interface(text).ip)
        and network.prefixlen < (32 if network.version == 4 else 64)
    ):
        raise UsageError(f"{text} is an address in {network}; ask for the one or the other")
    if network.version == 4:
        first, last = int(network[0]), int(network[-1])
    else:
        mapped = network[0].ipv4_mapped if network.prefixlen == 128 else None
        if mapped is not None:
            return AddressRange(int(mapped), int(mapped), str(mapped))
        first, last = int(network[0]) >> 64, int(network[-1]) >> 64
    if first == last:
        return AddressRange(first, last, address_words([first])[0])
    return AddressRange(first, last, str(network))
