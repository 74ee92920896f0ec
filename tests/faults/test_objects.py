"""The lake and the sources on an object store: a real server of S3's protocol, and its faults."""

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dante.errors import ConfigError, DanteError, UnreachableError
from dante.pipeline.backfill import backfill
from dante.pipeline.context import open_context
from dante.pipeline.declared import ingest_declared
from dante.pipeline.ingest import ingest_files
from dante.pipeline.retention import prune
from dante.sources import Reading
from dante.store import objects

from .conftest import FIRST, LAST, SETTINGS, Dante, views

Wanted = dict[str, list[tuple[object, ...]]]
Fault = Callable[[str, str, str], None]
_KEY, _SECRET = "AKIAOFTESTSANDNOTHING", "a-secret-that-nobody-may-see"


class Front:
    """What stands before the store: passes on, or answers 503, or is silent, as it is told."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.busy = 0
        self.silent = False
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._answer, args=(near,), daemon=True).start()

    def _answer(self, near: socket.socket) -> None:
        """One connection, one request; the next comes on another."""
        with near, suppress(OSError):
            request = b""
            while b"\r\n\r\n" not in request:
                piece = near.recv(1 << 16)
                if not piece:
                    return
                request += piece
            if self.silent:
                time.sleep(30)
                return
            head, _, rest = request.partition(b"\r\n\r\n")
            lines = head.split(b"\r\n")
            fields = dict(line.lower().split(b":", 1) for line in lines[1:])
            if b"expect" in fields:
                near.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while len(rest) < int(fields.get(b"content-length", 0)):
                rest += near.recv(1 << 16)
            if self.busy:
                self.busy -= 1
                body = b"<Error><Code>SlowDown</Code><Message>slow down</Message></Error>"
                near.sendall(
                    b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Type: text/xml\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
                return
            kept = [
                line for line in lines if not line.lower().startswith((b"connection:", b"expect:"))
            ]
            with socket.create_connection(("127.0.0.1", self._to)) as far:
                far.sendall(b"\r\n".join([*kept, b"Connection: close", b"", b""]) + rest)
                while data := far.recv(1 << 16):
                    near.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def moto() -> Iterator[int]:
    """The port of an object store of this process."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield server.get_host_and_port()[1]
    server.stop()


