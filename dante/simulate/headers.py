"""Writes the headers that each tool or operating system would, and makes canonical packets."""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.schema import ICMP, PACKETS, TCP, UDP
from dante.simulate.addresses import SENSORS, TELESCOPE, hops
from dante.simulate.background import RESET, SYN_ACK
from dante.simulate.campaign import TOOLS
from dante.simulate.services import udp_lengths
from dante.simulate.streams import hashed, uniform
from dante.simulate.traffic import Traffic

__all__ = ["packets"]

_MIRAI, _ZMAP, _MASSCAN, _LINUX, _WINDOWS = range(len(TOOLS))

# By tool code; the last three are the victims of spoofed attacks.
_INITIAL_TTL: Final = np.array([64, 255, 255, 64, 128, 64, 64, 64], dtype=np.uint8)
_FLAGS: Final = np.array([0x02, 0x02, 0x02, 0x02, 0x02, 0x12, 0x14, 0], dtype=np.uint8)
_TCP_LENGTH: Final = np.array([40, 40, 40, 60, 52, 44, 40, 56], dtype=np.uint16)
_ICMP_LENGTH: Final = np.array([28, 28, 28, 84, 60, 28, 28, 56], dtype=np.uint16)
_FIRST_SPORT: Final = np.array([1024, 32768, 40000, 32768, 49152, 1024, 1024, 1024])
_SPORTS: Final = np.array([64512, 28233, 20000, 28232, 16384, 64512, 64512, 64512])
_LINUX_WINDOWS: Final = np.array([29200, 64240, 65535, 5840], dtype=np.uint16)
_WINDOWS_WINDOWS: Final = np.array([8192, 64240, 65535], dtype=np.uint16)
_VICTIM_WINDOWS: Final = np.array([28960, 65160, 14600], dtype=np.uint16)


def _windows(src: NDArray[np.uint64], tool: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """TCP window by sender: fixed by the tool, or one the sender's system keeps."""
    drawn = hashed(src, 41)
    window = (drawn & np.uint64(0xFFFF)).astype(np.uint16)  # Mirai draws one at its start
    window[tool == _ZMAP] = 65535
    window[tool == _MASSCAN] = 1024
    window[tool == RESET] = 0
    for code, choices in ((_LINUX, _LINUX_WINDOWS), (_WINDOWS, _WINDOWS_WINDOWS),
                          (SYN_ACK, _VICTIM_WINDOWS)):  # fmt: skip
        kept = choices[(drawn >> np.uint64(32)) % np.uint64(choices.size)]
        window = np.where(tool == code, kept, window)
    return window.astype(np.uint16)


def packets(traffic: Traffic, day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """The canonical packets of a day, in order of time as a capture holds them.

    Mirai's TCP sequence is the destination; ZMap's IP ID is 54321; masscan's is destination xor
    port xor sequence (low 16 bits); TTLs start at 64, 128 or 255 and lose a hop a router. What
    UDP and ICMP do not carry is null.
    """
    total = traffic.port.size
    sender = np.repeat(np.arange(traffic.src.size, dtype=np.int32), traffic.count)
    nth = np.arange(total) - np.repeat(np.cumsum(traffic.count) - traffic.count, traffic.count)
    code = traffic.tool[sender]
    step = (nth + rng.random(total)) / traffic.count[sender]
    ts = (traffic.start[sender] + traffic.span[sender] * step).astype(np.int64)
    proto = (traffic.port >> np.uint32(16)).astype(np.uint8)
    dport = (traffic.port & np.uint32(0xFFFF)).astype(np.uint16)

    # Sweepers take the addresses one by one from a place of their own, the rest at random.
    place = rng.integers(0, TELESCOPE.size, total, dtype=np.int32)
    begin = (uniform(traffic.src, 51) * TELESCOPE.size).astype(np.int32)
    swept = ((begin[sender] + nth) % TELESCOPE.size).astype(np.int32)
    place = np.where(traffic.sweeps[sender], swept, place)
    dst = TELESCOPE[place]

    seq = rng.integers(0, 2**32, total, dtype=np.uint32)
    seq = np.where(code == _MIRAI, dst, seq)
    ip_id = rng.integers(0, 65536, total, dtype=np.uint16)
    counter = (hashed(traffic.src, 61)[sender] + nth.astype(np.uint64)).astype(np.uint16)
    ip_id = np.where(code == _WINDOWS, counter, ip_id)
    ip_id = np.where(code == _ZMAP, np.uint16(54321), ip_id)
    ip_id = np.where(code == _MASSCAN, (dst ^ dport ^ seq).astype(np.uint16), ip_id)

    # Mirai and masscan keep one source port; systems and ZMap take one a connection.
    fixed = (traffic.tool == _MIRAI) | (traffic.tool == _MASSCAN)
    draw = np.where(fixed[sender], uniform(traffic.src, 71)[sender], rng.random(total))
    chosen = (_FIRST_SPORT[code] + draw * _SPORTS[code]).astype(np.uint16)
    sport = np.where(traffic.sport > 0, traffic.sport, chosen)

    ttl = (_INITIAL_TTL[traffic.tool] - hops(traffic.src))[sender]
    length = np.where(proto == UDP, udp_lengths()[dport], _TCP_LENGTH[code])
    length = np.where(proto == ICMP, _ICMP_LENGTH[code], length)

    order = np.argsort(ts, kind="stable")
    midnight = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1_000_000
    frame = pl.DataFrame(
        {
            "ts": pl.Series((ts + midnight)[order]).cast(pl.Datetime("us", "UTC")),
            "src": traffic.src[sender[order]],
            "dst": dst[order].astype(np.uint64),
            "sensor": pl.Series(SENSORS).gather(place[order]),
            "proto": proto[order],
            "dport": dport[order],
            "sport": sport[order],
            "ttl": ttl[order],
            "tcp_flags": _FLAGS[code][order],
            "tcp_window": _windows(traffic.src, traffic.tool)[sender[order]],
            "ip_id": ip_id[order],
            "tcp_seq": seq[order],
            "length": length[order].astype(np.uint16),
        },
        schema=PACKETS,
    )
    is_tcp = pl.col("proto") == TCP
    return frame.with_columns(
        pl.when(pl.col("proto") != ICMP).then("sport").alias("sport"),
        *(pl.when(is_tcp).then(name).alias(name)
          for name in ("tcp_flags", "tcp_window", "tcp_seq")),
    )  # fmt: skip
