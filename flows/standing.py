"""A server and a worker of one machine, reached from this machine only."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from dante.errors import DanteError

__all__ = ["LEASES", "standing"]

_ROOT = Path(__file__).resolve().parents[1]
_HOST = "127.0.0.1"
_START = 300.0
_STOP = 30.0
_POOL = "dante"
_WRITER = "duckdb-writer"  # as in tasks.policy, which would load Prefect here
LEASES = "prefect.server.concurrency.lease_storage.filesystem"
"""Where a server keeps who holds which slot: beside its database."""


def standing(home: Path, port: int, say: Callable[[str], None]) -> None:
    """Start a server, make pool and limit, deploy, start a worker; until a signal ends it.

    Args:
        home: the home's folder; Prefect keeps its own database in `prefect/` below it.
        port: of the server, on the loopback address.
        say: told what a person may want to know.

    Raises:
        DanteError: a part does not start, or ends by itself.
    """
    if not _ROOT.joinpath("prefect.yaml").is_file():
        raise DanteError(
            f"{_ROOT} has no prefect.yaml: `dante up` deploys the flows of a checkout; run it from "
            "one (`git clone`, `make setup`)"
        )
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    url = f"http://{_HOST}:{port}/api"
    env = _environment(home, url)
    serve = ["server", "start", "--host", _HOST, "--port", str(port)]
    with _stopped_by_signals() as stopped, _part(serve, env) as server:
        _wait_for(url, server, stopped)
        for words in (
            ["work-pool", "create", _POOL, "--type", "process", "--overwrite"],
            ["gcl", "create", _WRITER, "--limit", "1"],
            ["--no-prompt", "deploy", "--all"],
        ):
            if not stopped:
                _once(words, env)
        with _part(["worker", "start", "--pool", _POOL, "--type", "process"], env) as worker:
            say(f"days of {home} run by themselves; {url[:-4]} shows them; Ctrl-C ends it")
            while not stopped:
                for name, process in (("server", server), ("worker", worker)):
                    if process.poll() is not None:
                        raise DanteError(
                            f"the {name} ended by itself (code {process.returncode}); start "
                            "`dante up` again: what was committed stands"
                        )
                time.sleep(0.5)
    say("stopped; days go on with the next `dante up`")


def _environment(home: Path, url: str) -> dict[str, str]:
    # Whatever proxy there is, it is not for this machine's own address.
    spared = {part for part in os.environ.get("NO_PROXY", "").split(",") if part}
    own = {
        "DANTE_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_HOME": os.environ.get("PREFECT_HOME") or str(home.joinpath("prefect")),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Slots are leased. A server that kept leases in memory would forget them when it ends, and
        # what a run held that ended meanwhile would never be free again.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": LEASES,
        "DO_NOT_TRACK": "1",
        "NO_PROXY": ",".join(sorted(spared | {_HOST, "localhost"})),
        "PYTHONPATH": os.pathsep.join(
            part for part in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if part
        ),
    }
    return {**os.environ, **own}


@contextmanager
def _stopped_by_signals() -> Iterator[list[int]]:
    """A list that is not empty once this process was asked to end."""
    stopped: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.append(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _part(words: list[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A long-running part of Prefect, ended with this process."""
    process = subprocess.Popen(  # noqa: S603, our own words
        [sys.executable, "-m", "prefect", *words],
        cwd=_ROOT,
        env=env,
        stdout=sys.stderr,
        start_new_session=True,  # Ctrl-C is for us, who end the parts in order
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(_STOP)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _once(words: list[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603, our own words
        [sys.executable, "-m", "prefect", *words],
        cwd=_ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and "already exists" not in done.stdout + done.stderr:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise DanteError(f"`prefect {' '.join(words)}` failed: {' '.join(last)}")


def _wait_for(url: str, server: subprocess.Popen[bytes], stopped: list[int]) -> None:
    until = time.monotonic() + _START
    # Not through a proxy, and no other scheme than ours.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while not stopped:
        if server.poll() is not None:
            raise DanteError(
                f"the server does not start (code {server.returncode}); see what it said above, "
                "and that nothing else listens on its port (--port takes another)"
            )
        try:
            with opener.open(f"{url}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            raise DanteError(f"the server at {url} does not answer within {_START:.0f} s")
        time.sleep(0.25)
