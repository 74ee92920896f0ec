"""Blocklists: who is on them, who never is, and that firewalls load them."""

import dataclasses
import re
import shutil
import subprocess

import pytest

from dante.errors import NotEnoughDataError, UsageError
from dante.export import FORMS, Blocked, Chosen, Wanted, blocklist, choose_senders
from dante.labels.scanners import load_benign
from dante.schema import address_text

from .conftest import DAYS


def _chosen(**asked):
    mine = {key: asked.pop(key) for key in ("days", "min_days", "spoofable") if key in asked}
    return Chosen(Wanted(**asked), **mine)


def _benign(tmp_path, *networks):
    path = tmp_path / "benign.txt"
    path.write_text("".join(f"{network}\n" for network in networks))
    return load_benign([str(path)], tmp_path)


def _senders(home, tmp_path, *benign, **asked):
    blocked = choose_senders(home, _chosen(**asked), _benign(tmp_path, *benign))
    return set(address_text(blocked.senders["src"])), blocked.left_out


_ODD = {"185.1.1.1", "185.1.1.2"}
_TELNET = {"1.2.3.4", "1.2.3.5", "8.8.4.4", "2a01:4f8:1:2::/64"}
_DNS = {"9.9.9.9", "9.9.9.10"}


def test_who_is_on_it(home, tmp_path):
    """Senders of threats by TCP are; those of UDP alone and private ones are not, as is said."""
    senders, left_out = _senders(home, tmp_path)
    assert senders == _TELNET | _ODD
    assert left_out == {"of no public network": 1, "sent no TCP, may be forged": 2}


def test_forged_ones_if_asked(home, tmp_path):
    """Senders of UDP alone are on it when they are asked for."""
    assert _senders(home, tmp_path, spoofable=True)[0] == _TELNET | _ODD | _DNS


def test_never_a_benign_scanner(home, tmp_path):
    """A known benign scanner is not on it, IPv4 or IPv6, whatever else is asked."""
    senders, left_out = _senders(
        home, tmp_path, "1.2.3.0/24", "2a01:4f8:1::/48", "9.9.9.9", spoofable=True
    )
    assert senders == {"8.8.4.4", "9.9.9.10"} | _ODD
    assert left_out["known benign scanners"] == 4


def test_filters(home, tmp_path):
    """Score, kind, days and the least number of days choose as they say."""
    assert _senders(home, tmp_path, min_score=0.65)[0] == _TELNET
    assert _senders(home, tmp_path, kind="returned")[0] == _ODD
    assert _senders(home, tmp_path, min_days=3)[0] == _TELNET
    assert _senders(home, tmp_path, days=1)[0] == _TELNET
    assert _senders(home, tmp_path, until=DAYS[1])[0] == _TELNET
    with pytest.raises(NotEnoughDataError):
        _senders(home, tmp_path, min_score=0.99)


def test_unknown_protocols_block_nobody(own_home, tmp_path):
    """Where a day's protocols are not there any more, it is said, and nobody is blocked blindly."""
    own_home.profiles(DAYS[3]).unlink()
    with pytest.raises(NotEnoughDataError, match=r"dante run 2025-03-04.*--spoofable"):
        _senders(own_home, tmp_path)
    assert _senders(own_home, tmp_path, days=2)[0] == _TELNET | _ODD


def _blocked(home, tmp_path, **asked) -> Blocked:
    return choose_senders(home, _chosen(spoofable=True, **asked), _benign(tmp_path))


@pytest.mark.parametrize("form", FORMS)
def test_hostile_names_add_no_line(home, tmp_path, form):
    """No name ends a comment, a string or a rule: lines are those that harmless names give."""
    blocked = _blocked(home, tmp_path)
    text = "".join(blocklist(blocked, form))
    assert all(line.isprintable() for line in text.splitlines())
    tame = {
        key: dataclasses.replace(each, name="n", label=None)
        for key, each in blocked.campaigns.items()
    }
    other = "".join(blocklist(dataclasses.replace(blocked, campaigns=tame), form))
    assert len(other.split("\n")) == len(text.split("\n"))
    for line in text.splitlines():
        if form == "suricata" and line.startswith("alert"):
            assert re.fullmatch(
                r"alert ip \[[0-9a-f.:,/]+\] any -> \$HOME_NET any \(msg:\"[^\"\\;]+\"; "
                r"threshold:type limit, track by_src, seconds 3600, count 1; "
                r"classtype:network-scan; sid:\d+; rev:\d+;\)",
                line,
            )
        elif not line.startswith("#"):
            assert line in other.split("\n")


