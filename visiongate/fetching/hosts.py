"""Read addresses strictly, once, and hold them to the operator's lists of hosts.

Where two parsers read one address differently, a check by one protects nothing of the other. So
what is not plainly written is refused, and what was read here is what is connected to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from visiongate.errors import UrlFetchingOff, UrlInvalid, UrlNotAllowed

__all__ = ["Entry", "HostLists", "Target", "check_entries"]

_LONGEST = 2048
_USUAL_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label that is one of these makes inet_aton, and browsers, read a number for a host."""
_ENTRY = "must be hosts such as cam.example.com, *.example.com, 192.168.1.20:8080 or [fd00::1]"


@dataclass(frozen=True, slots=True)
class Entry:
    """One host of the operator's lists, as it is written there; ``port`` None for 80 and 443."""

    text: str
    host: str
    port: int | None
    below: bool
    """Whether it stands for the names below ``host`` (``*.example.com``) and not for itself."""
    private: bool

    def fits(self, host: str, port: int) -> bool:
        """Tell whether this entry allows that host and port."""
        named = host.endswith("." + self.host) if self.below else host == self.host
        ports = _USUAL_PORTS.values() if self.port is None else (self.port,)
        return named and port in ports


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be fetched: an address that was read and allowed; ``path`` has the query."""

    scheme: str
    host: str
    port: int
    path: str
    entry: Entry

    @property
    def authority(self) -> str:
        """The host as it stands in an address, the port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _USUAL_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


class HostLists:
    """The hosts from which pictures are fetched.

    Raises:
        ValueError: an entry is none.
    """

    def __init__(self, public: Sequence[str], private: Sequence[str]) -> None:
        self._entries = (
            *(_entry(text, private=True) for text in private),
            *(_entry(text, private=False) for text in public),
        )

    def target(self, url: object) -> Target:
        """Read an address.

        Raises:
            UrlFetchingOff: the operator has listed no host.
            UrlInvalid: it is not plainly an address of http or https.
            UrlNotAllowed: its host, or its port there, is not listed.
        """
        if not self._entries:
            raise UrlFetchingOff(
                "This gateway fetches no pictures from addresses; send the picture itself. "
                "The operator can list hosts in VISIONGATE_URL_HOSTS, and those of a private "
                "network in VISIONGATE_URL_PRIVATE_HOSTS (docs/configuration.md)."
            )
        scheme, host, port, path = _parts(url)
        for entry in self._entries:
            if entry.fits(host, port):
                return Target(scheme, host, port, path, entry)
        raise UrlNotAllowed(
            f"Pictures are not fetched from {host[:100]!r}, port {port}. The operator lists hosts, "
            "with ports other than 80 and 443, in VISIONGATE_URL_HOSTS, and those of a private "
            "network in VISIONGATE_URL_PRIVATE_HOSTS."
        )


def check_entries(entries: Iterable[str], *, private: bool) -> None:
    """Raise ValueError, which says what would fit, for the first entry that is none."""
    for text in entries:
        _entry(text, private=private)


def _entry(text: str, *, private: bool) -> Entry:
    below = text.startswith("*.")
    found = _AUTHORITY.fullmatch(text[2:] if below else text)
    if found is None:
        raise ValueError(_ENTRY)
    try:
        host = _host(found[1])
        port = None if found[2] is None else _port(found[2])
    except UrlInvalid as error:
        raise ValueError(f"{_ENTRY}: {error.detail}") from None
    if below and (private or ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2])):
        raise ValueError(f"{_ENTRY}; a private host and an IP address stand without '*.'")
    return Entry(text, host, port, below, private)


def _parts(url: object) -> tuple[str, str, int, str]:
    if not isinstance(url, str) or not url:
        raise UrlInvalid("Option 'url' must be an address such as https://example.com/1.jpg.")
    if len(url) > _LONGEST:
        raise UrlInvalid(f"The address has {len(url)} characters; at most {_LONGEST} are read.")
    if not url.isascii() or "\\" in url or any(not "!" <= char <= "~" for char in url):
        raise UrlInvalid(
            "The address has characters that must be written otherwise: international host names "
            "as xn--..., and spaces, backslashes and letters beyond ASCII as %20, %5C, %C3%A9."
        )
    found = _URL.fullmatch(url)
    if found is None:
        if _SCHEME.match(url):
            raise UrlInvalid("Only addresses that begin with http:// or https:// are fetched.")
        raise UrlInvalid("An address begins with http:// or https://.")
    scheme, authority = found[1].lower(), found[2]
    if "@" in authority:
        raise UrlInvalid(
            "Addresses with a user name or password are not fetched: addresses end up in logs."
        )
    place = _AUTHORITY.fullmatch(authority)
    if place is None:
        raise UrlInvalid("The address has no host that can be read, as in https://example.com/.")
    host = _host(place[1])
    port = _USUAL_PORTS[scheme] if place[2] is None else _port(place[2])
    path = found[3] if found[3].startswith("/") else "/" + found[3]
    return scheme, host, port, path


def _host(text: str) -> str:
    """Return a host in its one spelling: lower case, no dot at the end, no brackets."""
    text = text.lower()
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except AddressValueError:
            raise UrlInvalid("What stands in brackets is no IPv6 address.") from None
    text = text[:-1] if text.endswith(".") else text
    labels = text.split(".")
    if len(text) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise UrlInvalid("The host's name cannot be one.")
    if not _NUMBER.fullmatch(labels[-1]):
        return text
    try:
        return str(IPv4Address(text))  # four decimal numbers, none with a zero before it
    except AddressValueError:
        raise UrlInvalid(
            "An IP address is written as four numbers, such as 192.0.2.7; not as one number, "
            "octal, hexadecimal or shortened."
        ) from None


def _port(digits: str) -> int:
    port = int(digits)
    if not 1 <= port <= 65535:
        raise UrlInvalid("A port is a number from 1 to 65535.")
    return port
