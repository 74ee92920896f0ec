"""Processes that read damaged files, so that one may crash or hang."""

from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.judge import judge
from dante.sources import streams

__all__ = ["FREE", "Hand"]

FREE = 32 << 20
"""Bytes that any file may expand to here."""

_WAIT = 600.0


def _work(numbers: range, folder: str, pipe: Connection) -> None:
    streams.FREE = FREE  # type: ignore[misc]
    for number in numbers:
        pipe.send((number, None))
        pipe.send((number, judge(damaged(number), Path(folder)) or ""))
    pipe.close()


class Hand:
    """A process that reads every so-manieth file."""

    def __init__(self, numbers: range, folder: str) -> None:
        self._numbers, self._folder = numbers, folder
        self._start()

    def _start(self) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(self._numbers, self._folder, theirs))
        self._process.start()
        theirs.close()
        self._now = self._numbers.start

    def results(self) -> Iterator[tuple[int, str]]:
        """Each file's number and fault as it comes."""
        while len(self._numbers):
            fault = None
            try:
                if not self.pipe.poll(_WAIT):
                    self._process.kill()
                    fault = "hangs"
                else:
                    self._now, fault = self.pipe.recv()
                    if fault is None:
                        continue
            except EOFError:
                self._process.join()
                fault = f"the process ended ({self._process.exitcode})"
            yield self._now, fault
            self._numbers = range(
                self._now + self._numbers.step, self._numbers.stop, self._numbers.step
            )
            if fault.startswith(("hangs", "the process")) and len(self._numbers):
                self._start()
        self._process.join()
