"""Which files are read, mapping files, and fingerprints of readings."""

import hashlib

import pytest

from dante.errors import ConfigError, SourceError, UsageError
from dante.sources import (
    FORMATS,
    Mapping,
    Reading,
    find_files,
    format_of,
    load_mapping,
    parse_mapping,
    source_digest,
)


def test_find_files(tmp_path):
    """Folders and patterns give their visible files, sorted, each once."""
    for name in ("b.csv", "a.csv", ".hidden", "sub/c.csv", ".git/d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    names = ["a.csv", "b.csv", "sub/c.csv"]
    assert find_files([tmp_path]) == [tmp_path / name for name in names]
    assert find_files([tmp_path / "*.csv", tmp_path / "a.csv", str(tmp_path)]) == [
        tmp_path / name for name in names
    ]
    assert find_files([tmp_path / ".hidden"]) == [tmp_path / ".hidden"]
    assert find_files([tmp_path / "**" / "c*"]) == [tmp_path / "sub" / "c.csv"]


def test_nothing_found(tmp_path):
    """A path, a pattern and a folder that hold nothing are named in an error."""
    with pytest.raises(UsageError, match="none: no such file or folder"):
        find_files([tmp_path / "none"])
    with pytest.raises(UsageError, match="no file matches this pattern"):
        find_files([tmp_path / "*.x"])
    with pytest.raises(SourceError, match="the folder holds no file to read"):
        find_files([tmp_path])
    with pytest.raises(UsageError, match="name at least one"):
        find_files([])


def test_source_digest(tmp_path):
    """The digest is half of SHA-256 of the bytes as they lie."""
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1_000_000)
    assert source_digest(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()[:32]
    with pytest.raises(SourceError, match="cannot be read"):
        source_digest(tmp_path / "none")


def test_fingerprint():
    """Equal readings have equal fingerprints, and any difference shows."""
    mapping = parse_mapping('[ts]\nformat = "epoch_s"')
    readings = [
        Reading(),
        Reading(format="csv"),
        Reading(tz="Asia/Tokyo"),
        Reading(year=2020),
        Reading(sensor="é"),
        Reading(mapping=Mapping()),
        Reading(mapping=mapping),
    ]
    assert len({reading.fingerprint() for reading in readings}) == len(readings)
    again = Reading(mapping=parse_mapping('[ts]\nformat = "epoch_s"'))
    assert again.fingerprint() == readings[-1].fingerprint()
    assert Reading().fingerprint() == (
        hashlib.sha256(
            b'{"format":"auto","mapping":null,"sensor":null,"tz":null,"year":null}'
        ).hexdigest()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x =", "not TOML"),
        ("[colums]\n", "unknown table or key 'colums'"),
        ("columns = 1", "'columns' must be a table"),
        ('[csv]\nseperator = ";"', "[csv] has an unknown key 'seperator'"),
        ('[csv]\nseparator = ";;"', "separator must be one ASCII character"),
        ('[csv]\nseparator = "\\""', "separator and quote are the same"),
        ("[csv]\nheader = false", "needs `columns`"),
        ('[csv]\nheader = true\ncolumns = ["a"]', "needs `columns`"),
        ("[csv]\nheader = 1", "header must be true or false"),
        ("[csv]\ncolumns = [1]", "must be a list of names"),
        ('[columns]\nsource = "a"', "[columns] has an unknown key 'source'"),
        ('[columns]\nts = "a"\nsrc = "b"', "does not say which column is 'proto'"),
        ('[ts]\nformat = "epoch"', "it does not hold a month, a day and an hour"),
        ('[ts]\nformat = "%Y-%m-%d %H"', "either specify both hour and minute"),
        ('[ts]\nformat = "%Q"', "'%Q' is not a known directive"),
        ('[ts]\ntz = "Mars"', "'Mars' is not a time zone"),
        ('[src]\nkind = "hex"', "[src] kind must be one of auto, integer, text"),
        ("[proto]\nnames = { x = 300 }", "must be a number in 0..255"),
        ("[proto]\ndefault = 1.5", "default must be a name or a number"),
        ("[defaults]\nsensor = 5", "sensor must be text"),
    ],
)
def test_mapping_errors(text, message):
    """Whatever a mapping says that is not understood is an error that names it."""
    with pytest.raises(ConfigError, match=r"^marx\.toml: ") as caught:
        parse_mapping(text, "marx.toml")
    assert message in str(caught.value)


def test_missing_mapping(tmp_path):
    """A mapping file that is not there is named."""
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_mapping(tmp_path / "none.toml")


def test_every_format_can_be_asked_for_and_is_tried(tmp_path):
    """A file of none is told all that were tried; where one is asked for nothing is looked at."""
    path = tmp_path / "what"
    path.write_bytes(bytes(range(1, 200)))
    for name in FORMATS[1:]:
        assert format_of(path, Reading(format=name)) == name
    with pytest.raises(SourceError) as error:
        format_of(path)
    told = str(error.value).partition("tried ")[2]
    assert [name for name in FORMATS[1:] if f"{name} (" in told] == list(FORMATS[1:])