def test_plain(home, tmp_path):
    """The plain list is an address or network a line, and comments."""
    lines = "".join(blocklist(_blocked(home, tmp_path), "plain")).splitlines()
    assert {line for line in lines if not line.startswith("#")} == _TELNET | _ODD | _DNS


def test_no_such_form(home, tmp_path):
    """An unknown form and rule numbers that are too high are wrong usage."""
    blocked = _blocked(home, tmp_path)
    with pytest.raises(UsageError, match="plain, nftables"):
        list(blocklist(blocked, "iptables"))
    with pytest.raises(UsageError, match="--sid"):
        list(blocklist(blocked, "suricata", sid=2**31 - 2))


def _sids(blocked: Blocked) -> dict[tuple[str, int], int]:
    """The number of each campaign's n-th rule."""
    found: dict[tuple[str, int], int] = {}
    for line in "".join(blocklist(blocked, "suricata")).splitlines():
        if line.startswith("alert"):
            held = re.search(r"\[(.*?)\]", line)[1].split(",")[0]
            name = re.search(r'campaign (.*?)[",]', line)[1]
            part = sum(1 for key in found if key[0] == name)
            found[name, part] = int(re.search(r"sid:(\d+)", line)[1])
            assert held
    return found


def test_rules_keep_their_numbers(home, tmp_path):
    """A rule's number is the same whichever other campaigns and days are exported, and a local one.

    Each is another, also among thousands of rules, where draws meet.
    """
    every, some = _blocked(home, tmp_path), _blocked(home, tmp_path, min_score=0.75)
    later = _blocked(home, tmp_path, until=DAYS[3])
    sids = _sids(every)
    assert set(_sids(some).items()) < set(sids.items())
    assert set(_sids(later).items()) <= set(sids.items())
    many = _sids(_many(home, tmp_path, 300_000))
    assert len(many) == 3000 == len(set(many.values()))
    assert all(1_000_000 <= sid <= 1_999_999 for sid in many.values())
    fewer = _sids(_many(home, tmp_path, 150_000))
    assert set(fewer.items()) < set(many.items())


def test_suricata_loads_it(home, tmp_path):
    """Suricata itself finds no fault in its rules."""
    tool = shutil.which("suricata", path="/usr/sbin:/usr/bin:/bin")
    if tool is None:
        pytest.skip("suricata is not installed")
    (tmp_path / "dante.rules").write_text("".join(blocklist(_blocked(home, tmp_path), "suricata")))
    done = subprocess.run(
        [tool, "-T", "-S", str(tmp_path / "dante.rules"), "-l", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _many(home, tmp_path, count):
    import polars as pl

    blocked = _blocked(home, tmp_path)
    key = next(iter(blocked.campaigns))
    four = pl.Series([16_777_216 * 5 + 3 * n for n in range(count)], dtype=pl.UInt64)
    six = pl.Series([(0x2A01_04F8 << 32) + 3 * n for n in range(count)], dtype=pl.UInt64)
    src = pl.concat([four, six])
    return dataclasses.replace(
        blocked, senders=pl.DataFrame({"src": src, "campaign": [key] * src.len()})
    )


def _load(*words: str, text: str = "") -> None:
    tool = shutil.which(words[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
    if tool is None:
        pytest.skip(f"{words[0]} is not installed")
    done = subprocess.run(
        [tool, *words[1:]], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    refused = done.stderr.lower()
    if "permitted" in refused or "denied" in refused or "kernel" in refused:
        pytest.skip(f"{words[0]} may not be used here: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [0, 3000])
def test_nft_loads_it(home, tmp_path, count):
    """The firewall itself finds no fault in it, with few senders and with thousands."""
    blocked = _many(home, tmp_path, count) if count else _blocked(home, tmp_path)
    _load("nft", "-c", "-f", "-", text="".join(blocklist(blocked, "nftables")))


@pytest.mark.parametrize("count", [0, 3000])
def test_ipset_loads_it(home, tmp_path, count):
    """The kernel loads it, twice over, and exchanges sets of another size."""
    blocked = _many(home, tmp_path, count) if count else _blocked(home, tmp_path)
    # Sets of its own, so that none in use on this machine is touched.
    text = "".join(blocklist(blocked, "ipset")).replace("dante", "dantetest")
    try:
        _load("ipset", "restore", text=text)
        _load("ipset", "restore", text=text)
    finally:
        if shutil.which("ipset", path="/usr/sbin:/sbin"):
            for name in ("dantetest4", "dantetest6"):
                subprocess.run(
                    ["/usr/sbin/ipset", "destroy", name], capture_output=True, check=False
                )
