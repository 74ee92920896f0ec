"""The words of the kernel's packet log, found in bulk, against a reading word by word."""

import random
import re

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from dante.sources.netfilter import FIELDS, packet_fields

MAC = "MAC=fa:16:3e:8a:b4:2d:fe:16:3e:8a:b4:2e:08:00"
IP = "SRC=203.0.113.7 DST=198.51.100.9 LEN=60 TOS=0x08 PREC=0x20 TTL=47 ID=54321 DF"
TCP = f"IN=eth0 OUT= {MAC} {IP} PROTO=TCP SPT=43210 DPT=23 WINDOW=1024 RES=0x00 SYN URGP=0 "
UDP = f"IN=eth0 OUT= {MAC} {IP} PROTO=UDP SPT=5060 DPT=53 LEN=40 "
HEADER = ("src", "dst", "length", "ttl", "ip_id")


def _slowly(message):
    """The fields of a message, word by word; a second opinion."""
    words = re.split("[\x00-\x20]", message.removesuffix("]"))
    starts = []
    for at, word in enumerate(words):
        before = at - 2 if words[at - 1].startswith("PHYS") and at > 1 else at - 1
        if word.startswith("OUT=") and at and "IN=" in words[before]:
            starts.append(at)
    fields = dict.fromkeys([*FIELDS, "tcp_flags"])
    if not starts:
        return fields
    own = words[starts[-1] + 1 :]
    own = own[: next((i for i, word in enumerate(own) if word.startswith("[")), len(own))]
    places = {}
    for at, word in enumerate(own):
        name, sign, value = word.partition("=")
        if sign and name not in places:
            places[name] = at, value
    proto = places.get("PROTO", (len(own), ""))[0]
    names = dict(FIELDS)
    if "HOPLIMIT" in places:
        names["ttl"] = "HOPLIMIT"
    for field, name in names.items():
        if name in places and (field not in HEADER or places[name][0] < proto):
            fields[field] = places[name][1]
    if "PROTO" in places and "URGP" in places:
        fields["tcp_flags"] = 0
        flags = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"]
        for word in reversed(
            [*words[: starts[-1] + 1], *own][: starts[-1] + 1 + places["URGP"][0]]
        ):
            if word not in flags:
                break
            fields["tcp_flags"] |= 1 << flags.index(word)
    return fields


WORDS = (
    f"{TCP} {UDP} TYPE=8 CODE=0 [ ] [SRC=1 ]x IN= OUT= xIN=y IN=IN=a PHYSIN=b PHYSOUT=c HOPLIMIT=9 "
    "SEQ=3 ACK=4 ACK FIN \u00e4 MACPROTO=0806 PROTO=1 PROTO XPROTO=2 ID= SRC ARP FRAG:8"
).split()
words = st.lists(st.sampled_from([*WORDS, "", "\t"]), max_size=30).map(" ".join)
soup = words | st.tuples(words, st.sampled_from(["IN=a OUT=", "xIN= OUT=b"]), words).map(" ".join)


@given(messages=st.lists(soup, max_size=8))
@settings(max_examples=300, deadline=None)
def test_fields_are_those_a_slow_reading_finds(messages):
    """Any order, repetition and nonsense of words, against one that goes word by word."""
    found = packet_fields(pl.Series(messages, dtype=pl.String))
    for row, message in zip(found.rows(named=True), messages, strict=True):
        wanted = _slowly(message)
        assert {name: row[name] for name in wanted} == wanted, message


def test_fields_are_read_alike_alone_and_among_others():
    """A message's fields never depend on its neighbours."""
    rng = random.Random(3)
    messages = pl.Series([" ".join(rng.choices(WORDS, k=rng.randint(0, 40))) for _ in range(200)])
    together = packet_fields(messages)
    alone = pl.concat([packet_fields(messages.slice(i, 1)) for i in range(200)])
    assert_frame_equal(together, alone)
