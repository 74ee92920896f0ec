"""Files on an object store that speaks S3: the few things of a path that the lake and sources need.

Where the store is and who asks come from the environment, as for every tool that speaks S3
(`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, or a profile); no
setting of ours holds a key. A store that is slow or says 503 is asked again, ever further apart.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from dante.errors import ConfigError, SourceError, UnreachableError

__all__ = ["Stored", "find_stored", "is_stored", "read_all", "stamp_number", "storage_options"]

_T = TypeVar("_T")
_ATTEMPTS: Final = 5
_FIRST_WAIT: Final = 0.25
_TIMEOUT: Final = 20


def is_stored(path: str | Path) -> bool:
    """Whether a path is an address of an object store."""
    return str(path).startswith("s3://")


@dataclass(frozen=True)
class Stored:
    """One object, with the part of a path's manners that the lake needs.

    Attributes:
        url: `s3://bucket/key`.
        scratch: a local folder for copies on their way.
        size, stamp: its bytes, and what changes with them, if it was found by looking.
    """

    url: str
    scratch: Path
    size: int = -1
    stamp: str = ""

    def __str__(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        """The last part of its address."""
        return self.url.rsplit("/", 1)[-1]

    def is_file(self) -> bool:
        """Whether it is there."""
        return bool(_asked(self.url, lambda store: store.isfile(self.url)))

    def read_bytes(self) -> bytes:
        """All of it."""
        return bytes(_asked(self.url, lambda store: store.cat_file(self.url)))

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Take it away."""
        try:
            _asked(self.url, lambda store: store.rm_file(self.url))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def put(self, local: Path) -> None:
        """Have it be the bytes of a local file, all at once."""
        _asked(self.url, lambda store: store.put_file(str(local), self.url))

    def get(self, local: Path) -> None:
        """Copy it to a local file."""
        _asked(self.url, lambda store: store.get_file(self.url, str(local)))


def find_stored(pattern: str, scratch: Path) -> list[Stored]:
    """The objects that an address, a folder or a pattern of an object store names, in order.

    Raises:
        SourceError: there are none.
        UnreachableError: the store does not answer.
    """

    def look(store: Any) -> dict[str, dict[str, Any]]:
        # What was listed before may be old: sources grow.
        store.invalidate_cache()
        if any(sign in pattern for sign in "*?["):
            return dict(store.glob(pattern, detail=True))
        return dict(store.find(pattern, detail=True))

    found = [
        Stored(
            f"s3://{name}",
            scratch,
            size=int(told["size"]),
            stamp=str(told.get("ETag") or told.get("LastModified")),
        )
        for name, told in sorted(_asked(pattern, look).items())
        if told["type"] == "file" and not name.rsplit("/", 1)[-1].startswith(".")
    ]
    if not found:
        raise SourceError(f"{pattern}: nothing of this name is in the object store")
    return found


def read_all(objects: Iterable[Stored]) -> list[bytes]:
    """The bytes of many small objects, asked for at the same time; once for each state of one."""
    wanted = list(objects)
    missing = [item for item in wanted if (item.url, item.stamp) not in _READ]
    if missing:
        urls = [item.url for item in missing]
        got = _asked(urls[0], lambda store: store.cat(urls, on_error="raise"))
        for item, body in zip(missing, got.values(), strict=True):
            _READ[item.url, item.stamp] = bytes(body)
    return [_READ[item.url, item.stamp] for item in wanted]


_READ: dict[tuple[str, str], bytes] = {}


def storage_options() -> dict[str, Any]:
    """What Polars needs besides the variables it reads itself."""
    options: dict[str, Any] = {"max_retries": _ATTEMPTS}
    endpoint = _endpoint()
    if endpoint:
        options["aws_endpoint_url"] = endpoint
        options["aws_allow_http"] = str(endpoint.startswith("http://")).lower()
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return {**options, "aws_region": region}


def _endpoint() -> str | None:
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")


def _asked(what: str, ask: Callable[[Any], _T]) -> _T:
    """What the store answers, after some tries if it is slow or busy.

    Raises:
        FileNotFoundError: there is no such object.
        UnreachableError: it did not answer, or only that it cannot now.
        ConfigError: it does not let us.
    """
    store = _store(_endpoint())
    for attempt in range(_ATTEMPTS):
        try:
            return ask(store)
        except FileNotFoundError:
            raise
        except PermissionError:
            refused = True
            break
        except Exception as error:
            if not _may_pass(error):
                raise
            refused, reason = False, _reason(error)
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_FIRST_WAIT * 2**attempt)
    if refused:
        raise ConfigError(
            f"the object store refuses {what}; give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
            "that may read and write it"
        )
    raise UnreachableError(
        f"the object store does not answer for {what} ({reason}, {_ATTEMPTS} tries); see that it "
        "is up and give the same command again: what was committed stands"
    )


def _may_pass(error: Exception) -> bool:
    """Whether an error is the network's or the store's, and not ours."""
    room = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or room in ("botocore", "aiobotocore", "aiohttp", "urllib3")


def _reason(error: Exception) -> str:
    """An error in a few words, which hold no part of a request."""
    text = str(error)
    if "timeout" in type(error).__name__.lower() or "timed out" in text.lower():
        return "it timed out"
    if "connect" in type(error).__name__.lower() or "connect" in text.lower():
        return "no connection"
    return "it is busy or at fault"


@lru_cache
def _store(endpoint: str | None) -> Any:
    try:
        import s3fs
    except ImportError:
        raise ConfigError(
            "an address begins with s3://, but s3fs is not installed; install dante[s3]"
        ) from None
    timeouts = {"connect_timeout": _TIMEOUT, "read_timeout": _TIMEOUT}
    store = s3fs.S3FileSystem(
        client_kwargs={"endpoint_url": endpoint} if endpoint else {},
        # Tries are counted here alone, not in three layers on top of each other.
        config_kwargs={**timeouts, "retries": {"total_max_attempts": 1}},
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    store.retries = 1
    return store


def stamp_number(stamp: str) -> int:
    """A stamp as a number that marks of files can hold."""
    return int.from_bytes(hashlib.sha256(stamp.encode()).digest()[:7])
