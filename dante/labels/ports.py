"""Service names of the ports scanners look for.

IANA's names where people use them, and common ones where IANA has none or another: 37215 is the
Huawei HG532 UPnP service (CVE-2017-17215), 52869 Realtek's (CVE-2014-8361), 7547 TR-069.
"""

from types import MappingProxyType
from typing import Final

from dante.schema import PROTOCOL_NAMES, TCP, UDP

__all__ = ["SERVICES", "service_name"]

_TCP = {
    7: "echo", 19: "chargen", 20: "ftp-data", 21: "ftp", 22: "ssh", 23: "telnet", 25: "smtp",
    53: "dns", 69: "tftp", 79: "finger", 80: "http", 81: "http-alt", 82: "http-alt", 83: "http-alt",
    84: "http-alt", 85: "http-alt", 88: "kerberos", 102: "s7comm", 110: "pop3", 111: "rpcbind",
    113: "ident", 135: "msrpc", 139: "netbios", 143: "imap", 161: "snmp", 179: "bgp", 389: "ldap",
    443: "https", 445: "smb", 465: "smtps", 502: "modbus", 512: "rexec", 513: "rlogin", 514: "rsh",
    515: "printer", 548: "afp", 554: "rtsp", 587: "submission", 593: "rpc-http", 623: "ipmi",
    631: "ipp", 636: "ldaps", 873: "rsync", 990: "ftps", 993: "imaps", 995: "pop3s",
    1023: "telnet-alt", 1080: "socks", 1099: "java-rmi", 1194: "openvpn", 1433: "mssql",
    1521: "oracle", 1723: "pptp", 1883: "mqtt", 1900: "upnp", 2000: "cisco-sccp", 2049: "nfs",
    2082: "cpanel", 2083: "cpanel", 2121: "ftp-alt", 2181: "zookeeper", 2222: "ssh-alt",
    2223: "ssh-alt", 2323: "telnet-alt", 2375: "docker", 2376: "docker", 2379: "etcd",
    2404: "iec104", 2480: "orientdb", 3000: "http-dev", 3128: "proxy", 3299: "saprouter",
    3306: "mysql", 3333: "mining", 3388: "rdp-alt", 3389: "rdp", 3390: "rdp-alt", 3690: "svn",
    4145: "mikrotik-socks", 4243: "docker", 4444: "metasploit", 4505: "salt", 4506: "salt",
    4567: "tr069-alt", 4786: "smart-install", 4848: "glassfish", 4899: "radmin", 4911: "fox",
    5000: "upnp-web", 5038: "asterisk", 5060: "sip", 5061: "sips", 5222: "xmpp", 5358: "telnet-alt",
    5432: "postgres", 5500: "vnc-reverse", 5555: "adb", 5601: "kibana", 5672: "amqp",
    5800: "vnc-web", 5900: "vnc", 5901: "vnc", 5902: "vnc", 5903: "vnc", 5938: "teamviewer",
    5984: "couchdb", 5985: "winrm", 5986: "winrm", 6000: "x11", 6379: "redis", 6443: "kubernetes",
    6667: "irc", 6789: "telnet-alt", 7001: "weblogic", 7002: "weblogic", 7547: "tr069",
    7777: "oracle-web", 8000: "http-alt", 8008: "http-alt", 8009: "ajp", 8080: "http-proxy",
    8081: "http-alt", 8082: "http-alt", 8083: "http-alt", 8086: "influxdb", 8088: "hadoop-yarn",
    8089: "splunk", 8090: "http-alt", 8118: "privoxy", 8123: "http-proxy", 8161: "activemq-web",
    8181: "http-alt", 8291: "mikrotik", 8333: "bitcoin", 8443: "https-alt", 8545: "ethereum",
    8728: "mikrotik-api", 8834: "nessus", 8888: "http-alt", 9000: "http-alt", 9001: "tor",
    9042: "cassandra", 9090: "prometheus", 9092: "kafka", 9100: "jetdirect", 9200: "elasticsearch",
    9300: "elasticsearch", 9418: "git", 9527: "ipcam", 9530: "ipcam", 9999: "http-alt",
    10000: "webmin", 10250: "kubelet", 10554: "rtsp-alt", 11211: "memcached", 12345: "netbus",
    15672: "rabbitmq", 16992: "amt", 18186: "proxy-alt", 20000: "dnp3", 22222: "ssh-alt",
    23231: "telnet-alt", 25565: "minecraft", 26: "telnet-alt", 27015: "steam", 27017: "mongodb",
    28017: "mongodb-web", 30005: "tr069-alt", 30303: "ethereum", 31337: "back-orifice",
    32764: "linksys", 34567: "dvr", 37215: "huawei", 37777: "dahua", 44818: "ethernet-ip",
    47808: "bacnet", 49152: "upnp-soap", 50000: "sap", 50050: "cobalt-strike", 50070: "hadoop",
    52869: "realtek", 55554: "adb-alt", 60001: "jaws-dvr", 61616: "activemq", 62078: "iphone-sync",
}  # fmt: skip
_UDP = {
    7: "echo", 17: "qotd", 19: "chargen", 53: "dns", 67: "dhcp", 69: "tftp", 111: "rpcbind",
    123: "ntp", 137: "netbios", 138: "netbios", 161: "snmp", 177: "xdmcp", 389: "cldap",
    427: "slp", 443: "quic", 500: "ike", 514: "syslog", 520: "rip", 523: "db2", 623: "ipmi",
    1194: "openvpn", 1434: "mssql-browser", 1604: "citrix", 1701: "l2tp", 1900: "ssdp",
    3283: "ard", 3389: "rdp", 3478: "stun", 3702: "ws-discovery", 4500: "ike-nat", 5060: "sip",
    5351: "nat-pmp", 5353: "mdns", 5683: "coap", 6881: "bittorrent", 10001: "ubiquiti",
    11211: "memcached", 17185: "vxworks", 27015: "steam", 30718: "lantronix", 32414: "plex",
    33434: "traceroute", 37810: "dahua", 47808: "bacnet", 53413: "netis",
}  # fmt: skip
_ICMP = {3: "unreachable", 8: "ping", 13: "timestamp", 17: "address-mask"}
_ICMPV6 = {128: "ping6", 135: "neighbour", 136: "neighbour"}

SERVICES: Final = MappingProxyType(
    {
        **{TCP * 65536 + port: name for port, name in _TCP.items()},
        **{UDP * 65536 + port: name for port, name in _UDP.items()},
        **{1 * 65536 + kind: name for kind, name in _ICMP.items()},
        **{58 * 65536 + kind: name for kind, name in _ICMPV6.items()},
    }
)
"""Service name by word."""


def service_name(word: int) -> str:
    """The service of a word as one lower-case token; `tcp8000`-like where none is known."""
    known = SERVICES.get(int(word))
    if known is not None:
        return known
    proto, port = divmod(int(word), 65536)
    name = PROTOCOL_NAMES.get(proto, f"ip{proto}")
    return f"{name}{port}" if proto in (1, TCP, UDP, 58, 132, 136) else name
