"""Processes that work side by side, and do not outlive the one that started them."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from typing import Any

__all__ = ["processes"]


def processes(
    number: int, begin: Callable[..., None] | None = None, *arguments: Any
) -> ProcessPoolExecutor:
    """A pool of processes, each of which calls `begin(*arguments)` first.

    A worker whose parent was killed would otherwise wait for work for ever: nothing tells it that
    none will come.
    """
    # Polars and fork do not go together.
    return ProcessPoolExecutor(
        number, mp_context=get_context("spawn"), initializer=_begin, initargs=(begin, arguments)
    )


def _begin(begin: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    threading.Thread(target=_end_with_parent, name="dante-parent", daemon=True).start()
    if begin is not None:
        begin(*arguments)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker is started by somebody"
    parent.join()
    os._exit(1)
