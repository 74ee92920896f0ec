"""A writer of small MaxMind databases, and lists written by hand."""

import ipaddress
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


# Kinds of whole numbers in the format, by key: of 64, of 32, and otherwise of 16 bits.
_WHOLE = {"build_epoch": 9, "node_count": 6, "autonomous_system_number": 6}


def _encoded(value: Any, key: str = "") -> bytes:
    """A value as MaxMind DB's data format has it (its specification, 2.0)."""

    def control(kind: int, size: int) -> bytes:
        head, more = (size, b"") if size < 29 else (29, bytes([size - 29]))
        if size >= 29 + 256:
            head, more = 30, struct.pack(">H", size - 285)
        return bytes([kind << 5 | head]) + more if kind < 8 else bytes([head, kind - 7]) + more

    if isinstance(value, str):
        return control(2, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        inner = b"".join(_encoded(k) + _encoded(v, k) for k, v in value.items())
        return control(7, len(value)) + inner
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(_encoded, value))
    body = value.to_bytes(8, "big").lstrip(b"\0")
    return control(_WHOLE.get(key, 5), len(body)) + body


def mmdb(networks: Mapping[str, Any], database: str) -> bytes:
    """A database of networks and their records."""
    nodes: list[list[Any]] = [[None, None]]
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        four = network.version == 4
        bits = int(network.network_address)
        length = network.prefixlen + (96 if four else 0)
        node = 0
        for depth in range(length):
            side = bits >> (127 - depth) & 1
            if depth == length - 1:
                nodes[node][side] = record
            else:
                if nodes[node][side] is None:
                    nodes.append([None, None])
                    nodes[node][side] = len(nodes) - 1
                node = nodes[node][side]
    data, tree = b"", b""
    for node in nodes:
        for side in node:
            if side is None:
                number = len(nodes)
            elif isinstance(side, int):
                number = side
            else:
                number = len(nodes) + 16 + len(data)
                data += _encoded(side)
            tree += struct.pack(">I", number)
    about = {
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1,
        "database_type": database, "description": {"en": "test"}, "ip_version": 6,
        "languages": ["en"], "node_count": len(nodes), "record_size": 32,
    }  # fmt: skip
    return tree + b"\0" * 16 + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of text or bytes by name; its path."""

    def written(name: str, body: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        return path

    return written