@pytest.fixture
def store(moto: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """An empty bucket `tele`, and what stands before it."""
    front = Front(moto)
    for name, value in {
        "AWS_ENDPOINT_URL": front.url,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET,
        "AWS_REGION": "us-east-1",
        "NO_PROXY": "127.0.0.1,localhost",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(objects, "_FIRST_WAIT", 0.01)
    with suppress(FileNotFoundError):
        _files().rm("tele", recursive=True)
    _files().mkdir("tele")
    yield front
    front.close()


def _files() -> Any:
    return objects._store(os.environ["AWS_ENDPOINT_URL"])


def _in_store(home: Path) -> None:
    (home / "dante.toml").write_text(f'{SETTINGS}[lake]\nurl = "s3://tele/lake"\n')


def _ingest(home: Path, packets: Path) -> list[bool]:
    files = [(file, Reading()) for file in sorted(packets.iterdir())]
    return [result.already for result in ingest_files(open_context(home), files)]


def _run(home: Path) -> None:
    backfill(open_context(home), date.fromisoformat(FIRST), date.fromisoformat(LAST))


def test_a_lake_on_an_object_store_is_as_one_in_the_home(
    store: Front, home: Path, packets: Path, finished: Path, wanted: Wanted, tmp_path: Path
) -> None:
    """Packets, refused rows and manifests are the same bytes there, and the views are equal."""
    _in_store(home)
    _ingest(home, packets)
    _run(home)
    assert views(home) == wanted
    bad = tmp_path / "bad.csv"
    bad.write_text("ts,src,proto,dport\nnever,192.0.2.1,tcp,23\n")
    ingest_files(open_context(home), [(bad, Reading())])
    assert not list((home / "lake").glob("packets"))
    held = {name.removeprefix("tele/lake/"): name for name in _files().find("tele/lake")}
    local = finished / "lake"
    for path in (local / "packets").rglob("*.parquet"):
        assert _files().cat(held[str(path.relative_to(local))]) == path.read_bytes()
    assert [name for name in held if name.startswith("quarantine/day=unknown/")]
    assert _ingest(home, packets) == [True, True]
    assert prune(open_context(home)).packets == 0


def test_sources_on_an_object_store(
    store: Front, home: Path, packets: Path, wanted: Wanted
) -> None:
    """Declared objects are taken once; one that has grown takes the place of what it was."""
    (home / "dante.toml").write_text(
        SETTINGS + '[[sources]]\npath = "s3://tele/in/*.parquet"\nexpected = "no"\n'
        '[[sources]]\npath = "s3://tele/log"\nexpected = "no"\n'
    )
    assert ingest_declared(open_context(home)) == []
    for file in packets.iterdir():
        _files().put_file(str(file), f"tele/in/{file.name}")
    assert len(ingest_declared(open_context(home))) == 2
    assert ingest_declared(open_context(home)) == []
    _run(home)
    assert views(home) == wanted
    lines = [f"2025-03-03T00:00:{n:02d}Z,192.0.2.{n},tcp,23" for n in range(40)]
    for many in (20, 40):
        text = "\n".join(["ts,src,proto,dport", *lines[:many]]) + "\n"
        _files().pipe_file("tele/log/a.csv", text.encode())
        ingest_declared(open_context(home))
    assert open_context(home).packets(date(2025, 3, 3)) == 40


def test_the_store_is_busy(
    store: Front, home: Path, packets: Path, wanted: Wanted, fault: Fault
) -> None:
    """Three requests in a row are answered with 503, in ingest and again in the backfill."""
    _in_store(home)
    store.busy = 3
    _ingest(home, packets)
    store.busy = 3
    _run(home)
    assert store.busy == 0
    assert views(home) == wanted
    fault("object store answering 503", "nothing", "it is asked again; the run finishes the day")


def test_the_store_is_silent(
    store: Front, dante: Dante, home: Path, packets: Path, wanted: Wanted,
    fault: Fault, tidy: Callable[[str], str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """No answer in all tries: a sentence without a key in it, and later the same does the rest."""
    _in_store(home)
    _ingest(home, packets)
    shutil.rmtree(home / "work", ignore_errors=True)
    store.silent = True
    monkeypatch.setattr(objects, "_TIMEOUT", 1)
    objects._store.cache_clear()
    with pytest.raises(UnreachableError, match="does not answer"):
        open_context(home)
    code, said = dante("backfill", FIRST, LAST, "--home", home)
    assert code == 1
    assert _SECRET not in said
    assert _KEY not in said
    store.silent = False
    monkeypatch.setattr(objects, "_TIMEOUT", 20)
    objects._store.cache_clear()
    _run(home)
    assert views(home) == wanted
    fault("object store timing out", tidy(said), "the same command does it; views are equal")


def test_a_key_in_an_address_is_refused(home: Path) -> None:
    """Settings are no place for keys, and the error does not repeat it."""
    url = f"s3://{_KEY}:{_SECRET}@tele/lake"
    (home / "dante.toml").write_text(f'[lake]\nurl = "{url}"\n')
    with pytest.raises(ConfigError, match="no key may stand") as error:
        open_context(home)
    assert _SECRET not in str(error.value)


def test_a_damaged_object_is_named(store: Front, home: Path, packets: Path) -> None:
    """A packet file cut short in the store is a fault of that file, not of the store."""
    _in_store(home)
    _ingest(home, packets)
    (name,) = _files().find(f"tele/lake/packets/day={LAST}")
    _files().pipe_file(name, _files().cat(name)[:-50])
    with pytest.raises(DanteError, match="missing or damaged"):
        _run(home)
    assert len(views(home)["daily"]) == 1
