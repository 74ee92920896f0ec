"""Blocklists: the senders of campaigns worth blocking, for firewalls and Suricata.

A wrong entry cuts off somebody's customers, so the test is strict: of campaigns that were called
threats, senders that cannot have been forged, never a known benign scanner, never an address that
is not of the public Internet. A UDP or ICMP sender may be anybody's forgery; only those that
sent TCP are listed unless asked, for hardly anybody forges the source of a TCP scan, whose answers
would go elsewhere.
"""

import hashlib
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import polars as pl

from dante.errors import NotEnoughDataError, UsageError
from dante.export.campaigns import Campaign, Wanted, read_campaigns
from dante.labels.scanners import BenignNetworks
from dante.schema import TCP, address_text
from dante.sequences import read_sequences
from dante.store.home import Home
from dante.store.publish import read_lineage

__all__ = ["FIRST_SID", "FORMS", "SIDS", "Blocked", "Chosen", "blocklist", "choose_senders"]

FORMS: Final = ("plain", "nftables", "ipset", "suricata")
# Addresses in one Suricata rule; longer ones are slow to load.
_RULE: Final = 200
FIRST_SID: Final = 1_000_000
SIDS: Final = 1_000_000
"""Numbers of rules that Suricata's makers keep free for local ones, and how many they are."""

_HIGHEST_SID: Final = 2**31 - 1
_FIRST_IPV6: Final = 1 << 32


@dataclass(frozen=True)
class Chosen:
    """Which senders are blocked.

    Attributes:
        campaigns: of which campaigns.
        days: seen with one of them within so many days before the newest published one.
        min_days: on at least so many of these days.
        spoofable: also those that sent no TCP.
    """

    campaigns: Wanted
    days: int = 7
    min_days: int = 1
    spoofable: bool = False


@dataclass(frozen=True)
class Blocked:
    """What goes on a blocklist.

    Attributes:
        newest: the last day that was looked at.
        senders: src UInt64, campaign String (its key), sorted by campaign and src; a sender is
            with the campaign it was last seen with.
        campaigns: the campaigns by key.
        left_out: how many senders were left out, by reason.
    """

    newest: date
    senders: pl.DataFrame
    campaigns: dict[str, Campaign]
    left_out: dict[str, int]


def choose_senders(home: Home, chosen: Chosen, benign: BenignNetworks) -> Blocked:
    """Choose the senders of a blocklist.

    Raises:
        NotEnoughDataError: nothing is published, no campaign is as wanted, or what protocols the
            senders of a day used is not there to be read.
    """
    with read_lineage(home) as con:
        ((newest,),) = con.execute(
            "SELECT max(day) FROM daily WHERE $1 IS NULL OR day <= $1", [chosen.campaigns.until]
        ).fetchall()
        if newest is None:
            raise NotEnoughDataError("no day is published; run `dante backfill`")
        begin = newest - timedelta(days=chosen.days - 1)
        campaigns = {each.key: each for each in read_campaigns(con, chosen.campaigns)}
        keys = pl.DataFrame(
            [(track_id, key) for key, each in campaigns.items() for track_id in each.track_ids],
            schema={"track_id": pl.Int32, "campaign": pl.String},
            orient="row",
        )
        con.register("wanted", keys.to_arrow())
        seen: pl.DataFrame = con.sql(
            "SELECT address AS src, count(DISTINCT day) AS days, "
            "arg_max(campaign, (day, packets, campaign)) AS campaign "
            "FROM memberships JOIN wanted USING (track_id) WHERE day BETWEEN $1 AND $2 "
            "GROUP BY address ORDER BY campaign, src",
            params=[begin, newest],
        ).pl()
        days = [
            day
            for (day,) in con.execute(
                "SELECT day FROM daily WHERE day BETWEEN $1 AND $2 ORDER BY day", [begin, newest]
            ).fetchall()
        ]
    left_out = {}
    tests: list[tuple[str, pl.Series]] = [
        (f"seen on fewer than {chosen.min_days} days", seen["days"] < chosen.min_days),
        ("of no public network", _not_public(seen["src"])),
        ("known benign scanners", benign.contains(seen["src"])),
    ]
    if not chosen.spoofable and seen.height:
        tests.append(("sent no TCP, may be forged", ~_sent_tcp(home, days, seen["src"])))
    kept = pl.Series([True] * seen.height, dtype=pl.Boolean)
    for reason, refused in tests:
        left_out[reason] = int((kept & refused).sum())
        kept &= ~refused
    senders = seen.filter(kept).select("src", "campaign")
    return Blocked(newest, senders, campaigns, {k: n for k, n in left_out.items() if n})


