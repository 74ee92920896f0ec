"""The documents say what is there."""

import re
from pathlib import Path

import pytest

from dante.cli.app import app
from dante.config import Settings, settings_template
from dante.store.home import Home
from dante.store.publish import PUBLISHED, publish, read_lineage

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The columns of every published view and their types, by view."""
    home = Home(tmp_path_factory.mktemp("home"))
    publish(home)
    found: dict[str, dict[str, str]] = {}
    with read_lineage(home) as con:
        tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
        for (table,) in tables:
            rows = con.execute(f"DESCRIBE {table}").fetchall()
            found[table] = {name: kind for name, kind, *_ in rows}
    return found


def test_the_published_database_holds_the_views_and_nothing_else(
    columns: dict[str, dict[str, str]],
) -> None:
    """People find the views in it, and none of the pipeline's own tables."""
    assert sorted(PUBLISHED) == sorted(columns)


@pytest.mark.parametrize("view", PUBLISHED)
def test_every_column_is_documented(columns: dict[str, dict[str, str]], view: str) -> None:
    """docs/lineage.md has each view's columns, all of them and no other, with their types."""
    text = (ROOT / "docs" / "lineage.md").read_text(encoding="utf-8")
    section = text.split(f"## `{view}`", 1)[1].split("\n## ", 1)[0]
    told: dict[str, str] = {}
    for names, kinds in re.findall(r"^\| (`[^|]+`) \| ([A-Z, ]+) \|", section, re.MULTILINE):
        found = re.findall(r"`([^`]+)`", names)
        types = kinds.split(", ")
        told |= dict(zip(found, types * len(found) if len(types) == 1 else types, strict=False))
    assert told == columns[view]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """No page links to a file of the project that is not there."""
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_show_only_commands_there_are(page: Path) -> None:
    """Every `dante …` a page shows is a command."""
    known = {command.callback.__name__ for command in app.registered_commands if command.callback}
    known |= {str(group.name) for group in app.registered_groups}
    text = page.read_text(encoding="utf-8")
    shown = re.findall(r"^(?:\.venv/bin/)?dante ([a-z]+)", text, re.MULTILINE)
    shown += re.findall(r"`dante ([a-z]+)", text)
    assert set() == set(shown) - known


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "formats").glob("*.md")), ids=lambda page: page.name
)
def test_pages_of_formats_are_run(page: Path) -> None:
    """The commands of each page about formats are run by a test of its own."""
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert f'"formats/{page.name}"' in tests


def test_the_settings_template_shows_every_setting_with_its_default(tmp_path: Path) -> None:
    """With all its comment signs taken off, the file means what an empty one means."""
    lines = settings_template().splitlines()
    body = [re.sub(r"^# ", "", line) for line in lines if re.match(r"# (\[[a-z]+\]$|\w+ = )", line)]
    start = body.index("[model]")
    (tmp_path / "dante.toml").write_text("\n".join(body[start:]), encoding="utf-8")
    assert Settings(home=tmp_path).fingerprint() == Settings(home=tmp_path / "other").fingerprint()
    for name in ("model", "cluster", "track", "threat"):
        section = getattr(Settings(home=tmp_path), name)
        assert all(f"# {key} = " in settings_template() for key in type(section).model_fields)
