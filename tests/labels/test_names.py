"""Names people can say."""

import re

import pytest

from dante.labels.names import track_name

TCP, UDP = 6 * 65536, 17 * 65536


@pytest.mark.parametrize(
    ("word", "tool", "name"),
    [
        (TCP + 23, "mirai", "telnet-mirai-41"),
        (TCP + 22, "zmap", "ssh-zmap-41"),
        (TCP + 22, None, "ssh-41"),
        (UDP + 1900, None, "ssdp-41"),
        (TCP + 64819, "masscan", "tcp64819-masscan-41"),
        (None, "zmap", "sweep-zmap-41"),
        (None, None, "sweep-41"),
    ],
)
def test_a_name_says_what_a_track_does_and_with_what(
    word: int | None, tool: str | None, name: str
) -> None:
    """Service, tool where one is known, and number; one word without spaces, safe in any shell."""
    assert track_name(word, tool, 41) == name
    assert re.fullmatch(r"[a-z0-9-]+", name)
