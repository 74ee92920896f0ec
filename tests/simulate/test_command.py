"""`dante simulate`, as a user calls it."""

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from dante.cli.app import app
from dante.errors import UsageError
from dante.simulate import Scenario


def _dante(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["simulate", *map(str, words)])


def test_a_preset_is_written_and_what_to_do_next_is_said(tmp_path: Path) -> None:
    """Packets and truth are written, and the next command is named on stderr."""
    answer = _dante(tmp_path / "t", "--preset", "easy", "--days", "2", "--senders", "100")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert f"dante ingest {tmp_path / 't' / 'packets'}" in answer.stderr
    assert len(list((tmp_path / "t" / "packets").glob("*.parquet"))) == 2
    assert pl.read_parquet(tmp_path / "t" / "truth" / "members.parquet")["day"].n_unique() == 2


def test_captures_are_written(tmp_path: Path) -> None:
    """With `--format pcap` the packets are captures, and the truth is the same."""
    for form in ("pcap", "parquet"):
        words = ("--days", "1", "--senders", "80", "--seed", "3", "--format", form)
        assert _dante(tmp_path / form, *words).exit_code == 0
    assert [path.suffix for path in (tmp_path / "pcap" / "packets").iterdir()] == [".pcap"]
    for name in ("members", "events", "campaigns"):
        one, other = (tmp_path / form / "truth" / f"{name}.parquet" for form in ("pcap", "parquet"))
        assert one.read_bytes() == other.read_bytes()


def test_a_printed_scenario_is_read_again(tmp_path: Path) -> None:
    """What `--print` prints is a scenario file, and options go before what it says."""
    printed = _dante("--preset", "worm", "--seed", "5", "--print")
    assert (printed.exit_code, printed.stderr) == (0, "")
    file = tmp_path / "mine.toml"
    file.write_text(printed.stdout)
    assert Scenario.read(file) == Scenario.preset("worm", seed=5)
    again = _dante("--scenario", file, "--days", "3", "--print")
    assert again.stdout == printed.stdout.replace("days = 30", "days = 3")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "folder"),
        (["x", "--preset", "harder"], "harder"),
        (["x", "--preset", "easy", "--scenario", "y.toml"], "not both"),
        (["x", "--scenario", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_what_cannot_be_asked(words: list[str], says: str) -> None:
    """Wrong usage is told in one sentence."""
    answer = _dante(*words)
    assert isinstance(answer.exception, UsageError)
    assert says in str(answer.exception)
