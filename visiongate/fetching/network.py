"""Connect to addresses that were judged, each step within one time limit for all of them."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from ipaddress import ip_address
from typing import TypeAlias

import httpcore

from visiongate.errors import UrlNotAllowed, UrlTimeout, UrlUnreachable
from visiongate.fetching.addresses import Address, Reach, judge
from visiongate.fetching.hosts import Target

__all__ = ["Checked", "Clock", "Resolve", "Resolver", "system_lookup"]

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a host (and port), as text. Raises OSError."""

_MOST_ADDRESSES = 4
"""Addresses of one host that are tried, one after the other."""


class Clock:
    """What is left of the time for one picture, however many steps and hosts it takes."""

    def __init__(self, until: float) -> None:
        self._until = until

    def left(self, most: float | None = None) -> float:
        """Return the seconds that a step may take, at most ``most``. Raises: UrlTimeout."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise UrlTimeout("The picture did not arrive in the time that there was for it.")
        return left if most is None else min(left, most)


class Resolver:
    """Look up hosts within a time limit, which the system's own look-up does not take."""

    def __init__(self, resolve: Resolve, threads: int) -> None:
        self._resolve = resolve
        self._threads = ThreadPoolExecutor(threads, "resolve")

    def addresses(self, target: Target, seconds: float) -> list[Address]:
        """Return the addresses of ``target``'s host, every one of them judged.

        Raises:
            UrlUnreachable: it has none.
            UrlTimeout: it was not known in time.
            UrlNotAllowed: any of them is not to be fetched from.
        """
        waiting = self._threads.submit(self._resolve, target.host, target.port)
        try:
            found = [ip_address(text) for text in waiting.result(seconds)]
        except TooLate:
            waiting.cancel()
            raise UrlTimeout("The host of the address was not found in time.") from None
        except (OSError, UnicodeError, ValueError):
            found = []
        if not found:
            raise UrlUnreachable("The host of the address does not exist, or cannot be found now.")
        reaches = {judge(address) for address in found}
        if Reach.NEVER in reaches:
            raise UrlNotAllowed(
                "The host lies where pictures are never fetched from: at a link-local, "
                "reserved, multicast or translated address."
            )
        if Reach.PRIVATE in reaches and not target.entry.private:
            raise UrlNotAllowed(
                "The host lies in a private network. The operator can list it in "
                "VISIONGATE_URL_PRIVATE_HOSTS."
            )
        return list(dict.fromkeys(found))[:_MOST_ADDRESSES]

    def close(self) -> None:
        """Look up nothing more; what is being looked up is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def system_lookup(host: str, port: int) -> Sequence[str]:
    """Return the addresses that the system knows for a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(place[0]) for *_, place in found]


class Checked(httpcore.NetworkBackend):
    """Connect to the addresses that were judged, whatever the host's name now resolves to.

    The name stays with the request, so TLS asks for it, and checks the certificate for it.
    """

    def __init__(
        self, inner: httpcore.NetworkBackend, addresses: Sequence[Address], clock: Clock
    ) -> None:
        self._inner = inner
        self._addresses = addresses
        self._clock = clock

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - a name, which is not looked up a second time
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that takes it."""
        refused: Exception | None = None
        for address in self._addresses:
            try:
                stream = self._inner.connect_tcp(
                    str(address), port, self._clock.left(timeout), local_address, socket_options
                )
                return _Timed(stream, self._clock)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused = error
        raise refused or httpcore.ConnectError("no address")


class _Timed(httpcore.NetworkStream):
    """A stream each step of which also ends with the time for the whole picture.

    A limit for each read alone would let a server send a byte at a time for hours.
    """

    def __init__(self, inner: httpcore.NetworkStream, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._clock.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._clock.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._clock.left(timeout)
        return _Timed(self._inner.start_tls(ssl_context, server_hostname, left), self._clock)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
