"""Work done ahead of whoever wants it, in a thread of its own or in several."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

__all__ = ["Ahead", "ahead", "side_by_side"]

_T = TypeVar("_T")
_R = TypeVar("_R")
_WAIT: Final = 0.05
_END: Final = object()


class Ahead(Generic[_T]):
    """Items that are made in a thread which is at most so many of them ahead.

    The thread begins at once, and ends at the last item, at an error, or when this is closed.
    """

    def __init__(self, items: Iterator[_T], most: int) -> None:
        """Begin to make items."""
        self._items = items
        self._made: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(most)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dante-ahead", daemon=True)
        self._thread.start()

    def _put(self, item: object, error: BaseException | None = None) -> bool:
        while not self._stop.is_set():
            with contextlib.suppress(queue.Full):
                self._made.put((item, error), timeout=_WAIT)
                return True
        return False

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
                del item  # what was given away is not held on to
        except BaseException as error:  # whatever it is, it is for the one who waits
            self._put(None, error)
        else:
            self._put(_END)
        finally:
            if isinstance(self._items, Generator):
                self._items.close()

    def __iter__(self) -> "Ahead[_T]":
        return self

    def __next__(self) -> _T:
        """The next item; an error in making one is raised in its place."""
        if self._stop.is_set():
            raise StopIteration
        item, error = self._made.get()
        if error is not None:
            self.close()
            raise error
        if item is _END:
            self.close()
            raise StopIteration
        given: _T = item
        return given

    def close(self) -> None:
        """End the thread, which closes the items if they are a generator."""
        self._stop.set()
        self._thread.join()


def ahead(items: Iterator[_T], most: int = 1) -> Ahead[_T]:
    """The same items, made in a thread that is at most `most` of them ahead.

    An error of `items` is raised in its place, after the items before it.
    """
    return Ahead(items, most)


# More than a processor has cores do no harm, and many cores would wait for what goes on before and
# behind; each holds an item besides.
_HANDS: Final = 2


def side_by_side(
    work: Callable[[_T], _R], items: Iterable[_T], threads: int = _HANDS
) -> Generator[_R, None, None]:
    """What `work` makes of each item, in the order of the items, by so many threads at once.

    One more than these is taken from `items` ahead. An error is raised in its item's place, one of
    `items` after what is made of those before; these are closed in the end if they are a generator.
    """
    begun: deque[Future[_R]] = deque()
    left, failed = iter(items), None
    with ThreadPoolExecutor(threads, "dante-side") as pool:
        try:
            while failed is None:
                try:
                    begun.append(pool.submit(work, next(left)))
                except StopIteration:
                    break
                except Exception as error:  # of the items: those before it come first
                    failed = error
                if len(begun) > threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
            if failed is not None:
                raise failed
        finally:
            for one in begun:
                one.cancel()
            if isinstance(items, Generator):
                items.close()
