"""The digest of the code that a kept result depends on."""

from pathlib import Path

import pytest

from benchmarks import closure


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three modules in a row and one that nobody imports."""
    folder = tmp_path / "benchmarks"
    folder.mkdir()
    (folder / "a.py").write_text("def f() -> int:\n    from benchmarks import b\n    return b.X\n")
    (folder / "b.py").write_text("from benchmarks.c import X\n")
    (folder / "c.py").write_text("import os\nX = 1\n")
    (folder / "d.py").write_text("X = 2\n")
    monkeypatch.setattr(closure, "ROOT", tmp_path)
    closure._imported.cache_clear()
    return folder


def _digest() -> str:
    closure._imported.cache_clear()
    return closure.code_digest("benchmarks.a")


def test_all_that_is_imported_counts_wherever_it_is(project: Path) -> None:
    """Imports of imports, and those inside a function, belong to a module; others do not."""
    assert list(closure.modules_of("benchmarks.a")) == [f"benchmarks.{name}" for name in "abc"]


def test_a_change_of_what_is_imported_changes_the_digest(project: Path) -> None:
    """A change far down makes a result stale, and one elsewhere does not."""
    before = _digest()
    (project / "d.py").write_text("X = 3\n")
    assert _digest() == before
    (project / "c.py").write_text("X = 3\n")
    assert _digest() != before


def test_ours_depends_on_its_pipeline_and_on_no_rival() -> None:
    """A rival's change does not have ours run again, nor one of the measures."""
    closure._imported.cache_clear()
    ours = closure.modules_of("benchmarks.ours")
    assert {"dante.tracking.step", "dante.clustering.day", "dante.sources.read"} <= set(ours)
    assert not [name for name in ours if name.startswith(("benchmarks.rivals", "dante.evaluate"))]
