"""Work done ahead of whoever wants it, in a thread of its own."""

import contextlib
import queue
import threading
from collections.abc import Generator, Iterator
from typing import Any, Final, TypeVar

__all__ = ["ahead"]

_T = TypeVar("_T")
_WAIT: Final = 0.05
_END: Final = object()


def ahead(items: Iterator[_T], most: int = 1) -> Generator[_T, None, None]:
    """The same items, made in a thread that is at most `most` of them ahead.

    An error of `items` is raised here, after the items before it. The thread ends with the
    generator: at its last item, when it is closed, and when an error is thrown into it.
    """
    made: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(most)
    stop = threading.Event()

    def put(item: object, error: BaseException | None = None) -> bool:
        while not stop.is_set():
            with contextlib.suppress(queue.Full):
                made.put((item, error), timeout=_WAIT)
                return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
                del item  # what was given away is not held on to
        except BaseException as error:  # whatever it is, it is for the one who waits
            put(None, error)
        else:
            put(_END)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, name="dante-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = made.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
            del item
    finally:
        stop.set()
        thread.join()
