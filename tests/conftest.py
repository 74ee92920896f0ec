"""What all tests share."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples each time, so that a red run is about the change; new ones when asked for.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

_TABLE = Path(__file__).resolve().parents[1] / "docs" / "faults.md"


@pytest.fixture
def fault() -> Callable[[str, str, str], None]:
    """Hold what came of a fault against its row in docs/faults.md: fault, what is said, the end.

    With DANTE_FAULTS=FILE the row is added to that file instead, to make the table from.
    """

    def held(name: str, said: str, end: str) -> None:
        row = f"| {name} | {said} | {end} |"
        if out := os.environ.get("DANTE_FAULTS"):
            with Path(out).open("a", encoding="utf-8") as file:
                file.write(row + "\n")
            return
        assert row in _TABLE.read_text(encoding="utf-8").splitlines(), row

    return held
