"""How fast files become sorted Parquet in the lake, beside what else reads them.

    python -m benchmarks.ingest [--rows 4000000] [FORMAT …]

For each format a file is made of packets that a telescope may see: many senders of few packets
and few of many, on heavy-tailed ports. It is ingested by the command a user would type, into a new
home, and read by the peers, each a process of its own on the same cores, from its start to its
end. A peer only reads: it neither sorts nor writes anything; so does ours in "reading only", which
makes canonical packets and drops them. Of ours the best of `--repeats` runs counts.

Printed and written as JSON: rows a second by the clock and by the processor's time, the most memory
that was in use, and how many times a peer's time is ours.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from benchmarks.ingestlogs import MAPPING, write_avro, write_mapped, write_syslog, write_zeek
from dante.schema import PACKETS
from dante.simulate import write_pcap

__all__ = ["FORMATS", "Format", "Peer", "main", "packets"]

ROOT: Final = Path(__file__).resolve().parents[1]
_ONLY: Final = "ours, reading only"
_DAY: Final = 1_740_787_200_000_000


@dataclass(frozen=True)
class Peer:
    """Another program that reads such a file.

    Attributes:
        name: its name.
        command: how it is run on a file; None where it is not installed.
        goal: how many times faster ours is to be; None where nothing was promised.
    """

    name: str
    command: Callable[[Path], list[str] | None]
    goal: float | None = None


@dataclass(frozen=True)
class Format:
    """A format that is measured.

    Attributes:
        name: what it is called.
        make: writes a file of packets.
        goal: rows a second that ours is to reach.
        peers: who is measured beside it.
        options: of `dante ingest`.
    """

    name: str
    make: Callable[[pl.DataFrame, Path], None]
    goal: float
    peers: tuple[Peer, ...] = ()
    options: Sequence[str] = ()


def packets(rows: int) -> pl.DataFrame:
    """So many canonical packets of a day, in order of time; the same in every run."""
    rng = np.random.default_rng(4)
    proto = rng.choice(np.array([6, 17, 1], np.uint8), rows, p=[0.88, 0.1, 0.02])
    tcp, icmp = proto == 6, proto == 1
    senders = rng.integers(1 << 24, 223 << 24, max(1, rows // 40), np.uint64)
    # Of senders and of ports a few have most packets.
    sender = (senders.size * rng.random(rows) ** 3).astype(np.int64)
    ports = rng.permutation(65536).astype(np.uint16)
    dport = ports[(65536 * rng.random(rows) ** 6).astype(np.int64)]
    column = {
        "ts": np.sort(rng.integers(_DAY, _DAY + 86_400_000_000, rows)),
        "src": senders[sender],
        "dst": rng.integers(0x2C000000, 0x2C010000, rows, np.uint64),
        "proto": proto,
        "dport": np.where(icmp, 8 << 8, dport),
        "sport": rng.integers(1024, 65536, rows),
        "ttl": rng.integers(30, 250, rows) // 8,
        "tcp_flags": rng.choice(np.array([2, 18, 4, 20]), rows, p=[0.9, 0.05, 0.03, 0.02]),
        "tcp_window": rng.choice(np.array([1024, 14600, 29200, 64240, 65535]), rows),
        "ip_id": rng.integers(0, 65536, rows),
        "tcp_seq": rng.integers(0, 1 << 32, rows),
        "length": rng.choice(np.array([40, 44, 52, 60]), rows, p=[0.4, 0.3, 0.15, 0.15]),
    }
    made = pl.DataFrame(column)
    made = made.with_columns(
        pl.when(pl.lit(pl.Series(tcp))).then(name).alias(name)
        for name in ("tcp_flags", "tcp_window", "tcp_seq")
    ).with_columns(sport=pl.when(pl.lit(pl.Series(~icmp))).then("sport"), sensor=None, packets=None)
    return made.select(pl.col(name).cast(kind) for name, kind in PACKETS.items())


_DPKT: Final = """
import socket, sys, dpkt
count = 0
with open(sys.argv[1], "rb") as file:
    for ts, data in dpkt.pcap.UniversalReader(file):
        ip = dpkt.ip.IP(data)
        row = (ts, ip.src, ip.dst, ip.p, ip.ttl, ip.id, ip.len)
        behind = ip.data
        if isinstance(behind, dpkt.tcp.TCP):
            row += (behind.sport, behind.dport, behind.flags, behind.win, behind.seq)
        elif isinstance(behind, dpkt.udp.UDP):
            row += (behind.sport, behind.dport)
        elif isinstance(behind, dpkt.icmp.ICMP):
            row += (behind.type, behind.code)
        count += 1
