"""Files of labels: every form that people have them in, and every line that is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dante.errors import SourceError
from dante.labels.read import label_files, read_labels
from dante.schema import address_text

from .conftest import SHARED, mmdb


def _read(*paths):
    (content,) = read_labels(paths)
    return content


def _rows(content):
    frame = content.frame()
    return list(
        zip(address_text(frame["first"]), address_text(frame["last"]), frame["name"], strict=True)
    )


def test_cidr_file(write):
    """A file of networks is of the organisation it is named after."""
    path = write("shodan_v4.txt", "1.2.3.0/24\n\n5.6.7.8/32\r\n9.9.9.9\n")
    content = _read(path)
    assert _rows(content) == [
        ("1.2.3.0", "1.2.3.255", "shodan"), ("5.6.7.8", "5.6.7.8", "shodan"),
        ("9.9.9.9", "9.9.9.9", "shodan"),
    ]  # fmt: skip
    assert content.refused == []


@pytest.mark.parametrize(
    ("comment", "name"),
    [
        ("# pinger1a.netsec.colostate.edu", "colostate"),
        ("# scanner1.cam.ac.uk", "cam"),
        ("# binaryedge.ninja", "binaryedge"),
        ("; Censys.io", "censys"),
        ("# cortex xpanse", "cortex xpanse"),
        ("\t#  ANSSI \t", "anssi"),
        ("# 13.249.87.125", "mass"),
        ("", "mass"),
        ("# \x1b[31mred\x07 one", "[31mred one"),
    ],
)
def test_comments(write, comment, name):
    """A comment names the organisation: a host's by its domain, an address by nothing."""
    content = _read(write("mass.txt", f"# a list of 1.1.1.1\n1.2.3.4 {comment}\n"))
    assert _rows(content) == [("1.2.3.4", "1.2.3.4", name)]


@pytest.mark.parametrize(
    "text",
    [
        "address,organisation\n1.2.3.4,Acme Scans\n1.2.4.0/24,\n",
        "Company;x,IP\nAcme Scans,1.2.3.4\nAcme Scans,1.2.4.0/24\n".replace("Company;x", "Company"),
        "country,network,as_organization\nDE,1.2.3.4,Acme Scans\nDE,1.2.4.0/24,acme\n",
        '1.2.3.4,"Acme Scans",x\n1.2.4.0/24,acme\n',
        "\ufeff# made today\nnetwork,owner\n1.2.3.4-1.2.3.4,Acme Scans\n1.2.4.0 - 1.2.4.255,acme\n",
    ],
)
def test_csv(write, text):
    """A CSV of addresses or networks and owners, in any order of columns, with or without heads."""
    rows = _rows(_read(write("acme.csv", text)))
    assert [row[:2] for row in rows] == [("1.2.3.4", "1.2.3.4"), ("1.2.4.0", "1.2.4.255")]
    assert rows[0][2] == "Acme Scans"
    assert rows[1][2].lower() in ("acme", "acme scans")


def test_bad_lines_are_named(write):
    """A line that is no network is named by file and number, and the others are taken."""
    path = write(
        "mixed.txt", "1.2.3.4\n/w00tw00t # x\nC91.1.2.3\n1.2.3.4/33\n5.6.7.8-1.2.3.4\n8.8.8.8\n"
    )
    content = _read(path)
    assert len(_rows(content)) == 2
    assert [(r.file, r.line) for r in content.refused] == [("mixed.txt", n) for n in (2, 3, 4, 5)]
    table = write("mixed.csv", 'network,org\n1.2.3.4,a\nnope,b\n\n"1.2.3.\n4",c\n')
    assert [r.line for r in _read(table).refused] == [3, 6]


@pytest.mark.parametrize(
    "body", ["", "# nothing\n", "only words\nmore\n", "a,b\nc,d\n", b"\0\xff" * 99]
)
def test_nothing_in_it(write, body):
    """A file without one network is an error that says what a list looks like."""
    with pytest.raises(SourceError, match="one a line"):
        read_labels([write("x.csv", body)])


@given(st.binary(max_size=300))
def test_any_bytes(tmp_path_factory, body):
    """Whatever bytes a file is of, it is read, with bad lines named, or refused in a sentence."""
    path = tmp_path_factory.getbasetemp() / "any.csv"
    for head in (b"", b"network,org\n", b"service,port,proto\nssh,22,tcp\n"):
        path.write_bytes(head + body)
        try:
            for content in read_labels([path]):
                assert all(name.isprintable() for name in content.frame()["name"])
                assert all(line.text.isprintable() for line in content.refused)
        except SourceError as error:
            assert "any.csv" in str(error) or "one a line" in str(error)


