"""Writes the headers that each tool or operating system would, and makes canonical packets."""

import datetime as dt
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dante.schema import ICMP, PACKETS, TCP, UDP
from dante.simulate import tools
from dante.simulate.addresses import SENSORS, TELESCOPE, hops
from dante.simulate.services import udp_lengths
from dante.simulate.streams import hashed, uniform
from dante.simulate.traffic import Traffic

__all__ = ["packets"]

_INDEX_BITS: Final = 27
_TRAIN: Final = 0.1  # of a train's share of the session is spent sending


def _windows(src: NDArray[np.uint64], code: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """TCP window by sender: fixed by the tool, or one the sender's system keeps."""
    drawn = hashed(src, 41)
    window = (drawn & np.uint64(0xFFFF)).astype(np.uint16)  # Mirai draws one at its start
    for tool, choices in tools.WINDOW_CHOICES.items():
        mine = code == tool
        if mine.any():
            place = (drawn[mine] >> np.uint64(32)) % np.uint64(len(choices))
            window[mine] = np.array(choices, dtype=np.uint16)[place]
    return window


def _times(traffic: Traffic, nth: NDArray[np.int64], draw: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Microseconds of the day by packet: evenly over the session with jitter, or in trains."""
    step = (nth + draw * 2.0**-32) / np.repeat(traffic.count, traffic.count)
    if (traffic.trains > 1).any():
        trains = np.repeat(traffic.trains, traffic.count)
        whole = np.floor(step * trains)
        burst = (whole + _TRAIN * (step * trains - whole)) / trains
        step = np.where(trains > 1, burst, step)
    span = np.repeat(traffic.span, traffic.count)
    start = np.repeat(traffic.start, traffic.count)
    return np.asarray((start + span * step).astype(np.int64))


def _in_time(ts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The times in order, and which packet each is of; ties stay in the order given."""
    if ts.size >= 1 << _INDEX_BITS:
        order = np.argsort(ts, kind="stable")
        return ts[order], order
    # A day's microseconds take 37 bits, so time and index sort as one number: far faster.
    bits = np.uint64(_INDEX_BITS)
    key = (ts.astype(np.uint64) << bits) | np.arange(ts.size, dtype=np.uint64)
    key.sort()
    place = key & np.uint64((1 << _INDEX_BITS) - 1)
    return (key >> bits).astype(np.int64), place.astype(np.int64)


def packets(traffic: Traffic, day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    """The canonical packets of a day, in order of time as a capture holds them.

    Headers are those of `tools`; TTLs lose a hop a router. What UDP and ICMP do not carry is
    null, and so is `packets`: each row is one.
    """
    total = traffic.port.size
    raw = rng.bit_generator.random_raw
    sender = np.repeat(np.arange(traffic.src.size, dtype=np.int32), traffic.count)
    nth = np.arange(total) - np.repeat(np.cumsum(traffic.count) - traffic.count, traffic.count)
    ts, order = _in_time(_times(traffic, nth, (raw(total) >> np.uint64(32)).astype(np.uint32)))
    sender, nth, port = sender[order], nth[order].astype(np.uint32), traffic.port[order]
    del order
    code = traffic.tool[sender]
    proto = (port >> np.uint32(16)).astype(np.uint8)
    dport = port.astype(np.uint16)

    # Bits of one draw: 12 for the place, 16 for the IP ID, 32 for the sequence.
    draw = raw(total)
    place = (draw & np.uint64(TELESCOPE.size - 1)).astype(np.int32)
    own_place = (uniform(traffic.src, 51) * TELESCOPE.size).astype(np.uint32)
    sweeps = traffic.sweeps[sender]
    # Sweepers take the addresses one by one from a place of their own, the rest at random.
    swept = (own_place[sender] + nth) & np.uint32(TELESCOPE.size - 1)
    place = np.where(sweeps, swept.astype(np.int32), place)
    if (traffic.target >= 0).any():
        target = traffic.target[sender]
        place = np.where(target >= 0, target, place)
    dst = TELESCOPE[place]

    seq = (draw >> np.uint64(32)).astype(np.uint32)
    seq = np.where(code == tools.MIRAI, dst, seq)
    ip_id = (draw >> np.uint64(12)).astype(np.uint16)
    first_id = hashed(traffic.src, 61).astype(np.uint16)
    ip_id = np.where(tools.COUNTS_UP[code], first_id[sender] + nth.astype(np.uint16), ip_id)
    ip_id = np.where(code == tools.ZMAP, np.uint16(54321), ip_id)
    mixed = dst.astype(np.uint16) ^ dport ^ seq.astype(np.uint16)
    ip_id = np.where(code == tools.MASSCAN, mixed, ip_id)

    draw = raw(total)
    sports = tools.SPORTS[traffic.tool]
    own = (uniform(traffic.src, 71) * sports).astype(np.uint32)
    chosen = ((draw & np.uint64(0xFFFF)).astype(np.uint32) * sports[sender]) >> np.uint32(16)
    chosen = np.where(tools.ONE_SPORT[code], own[sender], chosen)
    chosen = chosen + tools.FIRST_SPORT[traffic.tool][sender]
    fixed = traffic.sport[sender]
    sport = np.where(fixed > 0, fixed, chosen.astype(np.uint16))

    far = hops(traffic.src)
    ttl = (tools.INITIAL_TTL[traffic.tool] - far)[sender]
    jitter = ((draw >> np.uint64(16)) % np.uint64(23)).astype(np.uint8)
    ttl = np.where(code == tools.NMAP, ttl + jitter, ttl)
    length = tools.TCP_LENGTH[code]
    length = np.where(proto == UDP, udp_lengths()[dport], length)
    length = np.where(proto == ICMP, tools.ICMP_LENGTH[code], length)

    midnight = int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * 1_000_000
    frame = pl.DataFrame(
        {
            "ts": pl.Series(ts + midnight).cast(pl.Datetime("us", "UTC")),
            "src": traffic.src[sender],
            "dst": dst.astype(np.uint64),
            "sensor": pl.Series(SENSORS).gather(place),
            "proto": proto,
            "dport": dport,
            "sport": sport,
            "ttl": ttl,
            "tcp_flags": tools.FLAGS[code],
            "tcp_window": _windows(traffic.src, traffic.tool)[sender],
            "ip_id": ip_id,
            "tcp_seq": seq,
            "length": length,
            "packets": pl.repeat(None, total, dtype=pl.UInt32, eager=True),
        },
        schema=PACKETS,
    )
    is_tcp = pl.col("proto") == TCP
    return frame.with_columns(
        pl.when(pl.col("proto") != ICMP).then("sport").alias("sport"),
        *(pl.when(is_tcp).then(name).alias(name)
          for name in ("tcp_flags", "tcp_window", "tcp_seq")),
    )  # fmt: skip
