"""Work that is done ahead keeps its order, and its errors their places."""

from collections.abc import Iterator
from functools import partial

import pytest

from dante.store.ahead import ahead, side_by_side


def _items(upto: int, closed: list[bool]) -> Iterator[int]:
    try:
        yield from range(upto)
        raise ValueError("no more")
    finally:
        closed.append(True)


def _same(item: int) -> int:
    return item


@pytest.mark.parametrize("upto", [0, 1, 5])
def test_what_came_before_an_error_is_given_first(upto: int) -> None:
    """An error in making items is raised behind all that was made of those before it."""
    for way in (ahead, partial(side_by_side, _same)):
        closed: list[bool] = []
        seen = []
        with pytest.raises(ValueError, match="no more"):
            for item in way(_items(upto, closed)):
                seen.append(item)
        assert (seen, closed) == ([*range(upto)], [True])


def test_an_error_of_work_comes_in_its_place() -> None:
    """What was made of the items before it is given, nothing of those behind it."""
    seen = []
    with pytest.raises(ZeroDivisionError):
        for share in side_by_side(lambda item: 6 // (2 - item), range(9)):
            seen.append(share)
    assert seen == [3, 6]


def test_items_that_nobody_wants_any_more_are_closed() -> None:
    """Whoever stops early leaves no generator open."""
    closed: list[bool] = []
    made = side_by_side(_same, _items(100, closed))
    assert next(made) == 0
    made.close()
    assert closed == [True]
