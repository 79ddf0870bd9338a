"""Judge an IP address: public, private, or one that nothing is ever fetched from.

The networks are those of IANA's special-purpose registries (RFC 6890), written out here because
``ipaddress.is_global`` says different things in different versions of Python.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

__all__ = ["Address", "Reach", "judge"]

Address: TypeAlias = IPv4Address | IPv6Address


class Reach(Enum):
    """From where an address can be fetched."""

    PUBLIC = "public"
    """The whole internet can reach it."""
    PRIVATE = "private"
    """This machine or its own networks; only for hosts that the operator lists as such."""
    NEVER = "never"
    """Nothing that serves pictures lies there: metadata of clouds, multicast, reserved."""


_PRIVATE_4 = tuple(
    map(
        IPv4Network,
        (
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by a carrier's customers; overlay networks use it too
            "127.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
        ),
    )
)
_NEVER_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this host": Linux takes it for loopback
            "100.100.100.200/32",  # metadata of a cloud
            "168.63.129.16/32",  # metadata of a cloud, though in a public range
            "169.254.0.0/16",  # link-local, and metadata of most clouds
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_PRIVATE_6 = (IPv6Network("::1/128"), IPv6Network("fc00::/7"))
_NEVER_6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, ORCHID and other protocols' own
            "2001:db8::/32",
            "2002::/16",  # 6to4 carries an IPv4 address that the relay would reach
            "3fff::/20",
            "fd00:ec2::254/128",  # metadata of a cloud
        ),
    )
)
_PUBLIC_6 = IPv6Network("2000::/3")
"""All that IANA has given out; what lies elsewhere is special or not in use."""
_NAT64 = IPv6Network("64:ff9b::/96")


def judge(address: Address) -> Reach:
    """Tell from where ``address`` can be fetched.

    Addresses that carry another one inside (IPv4-mapped, 6to4, Teredo) are never fetched from.
    NAT64's own is the exception (RFC 6052), because where it is used every public IPv4 host has
    one; it is judged by what it carries.
    """
    if isinstance(address, IPv4Address):
        if any(address in network for network in _NEVER_4):
            return Reach.NEVER
        private = any(address in network for network in _PRIVATE_4)
        return Reach.PRIVATE if private else Reach.PUBLIC
    if address.scope_id is not None or any(address in network for network in _NEVER_6):
        return Reach.NEVER
    if address in _NAT64:
        inner = judge(IPv4Address(int(address) & 0xFFFF_FFFF))
        return inner if inner is Reach.PUBLIC else Reach.NEVER
    if any(address in network for network in _PRIVATE_6):
        return Reach.PRIVATE
    return Reach.PUBLIC if address in _PUBLIC_6 else Reach.NEVER