print(count)
"""
_FIELDS: Final = (
    *("frame.time_epoch", "ip.src", "ip.dst", "ip.proto", "ip.ttl", "ip.id", "ip.len"),
    *("tcp.srcport", "tcp.dstport", "tcp.flags", "tcp.window_size_value", "tcp.seq_raw"),
    *("udp.srcport", "udp.dstport", "icmp.type", "icmp.code"),
)


def _dpkt(path: Path) -> list[str]:
    return [sys.executable, "-c", _DPKT, str(path)]


def _tshark(path: Path) -> list[str] | None:
    if shutil.which("tshark") is None:
        return None
    fields = [word for name in _FIELDS for word in ("-e", name)]
    return ["tshark", "-n", "-r", str(path), "-T", "fields", *fields]


def _blocks(made: pl.DataFrame, path: Path) -> None:
    """A capture of blocks, from a classic one: all its packets on one interface."""
    plain = path.with_suffix(".plain")
    write_pcap(made, plain)
    source = np.fromfile(plain, np.uint8)
    plain.unlink()
    sizes = made["length"].cast(pl.Int64).to_numpy()
    begins = 24 + np.cumsum(16 + sizes) - sizes
    padded = (sizes + 3) // 4 * 4
    blocks = 32 + padded
    places = np.cumsum(blocks) - blocks
    out = np.zeros(int(blocks.sum()), np.uint8)
    kind = np.dtype("<u4,<u4,<u4,<u4,<u4,<u4,<u4")
    head = np.zeros(made.height, kind)
    units = made["ts"].to_physical().to_numpy()
    values = (6, blocks, 0, units >> 32, units & 0xFFFFFFFF, sizes, sizes)
    for name, value in zip(kind.names, values, strict=True):
        head[name] = value
    window = np.lib.stride_tricks.sliding_window_view
    window(out, 28, writeable=True)[places] = head.view(np.uint8).reshape(-1, 28)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        window(out, size, writeable=True)[places[rows] + 28] = window(source, size)[begins[rows]]
    ends = blocks.astype("<u4").view(np.uint8).reshape(-1, 4)
    window(out, 4, writeable=True)[places + blocks - 4] = ends
    section = np.array([0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0xFFFFFFFF, 0xFFFFFFFF, 28], "<u4")
    interface = np.array([1, 20, 101, 0, 20], "<u4")
    with path.open("wb") as file:
        for part in (section, interface, out):
            file.write(part.tobytes())


FORMATS: Final = (
    Format(
        "pcap",
        write_pcap,
        2_000_000,
        (Peer("dpkt", _dpkt, 25), Peer("tshark -T fields", _tshark, 40)),
    ),
    Format(
        "pcapng",
        _blocks,
        2_000_000,
        (Peer("dpkt", _dpkt, 25), Peer("tshark -T fields", _tshark, 40)),
    ),
    Format("syslog", write_syslog, 300_000),
    Format("zeek", write_zeek, 1_000_000),
    Format("flowtuple", write_avro, 1_000_000),
    Format("csv", write_mapped, 3_000_000, options=("--mapping", str(MAPPING))),
)
"""What is measured. A new format is a line here."""


@dataclass(frozen=True)
class Run:
    """What a process took: seconds by the clock and of the processors, and MiB at most."""

    seconds: float
    processor: float
    memory: float


def _run(command: list[str]) -> Run:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said[-500:].decode(errors='replace')}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


Runner = Callable[[list[str]], Run]
"""Runs a command and says what it took."""


@contextmanager
def small_parent() -> Iterator[Runner]:
    """Commands are run by a process that has not much memory: what their parent has counts as
    theirs.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        yield lambda command: pool.submit(_run, command).result()


def _ours(run: Runner, path: Path, home: Path, options: Sequence[str]) -> Run:
    shutil.rmtree(home, ignore_errors=True)
    code = "from dante.cli import command; command()"
    return run([sys.executable, "-c", code, "ingest", str(path), "--home", str(home), *options])


