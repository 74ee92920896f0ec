"""The 190 days of marx through a Dask cluster of two workers: the same bytes as in one process.

One home is ingested and backfilled directly, another by the flow `backfill` with
`compute.spread = "dask"`. Files of packets, refused rows, profiles and models must be equal byte
for byte, and the published views row for row (runs and times of ingest apart).

    python -m benchmarks.dask --json build/dask.json
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.homes import file_digests, published
from benchmarks.marx import DATA, ROOT

__all__ = ["main"]

_SPAN: Final = ("2013-03-03", "2013-09-08")
_WORKERS: Final = "2"


def _home(folder: Path, data: Path, more: str) -> Path:
    folder.mkdir()
    mapping = ROOT / "examples" / "marx.toml"
    source = f'[[sources]]\npath = "{data.resolve()}"\nmapping = "{mapping}"\nexpected = "no"\n'
    (folder / "dante.toml").write_text(source + more, encoding="utf-8")
    return folder


def _run(home: Path, last: str, *words: str) -> float:
    began = time.monotonic()
    command = [sys.executable, "-c", "from dante.cli import main; main()", "backfill", _SPAN[0]]
    subprocess.run(
        [*command, last, "--home", str(home), "--jobs", _WORKERS, *words],
        cwd=ROOT,
        env={**os.environ, "PREFECT_HOME": str(home.parent / "prefect")},
        check=True,
    )
    return round(time.monotonic() - began, 1)


def main(arguments: list[str] | None = None) -> int:
    """Do both and compare; 1 if anything differs."""
    parser = argparse.ArgumentParser("python -m benchmarks.dask", description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="marx.csv.gz")
    parser.add_argument("--last", default=_SPAN[1], help="the last day")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args(arguments)
    if not asked.data.is_file():
        print(f"There is no {asked.data}; name marx.csv.gz with --data.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        direct = _home(Path(folder) / "direct", asked.data, "")
        spread = _home(Path(folder) / "spread", asked.data, '[compute]\nspread = "dask"\n')
        seconds = {"dask": _run(spread, asked.last, "--prefect")}
        seconds["in_process"] = _run(direct, asked.last, "--no-prefect")
        one, other = file_digests(direct), file_digests(spread)
        wrong = sorted(
            name for name in one.keys() | other.keys() if one.get(name) != other.get(name)
        )
        mine, theirs = published(direct), published(spread)
        wrong += [f"view {view}" for view in mine if mine[view] != theirs[view]]
        days = len(mine["daily"].rows)
    told = {"days": days, "files": len(one), "wrong": wrong, "seconds": seconds}
    print(json.dumps(told, indent=1))
    if asked.json is not None:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
