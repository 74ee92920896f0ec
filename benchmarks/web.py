"""How long the pages of `dante serve` take with a year's database.

    python -m benchmarks.web [--keep FOLDER] [--memberships 50000000] [--chromium]

A year of 300 tracks and 50 million memberships is made (a few minutes; `--keep` keeps it for the
next time), published by DANTE itself, and every page and API call asked of a server process of
its own. *Cold*: the file was replaced that very moment; with `--drop` it is out of the system's
cache, too. *New*: three seconds after that, when the server has opened it by itself. *Warm*: the
least and the median of five. With `--chromium`, also the time from the end of the answer until
Debian's Chromium has drawn the page: least of three. Where other programs are at work, look at
*work*, the server's processor time: on an idle machine an answer takes no longer.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.webyear import make_year
from dante.store.home import Home
from dante.store.publish import publish, read_lineage

__all__ = ["main", "paths"]

PORT: Final = 8377
_WARM: Final = 5
_SOON: Final = 3.0


def paths(home: Home) -> dict[str, str]:
    """What is asked for: every page, the largest and the smallest track."""
    with read_lineage(home) as con:
        rows = con.execute("SELECT track_id FROM tracks ORDER BY senders DESC, track_id").fetchall()
        largest, small = rows[0][0], rows[-1][0]
        old, first = con.execute(
            "SELECT src, address FROM track_senders ORDER BY days DESC, address LIMIT 1"
        ).fetchall()[0]
        port = con.execute(
            "SELECT port FROM track_ports GROUP BY port ORDER BY count(*) DESC, port LIMIT 1"
        ).fetchall()[0][0]
        middle = con.execute("SELECT quantile_disc(day, 0.5) FROM daily").fetchall()[0][0]
    network = f"{first >> 24}.{first >> 16 & 255}.{first >> 8 & 255}.0/24"
    wide = f"{first >> 24}.{first >> 16 & 255}.0.0/16"
    pages = {
        "today": "/",
        "a past day": f"/?day={middle}",
        "timeline": "/timeline",
        "timeline, all tracks": "/timeline?lanes=500",
        "timeline, filtered": f"/timeline?port={port}&first={middle}&order=senders",
        "largest track": f"/tracks/{largest}",
        "its last page": f"/tracks/{largest}?page=1000000&order=days",
        "its senders of a /16": f"/tracks/{largest}?q={wide}",
        "small track": f"/tracks/{small}",
        "sender": f"/sender?q={old}",
        "network /24": f"/sender?q={network}",
        "network /16": f"/sender?q={wide}",
        "map": "/map",
        "map of a past day": f"/map?day={middle}",
        "quality": "/quality",
        "quality of a year": "/quality?days=366",
        "search, port": f"/search?q={port}",
        "search, name": "/search?q=tcp2",
        "API description": "/docs",
    }
    api = {
        f"API: {name}": "/api" + (f"/today{path[1:]}" if path[:2] in ("/", "/?") else path)
        for name, path in pages.items()
        if name != "API description" and not name.startswith("its ")
    }
    api["API: largest's senders"] = f"/api/tracks/{largest}/senders?size=1000"
    return pages | api


@contextmanager
def _serving(home: Home) -> Iterator[int]:
    """The process that serves, by its number."""
    code = "from dante.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", "--home", str(home.root), "--port", str(PORT)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as server:
        try:
            for _ in range(300):
                try:
                    _ask("/api/publication")
                    break
                except ConnectionError:
                    time.sleep(0.1)
            yield server.pid
        finally:
            server.terminate()


def _ask(path: str) -> tuple[float, int, int]:
    """Seconds, bytes and status."""
    began = time.perf_counter()
    con = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    con.request("GET", path)
    answer = con.getresponse()
    size = len(answer.read())
    con.close()
    return time.perf_counter() - began, size, answer.status


def _worked(pid: int) -> float:
    """Seconds of processor time of a process so far, in steps of 10 ms; Linux only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _chill(home: Home, drop: bool) -> None:
    """Have the server open the file anew, and maybe the system forget what it has of it."""
    if drop:
        file = os.open(home.lineage, os.O_RDONLY)
        try:
            os.fsync(file)
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
    os.utime(home.lineage)


