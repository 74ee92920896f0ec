"""Files on their way into the lake: named by a digest that is made while they are read."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from dante.errors import SourceError
from dante.pipeline.context import open_context
from dante.pipeline.ingest import ingest_files
from dante.simulate import write_pcap
from dante.sources import Reading

_DAY = 1_740_787_200_000_000  # 2025-03-01


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of 20,000 packets of two days, with a damaged place in the middle."""
    from dante.schema import PACKETS

    places = pl.int_range(0, 20_000, eager=True)
    made = pl.DataFrame(
        {
            "ts": _DAY + places.cast(pl.Int64) * 8_000_000,
            "src": places * 7919 % 300 + (1 << 24),
            "dst": places % 256 + (44 << 24),
            "proto": [6] * 20_000,
            "dport": places % 1000,
            "sport": places % 60_000,
            "ttl": places % 64,
            "tcp_flags": [2] * 20_000,
            "tcp_window": places % 5000,
            "ip_id": places,
            "tcp_seq": places * 3,
            "length": [40] * 20_000,
        }
    ).with_columns(sensor=None, packets=None)
    path = tmp_path_factory.mktemp("capture") / "made.pcap"
    write_pcap(made.select(pl.col(name).cast(kind) for name, kind in PACKETS.items()), path)
    data = bytearray(path.read_bytes())
    data[500_000:500_300] = b"\xff" * 300
    path.write_bytes(data)
    return path


def _ingest(root: Path, path: Path) -> bool:
    (done,) = ingest_files(open_context(root), [(path, Reading())])
    assert not list((root / "work").glob("*")), "what was spilt is taken away"
    assert done.rows + done.quarantined > 19_990
    return done.already


def _lake(root: Path) -> dict[str, bytes]:
    lake = root / "lake"
    return {str(p.relative_to(lake)): p.read_bytes() for p in lake.rglob("*.parquet")}


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any file counts as one whose digest is made while it is read."""
    monkeypatch.setattr(import_module("dante.pipeline.ingest"), "_LARGE", 0)


def test_a_large_file_is_what_a_small_one_is(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It makes no difference to the lake whether the digest is made before or meanwhile."""
    assert not _ingest(tmp_path / "small", capture)
    monkeypatch.setattr(import_module("dante.pipeline.ingest"), "_LARGE", 0)
    assert not _ingest(tmp_path / "large", capture)
    assert _lake(tmp_path / "small") == _lake(tmp_path / "large")
    assert len(_lake(tmp_path / "large")) >= 3  # two days of packets, and the damage


@pytest.mark.usefixtures("large")
def test_a_large_file_counts_once(capture: Path, tmp_path: Path) -> None:
    """The same bytes again, also under another name, are known and change nothing."""
    assert not _ingest(tmp_path / "home", capture)
    before = _lake(tmp_path / "home")
    assert _ingest(tmp_path / "home", capture)
    other = shutil.copy(capture, tmp_path / "other.pcap")
    assert _ingest(tmp_path / "home", other)
    assert _lake(tmp_path / "home") == before


@pytest.mark.usefixtures("large")
def test_a_file_that_cannot_be_read_ends_its_digest(tmp_path: Path) -> None:
    """The error of a file that holds no packets is told, and nothing is left in the home."""
    path = tmp_path / "bad.pcap"
    path.write_bytes(
        bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000") + b"\xff" * 99
    )
    with pytest.raises(SourceError, match="not one packet can be read"):
        ingest_files(open_context(tmp_path / "home"), [(path, Reading())])
    assert not list((tmp_path / "home" / "work").glob("*"))


def test_a_killed_ingest_leaves_nothing_in_the_way(capture: Path, tmp_path: Path) -> None:
    """What a process that was killed had spilt is replaced by the next that reads the file."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from dante.pipeline.context import open_context\n"
        "from dante.pipeline.ingest import ingest_files\n"
        "from dante.sources import Reading\n"
        "from dante.store import lake, runs\n"
        "lake.Runs = lambda folder, most: runs.Runs(folder, 56 * 1000)\n"
        "lake.write_groups = lambda *_: os.kill(os.getpid(), 9)\n"
        "ingest_files(open_context(Path(sys.argv[1])), [(Path(sys.argv[2]), Reading())])\n"
    )
    home = tmp_path / "home"
    killed = subprocess.run([sys.executable, "-c", code, str(home), str(capture)], check=False)
    assert killed.returncode == -9
    assert list((home / "work").rglob("*.run"))
    assert not _ingest(home, capture)
    _ingest(tmp_path / "undisturbed", capture)
    assert _lake(home) == _lake(tmp_path / "undisturbed")