def test_ports(write):
    """IANA's list is known by its heading; ranges are all their ports, nameless rows none."""
    text = (
        "Service Name,Port Number,Transport Protocol,Description\n"
        "ssh,22,tcp,The Secure Shell\nX11,6000-6002,TCP,x\n,4,tcp,Unassigned\nboot,,tcp,no port\n"
        'odd,70000,tcp,x\nbad,9-1,udp,x\n<b>"evil\u202e</b>,9,udp,x\nmany,7,dccp,x\n'
    )
    content = _read(write("ports.csv", text))
    assert content.kind == "ports"
    tcp, udp = 6 * 65536, 17 * 65536
    assert dict(content.frame().iter_rows()) == {
        tcp + 22: "ssh", **dict.fromkeys((tcp + 6000, tcp + 6001, tcp + 6002), "x11"),
        udp + 9: "bevilb",
    }  # fmt: skip
    assert [line.line for line in content.refused] == [6, 7]


_PLACES = {
    "1.2.3.0/24": {"country": {"iso_code": "DE"}},
    "1.2.4.0/24": {"registered_country": {"iso_code": "DE"}},
    "8.8.0.0/16": {"country": {"iso_code": "US"}},
    "9.0.0.0/8": {"country": {"iso_code": "\x1b["}},
    "2001:db8::/32": {"country": {"iso_code": "FR"}},
}


def test_countries(write):
    """A database of countries: neighbours of one country are one range, odd codes none."""
    content = _read(write("geo.mmdb", mmdb(_PLACES, "GeoLite2-Country")))
    assert content.kind == "country"
    assert _rows(content) == [
        ("1.2.3.0", "1.2.4.255", "DE"), ("8.8.0.0", "8.8.255.255", "US"),
        ("2001:db8::/64", "2001:db8:ffff:ffff::/64", "FR"),
    ]  # fmt: skip


def test_systems(write):
    """A database of autonomous systems: number and owner, without control characters."""
    records = {
        "1.2.0.0/16": {"autonomous_system_number": 64500, "autonomous_system_organization": "A\nB"},
        "1.3.0.0/16": {"autonomous_system_number": 64501},
        "1.4.0.0/16": {"autonomous_system_organization": "no number"},
    }
    content = _read(write("GeoLite2-ASN.mmdb", mmdb(records, "GeoLite2-ASN")))
    assert content.kind == "asn"
    assert [row[2] for row in _rows(content)] == ["AS64500 AB", "AS64501"]


def test_other_databases(write):
    """A damaged database, or one of something else, is refused in a sentence."""
    whole = mmdb(_PLACES, "GeoLite2-Country")
    with pytest.raises(SourceError, match="countries"):
        read_labels([write("a.mmdb", mmdb(_PLACES, "GeoIP2-Connection-Type"))])
    with pytest.raises(SourceError, match="cannot be read"):
        read_labels([write("b.mmdb", whole[: len(whole) // 2])])
    damaged = bytes(255 if 40 < n < 900 else byte for n, byte in enumerate(whole))
    with pytest.raises(SourceError):
        read_labels([write("c.mmdb", damaged)])


def test_folders(write, tmp_path):
    """Of a folder all lists are read, in order, and licences and other files are left."""
    for name in ("b/LICENSE", "README.md", "b/two.txt", "a.netset", ".hidden.txt", "x.py"):
        write(name, "1.2.3.4\n")
    assert [path.name for path in label_files([tmp_path])] == ["a.netset", "two.txt"]
    with pytest.raises(SourceError, match="does not exist"):
        label_files([tmp_path / "none"])


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_lists():
    """The lists people use: all their networks, and the five lines that are none are named."""
    content = _read(*label_files([SHARED / "scanner_lists"]))
    assert len(content.refused) == 5
    assert {line.file for line in content.refused} == {"mass_scanner.txt"}
    names = set(content.frame()["name"])
    assert {"shodan", "censys", "rapid7", "onyphe", "binaryedge", "universities"} <= names
    assert content.frame().height > 37_000


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/data")
def test_real_ports():
    """IANA's own list is known as one, whole."""
    content = _read(*label_files([SHARED / "iana_ports" / "iana_ports_slim.csv"]))
    assert (content.kind, content.refused) == ("ports", [])
    assert dict(content.frame().iter_rows())[6 * 65536 + 22] == "ssh"
