"""The service families that campaigns look for, as port keys with the most tried port first.

A port key is protocol · 65,536 + `dport` as a packet carries it (ICMP: type · 256 + code).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dante.schema import ICMP, TCP, UDP, word_text

__all__ = ["ECHO", "FAMILIES", "MIRAI_FAMILIES", "WINDOWS_FAMILIES", "port_text", "udp_lengths"]


def _keys(proto: int, *ports: int) -> tuple[int, ...]:
    return tuple(proto * 65536 + port for port in ports)


ECHO: Final = ICMP * 65536 + 8 * 256

FAMILIES: Final[dict[str, tuple[int, ...]]] = {
    "telnet": _keys(TCP, 23, 2323, 26, 2223, 23231, 5523, 60023),
    "ssh": _keys(TCP, 22, 2222, 22222, 2022, 8022, 222, 10022),
    "smb": _keys(TCP, 445, 139),
    "rdp": _keys(TCP, 3389, 3388, 3390, 33899, 13389, 33389, 3399, 53389),
    "mssql": _keys(TCP, 1433, 1434, 14333, 2433, 11433),
    "mysql": _keys(TCP, 3306, 3307, 33060, 13306),
    "postgres": _keys(TCP, 5432, 5433),
    "redis": _keys(TCP, 6379, 6380, 16379, 7001),
    "adb": _keys(TCP, 5555, 5556, 4444),
    "upnp": (*_keys(UDP, 1900), *_keys(TCP, 5000, 49152)),
    "dns": (*_keys(UDP, 53), *_keys(TCP, 53, 853)),
    "ntp": _keys(UDP, 123),
    "snmp": _keys(UDP, 161, 162),
    "memcached": (*_keys(UDP, 11211), *_keys(TCP, 11211)),
    "sip": (*_keys(UDP, 5060, 5061, 5070), *_keys(TCP, 5060, 5061)),
    "http": _keys(
        TCP, 80, 8080, 81, 8000, 8443, 443, 8081, 8888, 82, 88, 8008, 8090, 9090, 8181, 60001
    ),
    "docker": _keys(TCP, 2375, 2376, 4243, 2377),
    "elasticsearch": _keys(TCP, 9200, 9300, 5601),
    "mongodb": _keys(TCP, 27017, 27018, 27019, 28017),
    "vnc": _keys(TCP, 5900, 5901, 5902, 5903),
    "winrm": _keys(TCP, 5985, 5986, 47001),
    "mikrotik": _keys(TCP, 8291, 8728, 8729),
    "tr069": _keys(TCP, 7547, 5358, 4567),
    "realtek": _keys(TCP, 52869, 49153),
    "huawei": _keys(TCP, 37215, 37777),
    "dvr": _keys(TCP, 34567, 9000, 9530, 34599),
    "hadoop": _keys(TCP, 8088, 50070, 8020, 9870),
    "kubernetes": _keys(TCP, 6443, 10250, 10255, 2379),
    "mail": _keys(TCP, 25, 587, 465, 110, 143, 993),
    "ftp": _keys(TCP, 21, 2121, 990),
    "proxy": _keys(TCP, 3128, 1080, 8118, 8123, 9999),
    "ics": _keys(TCP, 502, 102, 20000, 44818, 4840),
    "mqtt": _keys(TCP, 1883, 8883),
    "ldap": (*_keys(TCP, 389, 636), *_keys(UDP, 389)),
    "ping": (ECHO,),
}

MIRAI_FAMILIES: Final = ("telnet", "adb", "tr069", "realtek", "huawei", "dvr")
WINDOWS_FAMILIES: Final = ("smb", "rdp", "mssql", "winrm")

_UDP_LENGTHS: Final = {53: 60, 123: 36, 161: 68, 389: 67, 1900: 122, 5060: 430, 11211: 43}


def port_text(key: int) -> str:
    """A port key as people read it: `23/tcp`, `53/udp`, `8/icmp`."""
    proto, port = divmod(int(key), 65536)
    return word_text(proto * 65536 + (port // 256 if proto == ICMP else port))


def udp_lengths() -> NDArray[np.uint16]:
    """IP length of a probe by UDP port, UInt16 of 65,536: one fixed payload a service."""
    ports = np.arange(65536, dtype=np.uint32)
    lengths = (28 + ports * np.uint32(2654435761) % np.uint32(97)).astype(np.uint16)
    for port, length in _UDP_LENGTHS.items():
        lengths[port] = length
    return lengths