_READ: Final = """
import sys
from dante.sources import Reading, read_batches
from dante.sources.mapping import load_mapping
mapping = load_mapping(sys.argv[3]) if len(sys.argv) > 3 else None
print(sum(batch.given.height for batch in read_batches(sys.argv[1], Reading(mapping=mapping))))
"""


def _reading(run: Runner, path: Path, options: Sequence[str]) -> Run:
    return run([sys.executable, "-c", _READ, str(path), *options])


def measured(
    form: Format, made: pl.DataFrame, folder: Path, repeats: int, run: Runner
) -> dict[str, Any]:
    """The figures of one format, with its file in a folder."""
    path, home = folder / f"made.{form.name}", folder / "home"
    form.make(made, path)
    size = path.stat().st_size
    commands = {peer.name: peer.command(path) for peer in form.peers}
    best: dict[str, Run] = {}
    for turn in range(repeats):
        took = _ours(run, path, home, form.options)
        best["ours"] = min(best.get("ours", took), took, key=lambda run: run.seconds)
        took = _reading(run, path, form.options)
        best[_ONLY] = min(best.get(_ONLY, took), took, key=lambda run: run.seconds)
        for name, command in commands.items():
            if command is not None and turn == 0:
                best[name] = run(command)
    files = sorted((home / "lake" / "packets").rglob("*.parquet"))
    rows = sum(pl.scan_parquet(file).select(pl.len()).collect().item() for file in files)
    lake = sum(file.stat().st_size for file in files)
    path.unlink()
    shutil.rmtree(home)
    assert rows == made.height, f"{form.name}: {rows:,} rows of {made.height:,} are in the lake"
    told: dict[str, Any] = {
        "format": form.name, "rows": rows, "bytes": size, "lake_bytes": lake, "goal": form.goal,
    }  # fmt: skip
    for name, took in best.items():
        told[name] = {
            "seconds": round(took.seconds, 2),
            "processor_seconds": round(took.processor, 2),
            "rows_a_second": round(rows / took.seconds),
            "memory_mib": round(took.memory),
        }
    ours = best["ours"]
    for peer in form.peers:
        if peer.name in best:
            other = best[peer.name]
            told[peer.name] |= {
                "times": round(other.seconds / ours.seconds, 1),
                "times_by_processor": round(other.processor / ours.processor, 1),
                "goal": peer.goal,
            }
    return told


def _print(told: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown = Table(title="Files to sorted Parquet in the lake, and others that only read them")
    for name in ("format", "by", "seconds", "processor", "rows/s", "MiB", "times ours", "goal"):
        shown.add_column(name, justify="left" if name in ("format", "by") else "right")
    for form in told:
        for name, run in form.items():
            if isinstance(run, dict):
                own = name in ("ours", _ONLY)
                goal = f"{form['goal']:,}/s" if own else f"{run['goal']}×"
                times = f"{run['times']}×" if "times" in run else ""
                shown.add_row(
                    form["format"], name, f"{run['seconds']:.2f}",
                    f"{run['processor_seconds']:.2f}", f"{run['rows_a_second']:,}",
                    f"{run['memory_mib']:,}", times, goal if run.get("goal", 1) else "",
                )  # fmt: skip
    Console(width=None if sys.stdout.isatty() else 120).print(shown)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, write it as JSON."""
    names = [form.name for form in FORMATS]
    parser = argparse.ArgumentParser(
        "python -m benchmarks.ingest",
        None,
        __doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=", ".join(names))
    parser.add_argument("--rows", type=int, default=4_000_000, help="packets of each file")
    parser.add_argument("--repeats", type=int, default=3, help="runs of ours; the best counts")
    parser.add_argument(
        "--peers", nargs="*", help="only these; tshark needs 1.3 GB for a million packets"
    )
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "ingest.json")
    asked = parser.parse_args(arguments)
    unknown = set(asked.formats) - set(names)
    if unknown:
        parser.error(f"unknown format {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    told = []
    with small_parent() as run:
        made = packets(asked.rows)
        for one in FORMATS:
            if not asked.formats or one.name in asked.formats:
                with tempfile.TemporaryDirectory() as scratch:
                    peers = [p for p in one.peers if asked.peers is None or p.name in asked.peers]
                    form = replace(one, peers=tuple(peers))
                    told.append(measured(form, made, Path(scratch), asked.repeats, run))
    _print(told)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    asked.json.write_text(json.dumps({"formats": told, **machine}, indent=1) + "\n", "utf-8")
    print(f"Written to {asked.json}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
