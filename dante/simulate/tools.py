"""What each scanning tool and operating system writes into the headers of its probes.

Sources: Mirai's released scanner (sequence = destination, one random window and source port a
process, TTL 64, no options); ZMap until 2024 (IP ID 54321, no options) and since (random IP ID,
zmap/zmap#798; the options of Windows, zmap/zmap#855); masscan's `templ-pkt.c` (IP ID = destination
xor port xor sequence, TTL 255, window 1024, no options); nmap's SYN scan (window 1024, one MSS
option, a TTL of 37 to 59 a packet, one source port a scan); SYNs of Linux (TTL 64, 20 bytes of
options) and Windows (TTL 128, 12 bytes of options, IP ID counting up).
"""

from typing import Final, Literal, get_args

import numpy as np

__all__ = [
    "COUNTS_UP",
    "FIRST_SPORT",
    "FLAGS",
    "ICMP_ERROR",
    "ICMP_LENGTH",
    "INITIAL_TTL",
    "LINUX",
    "MASSCAN",
    "MIRAI",
    "NMAP",
    "ONE_SPORT",
    "RESET",
    "SPORTS",
    "SYN_ACK",
    "TCP_LENGTH",
    "TCP_TOOLS",
    "TOOLS",
    "WINDOWS",
    "WINDOW_CHOICES",
    "ZMAP",
    "ZMAP_NEW",
    "Tool",
]

Tool = Literal["mirai", "zmap", "zmap-new", "masscan", "nmap", "linux", "windows"]
"""Scanning tools and operating systems by the headers they write."""

TOOLS: Final[tuple[str, ...]] = get_args(Tool)
"""Their names; the index is the tool's code."""

MIRAI, ZMAP, ZMAP_NEW, MASSCAN, NMAP, LINUX, WINDOWS = range(len(TOOLS))
SYN_ACK: Final = len(TOOLS)
"""Code of a victim that answers a forged SYN."""
RESET: Final = SYN_ACK + 1
"""Code of a victim that refuses a forged packet."""
ICMP_ERROR: Final = SYN_ACK + 2
"""Code of a router that reports a forged packet undeliverable."""

TCP_TOOLS: Final = ("mirai",)
"""Tools that speak TCP only."""

# All of these by code; the last three are victims.
INITIAL_TTL: Final = np.array([64, 255, 255, 255, 37, 64, 128, 64, 64, 64], dtype=np.uint8)
"""nmap's is the lowest of its 23."""
FLAGS: Final = np.array([2, 2, 2, 2, 2, 2, 2, 0x12, 0x14, 0], dtype=np.uint8)
TCP_LENGTH: Final = np.array([40, 40, 52, 40, 44, 60, 52, 44, 40, 56], dtype=np.uint16)
ICMP_LENGTH: Final = np.array([28, 28, 28, 76, 28, 84, 60, 28, 28, 56], dtype=np.uint16)
FIRST_SPORT: Final = np.array(
    [1024, 32768, 32768, 40000, 32768, 32768, 49152, 1024, 1024, 1024], dtype=np.uint32
)
SPORTS: Final = np.array(
    [64512, 28233, 28233, 20000, 32768, 28232, 16384, 64512, 64512, 64512], dtype=np.uint32
)
"""How many source ports each draws from, from its first on."""
ONE_SPORT: Final = np.array([1, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=np.bool_)
"""Whether a process keeps one source port."""
COUNTS_UP: Final = np.array([0, 0, 0, 0, 0, 0, 1, 0, 0, 0], dtype=np.bool_)
"""Whether the IP ID counts up from packet to packet."""
WINDOW_CHOICES: Final[dict[int, tuple[int, ...]]] = {
    ZMAP: (65535,),
    ZMAP_NEW: (65535,),
    MASSCAN: (1024,),
    NMAP: (1024,),
    LINUX: (29200, 64240, 65535, 5840),
    WINDOWS: (8192, 64240, 65535),
    SYN_ACK: (28960, 65160, 14600),
    RESET: (0,),
    ICMP_ERROR: (0,),
}
"""Windows by code: the system's, kept by the sender; Mirai draws any."""