def _drawn(asked: dict[str, str]) -> dict[str, float]:
    """Milliseconds from the end of each answer until it is loaded and painted."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    profile = tempfile.mkdtemp()
    for flag in (
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={profile}", "--window-size=1280,900",
    ):  # fmt: skip
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service("/usr/bin/chromedriver"))
    found = {}
    try:
        for name, path in asked.items():
            times = []
            for _ in range(3):
                driver.get(f"http://127.0.0.1:{PORT}{path}")
                times.append(
                    driver.execute_async_script(
                        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(() => {"
                        "const paint = performance.getEntriesByType('paint')"
                        ".map(one => one.startTime);"
                        "const page = performance.getEntriesByType('navigation')[0];"
                        "done(Math.max(page.loadEventEnd, ...paint) - page.responseEnd); }));"
                    )
                )
            found[name] = min(times)
    finally:
        driver.quit()
    return found


def main() -> None:
    """Make, publish, ask, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder the year is kept in")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--tracks", type=int, default=300)
    parser.add_argument("--memberships", type=int, default=50_000_000)
    parser.add_argument("--chromium", action="store_true", help="also measure drawing")
    parser.add_argument("--drop", action="store_true", help="read the file from disk when cold")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(arguments.keep or Path(folder) / "home")
        if not home.state.is_file():
            began = time.perf_counter()
            make_year(
                home,
                days=arguments.days,
                tracks=arguments.tracks,
                memberships=arguments.memberships,
            )
            print(f"made in {time.perf_counter() - began:.0f} s")
        began, work = time.perf_counter(), time.process_time()
        if not home.lineage.is_file():
            publish(home)
        work = time.process_time() - work
        sizes = [f"{path.stat().st_size / 1e6:,.0f} MB" for path in (home.state, home.lineage)]
        took = f"{time.perf_counter() - began:.1f} s ({work:.1f} s of work)"
        print(f"published in {took}: {' of state, '.join(sizes)}")
        with read_lineage(home) as con:
            for table in ("memberships", "track_senders", "tracks", "track_days", "lineage"):
                print(f"{table}: {con.execute(f'FROM {table} SELECT count(*)').fetchall()[0][0]:,}")
        with _serving(home) as pid:
            _measure(home, pid, arguments.chromium, arguments.drop)


def _measure(home: Home, pid: int, chromium: bool, drop: bool) -> None:
    asked = paths(home)
    pages = {name: path for name, path in asked.items() if not name.startswith("API: ")}
    drawn = _drawn(pages) if chromium else {}
    print(
        "\n| page | cold ms | of work | new ms | of work | warm ms, least | median | of work "
        "| kB | drawn ms |"
    )
    print("| --- " * 10 + "|", flush=True)
    for name, path in asked.items():
        _chill(home, drop)
        began = _worked(pid)
        cold, size, status = _ask(path)
        cold_work = _worked(pid) - began
        _chill(home, drop)
        time.sleep(_SOON)
        began = _worked(pid)
        new = _ask(path)[0]
        new_work = _worked(pid) - began
        began = _worked(pid)
        warm = [_ask(path)[0] for _ in range(_WARM)]
        work = (_worked(pid) - began) / _WARM
        seconds = (cold, cold_work, new, new_work, min(warm), statistics.median(warm), work)
        said = f"{drawn[name]:.0f}" if name in drawn else ""
        failed = "" if status == 200 else f" (status {status})"
        times = " | ".join(f"{1000 * one:.0f}" for one in seconds)
        print(f"| {name}{failed} | {times} | {size / 1000:.0f} | {said} |", flush=True)


if __name__ == "__main__":
    main()
