"""Which host is this machine: one verdict for locators, settings, requests and servers."""

from __future__ import annotations

import functools
import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# What getaddrinfo reads as an IPv4 address besides a.b.c.d: 127.1, 0x7f.0.0.1, 2130706433.
_NUMERIC_HOST = re.compile(r"(0[xX][0-9a-fA-F]*|[0-9]+)(\.(0[xX][0-9a-fA-F]*|[0-9]+)){0,3}")


def parse_address(host: str) -> Address | None:
    """The IP address that a host is when it is not a name, in all the spellings that a resolver takes.

    Brackets, a zone and a last dot are taken off; an IPv6 address that stands for an IPv4 one is that one.
    """
    host = host.strip("[]").rstrip(".").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _NUMERIC_HOST.fullmatch(host):
            return None
        import socket

        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@functools.lru_cache(maxsize=256)  # 2-7 µs each, asked several times for each request
def is_loopback(host: str) -> bool:
    """Whether a request to this host, with or without brackets, stays on this machine (RFC 6761: *.localhost does)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = parse_address(host)
    return address is not None and address.is_loopback


@functools.lru_cache(maxsize=256)
def is_inside(host: str) -> bool:
    """Loopback, private, link-local, unspecified ...: nothing that a public server has any business to send us to."""
    if is_loopback(host):
        return True
    address = parse_address(host)
    return address is not None and (not address.is_global or address.is_multicast)
