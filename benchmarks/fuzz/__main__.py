"""Damaged files: does reading ever crash, hang, swell, or lose what stands before the damage?

    python -m benchmarks.fuzz [--files 10000] [--from 0] [--jobs 2] [--out fuzz.json]

Files of every format are made, damaged (bits flipped, cut, parts lost, doubled or from other
files, giant lengths, runs of a byte, bombs; before compression or after) and read in processes
of their own, one file after another. Number N is the same file in every run: `--only N` reads it
alone and leaves it in the current folder.

Wrong is: an end of the process; any error but one of DANTE's own, of one line; a row that is
neither kept nor refused with a reason; a record in front of the damage lost or changed; a damaged
stream without a row that says where; another result in small batches; more than 120 seconds of
processor time or 2 GiB for one file, whose rows are all held. Bombs are read as far as
`streams.FREE` allows, which is set to 32 MiB here, so that there may be many.
"""

import argparse
import collections
import json
import tempfile
import time
from pathlib import Path

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.hands import FREE, Hand
from benchmarks.fuzz.judge import judge
from benchmarks.fuzz.seeds import FORMS
from dante.sources import streams


def _only(number: int) -> None:
    streams.FREE = FREE  # type: ignore[misc]
    case = damaged(number)
    Path(f"fuzz-{number}").write_bytes(case.data)
    print(f"{number}: {case.seed.form}, {case.what}, {case.intact} records in front")
    with tempfile.TemporaryDirectory() as folder:
        print(judge(case, Path(folder)) or "nothing is wrong")


def main() -> None:
    """Read the files and tell what was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.only is not None:
        _only(given.only)
        return
    start = time.perf_counter()
    faults: dict[int, str] = {}
    done = 0
    stop = given.first + given.files
    with tempfile.TemporaryDirectory() as folder:
        hands = [
            Hand(range(given.first + k, stop, given.jobs), folder).results()
            for k in range(given.jobs)
        ]
        while hands:
            for hand in list(hands):
                try:
                    number, fault = next(hand)
                except StopIteration:
                    hands.remove(hand)
                    continue
                done += 1
                if fault:
                    faults[number] = fault
                    case = damaged(number)
                    print(f"{number}: {case.seed.form}, {case.what}: {fault}", flush=True)
                if done % 500 == 0:
                    print(f"{done} files, {len(faults)} faults", flush=True)
    of_form = collections.Counter(list(FORMS)[number % len(FORMS)] for number in faults)
    seconds = time.perf_counter() - start
    print(f"{done} files in {seconds:.0f} s: {len(faults)} faults {dict(of_form)}")
    if given.out:
        found = {"files": done, "seconds": seconds, "faults": faults}
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