def _not_public(senders: pl.Series) -> pl.Series:
    def public(number: int) -> bool:
        if number < _FIRST_IPV6:
            return ipaddress.IPv4Address(number).is_global
        return ipaddress.IPv6Address(number << 64).is_global

    return pl.Series([not public(number) for number in senders], dtype=pl.Boolean)


def _sent_tcp(home: Home, days: list[date], senders: pl.Series) -> pl.Series:
    """Whether each sender sent TCP on one of the days."""
    found = []
    for day in days:
        path = home.profiles(day)
        if not path.is_file():
            raise NotEnoughDataError(
                f"what protocols the senders of {day} used is not in {home.root} any more; run "
                f"`dante run {day}`, or ask for --spoofable senders too"
            )
        profiles = read_sequences(path)[0].senders.filter(pl.col("src").is_in(senders.implode()))
        tcp = pl.col("words").list.eval(pl.element() // 65536 == TCP).list.any()
        found.append(profiles.filter(tcp)["src"])
    return senders.is_in(pl.concat(found).unique().implode())


def blocklist(blocked: Blocked, form: str, *, sid: int = FIRST_SID) -> Iterator[str]:
    """A blocklist as text, in pieces.

    Args:
        blocked: what goes on it.
        form: one of `FORMS`.
        sid: the first of the `SIDS` numbers that Suricata's rules may have.

    Raises:
        UsageError: there is no such form, or the rules' numbers would be too high or too few.
    """
    if form not in FORMS:
        raise UsageError(f"there is no blocklist {form!r}; choose one of {', '.join(FORMS)}")
    every = blocked.senders.select(pl.col("src").sort())["src"]
    yield _head(blocked)
    if form == "plain":
        for key, texts in _by_campaign(blocked):
            yield f"# {_safe(blocked.campaigns[key].name)}\n"
            yield from (f"{text}\n" for text in texts)
    elif form == "nftables":
        yield from _nftables(every)
    elif form == "ipset":
        yield from _ipset(every)
    else:
        yield from _suricata(blocked, sid)


def _by_campaign(blocked: Blocked) -> Iterator[tuple[str, list[str]]]:
    for (key,), group in blocked.senders.group_by("campaign", maintain_order=True):
        yield str(key), address_text(group["src"]).to_list()


def _by_version(senders: pl.Series) -> Iterator[tuple[int, list[str]]]:
    wide = senders >= _FIRST_IPV6
    yield 4, address_text(senders.filter(~wide)).to_list()
    yield 6, address_text(senders.filter(wide)).to_list()


def _safe(text: str) -> str:
    """Letters, digits and marks that end no comment, string or rule in any of the forms."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " .,-_/()%@") else "_" for c in text)


def _head(blocked: Blocked) -> str:
    lines = [
        f"Senders of scanning campaigns until {blocked.newest}: {blocked.senders.height} of "
        f"{blocked.senders['campaign'].n_unique()} campaigns.",
        *(f"Left out: {n} {reason}." for reason, n in blocked.left_out.items()),
    ]
    return "".join(f"# {line}\n" for line in lines)


def _nftables(senders: pl.Series) -> Iterator[str]:
    yield (
        "# Load with `nft -f FILE`, which replaces the sets' elements in one step; then use them:\n"
        "#   ip saddr @senders4 drop\n#   ip6 saddr @senders6 drop\n"
        "add table inet dante\n"
    )
    for version, texts in _by_version(senders):
        name = f"inet dante senders{version}"
        yield f"add set {name} {{ type ipv{version}_addr; flags interval; }}\nflush set {name}\n"
        for start in range(0, len(texts), _RULE):
            yield f"add element {name} {{ {', '.join(texts[start : start + _RULE])} }}\n"


def _ipset(senders: pl.Series) -> Iterator[str]:
    yield "# Load with `ipset restore < FILE`, which exchanges the sets dante4 and dante6 whole.\n"
    for version, texts in _by_version(senders):
        family = "inet" if version == 4 else "inet6"
        most = max(65_536, 1 << len(texts).bit_length())
        name, new = f"dante{version}", f"dante{version}-new"
        kind = f"hash:net family {family} maxelem {most}"
        # Whatever size the set in use was made with, it is exchanged for one of the right size.
        yield f"create {new} {kind} -exist\ndestroy {new}\ncreate {new} {kind}\n"
        yield from (f"add {new} {text}\n" for text in texts)
        yield f"create {name} {kind} -exist\nswap {new} {name}\ndestroy {new}\n"


def _suricata(blocked: Blocked, sid: int) -> Iterator[str]:
    if not 0 < sid <= _HIGHEST_SID - SIDS + 1:
        raise UsageError(
            f"--sid is the first of {SIDS:,} numbers and {sid} leaves no room for them up to "
            f"{_HIGHEST_SID}; {FIRST_SID} begins those kept free for local rules"
        )
    yield (
        "# `alert` tells, once an hour and sender; write `drop` for it to block inline.\n"
        "# A rule's number stays that of its campaign's part; its revision is the newest day.\n"
    )
    revision = blocked.newest.toordinal() - date(1970, 1, 1).toordinal()
    parts = [
        (key, start // _RULE, texts[start : start + _RULE])
        for key, texts in _by_campaign(blocked)
        for start in range(0, len(texts), _RULE)
    ]
    numbers = _numbers([(blocked.campaigns[key], part) for key, part, _ in parts])
    for (key, _, texts), number in zip(parts, numbers, strict=True):
        campaign = blocked.campaigns[key]
        score = "" if campaign.score is None else f", score {campaign.score:.2f}"
        name = _safe(
            campaign.name if campaign.label is None else f"{campaign.name} {campaign.label}"
        )
        yield (
            f"alert ip [{','.join(texts)}] any -> $HOME_NET any "
            f'(msg:"DANTE campaign {name}{score}"; '
            "threshold:type limit, track by_src, seconds 3600, count 1; "
            f"classtype:network-scan; sid:{sid + number}; rev:{revision};)\n"
        )


def _numbers(rules: list[tuple[Campaign, int]]) -> list[int]:
    """A number for each rule, a campaign's n-th: the same in every export, whoever else is in it.

    Drawn from the campaign's key by a hash. Of two that draw the same the campaign born first
    keeps it and the other draws again, so it may change when that one comes or goes: of a
    thousand rules one or none.
    """
    if len(rules) > SIDS // 2:
        raise UsageError(
            f"{len(rules):,} rules are too many for {SIDS:,} numbers; ask for a higher "
            "--min-score or fewer --days"
        )
    taken: set[int] = set()
    numbers: dict[tuple[str, int], int] = {}
    for campaign, part in sorted(rules, key=lambda rule: (rule[0].first_day, rule[0].key, rule[1])):
        draw = 0
        while (number := _draw(campaign.key, part, draw)) in taken:
            draw += 1
        taken.add(number)
        numbers[campaign.key, part] = number
    return [numbers[campaign.key, part] for campaign, part in rules]


def _draw(key: str, part: int, draw: int) -> int:
    digest = hashlib.sha256("\x1f".join((key, str(part), str(draw))).encode()).digest()
    return int.from_bytes(digest[:8], "big") % SIDS
