"""Runs the commands that a page of the documentation shows, on files made for it."""

import gzip
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dante.cli.app import app

DOCS = Path(__file__).resolve().parents[2] / "docs"

Documented = Callable[[str, dict[str, bytes]], list[str]]


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Documented:
    """Run each `dante …` line of the page's `sh` blocks where the files lie; what each said."""

    def run(page: str, files: dict[str, bytes]) -> list[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("DANTE_HOME", str(tmp_path / "home"))
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
        text = (DOCS / page).read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        lines = [line for block in blocks for line in block.splitlines() if line.strip()]
        assert lines, f"{page} shows no command"
        said = []
        for line in lines:
            command, piped = line, None
            if found := re.fullmatch(r"zcat (\S+) \| (.*)", line):
                piped, command = gzip.decompress(Path(found[1]).read_bytes()), found[2]
            words = shlex.split(command, comments=True)
            assert words[0] == "dante", f"{page} shows a command that is not run: {line}"
            result = CliRunner().invoke(app, words[1:], input=piped)
            assert result.exit_code == 0, f"{line}: {result.output}"
            said.append(result.output)
        return said

    return run
