"""Fetch one picture: check, connect, follow redirects from the beginning, read within limits."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from urllib.parse import urljoin

import httpcore

from visiongate import __version__
from visiongate.errors import (
    Overloaded,
    UrlInvalid,
    UrlNotAllowed,
    UrlNotPicture,
    UrlTimeout,
    UrlTooLarge,
    UrlUnreachable,
    VisiongateError,
)
from visiongate.fetching.hosts import HostLists, Target
from visiongate.fetching.network import Checked, Clock, Resolve, Resolver, system_lookup
from visiongate.imaging import identify

__all__ = ["Fetcher"]

_AT_ONCE = 8
"""Pictures fetched at once, per process; each holds one of the server's threads."""
_REDIRECTS = 3
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 5.0
_OK = 200
_MOVED = frozenset({301, 302, 303, 307, 308})
_SIGNATURE = 16
"""Bytes that tell a picture from anything else; see ``imaging.formats``."""

_log = logging.getLogger(__name__)


class Fetcher:
    """Fetch pictures from the hosts that the operator listed. Thread-safe.

    What a server answered is never told to the caller, beyond the picture itself: it may be a
    server that the caller cannot reach.

    Args:
        hosts: entries such as ``example.com``, ``*.example.com`` or ``example.com:8443``, whose
            addresses must be public.
        private_hosts: entries without a star, whose addresses may be private.
        max_bytes: the largest picture.
        seconds: the time for one picture, from the look-up of its host to its last byte.
        resolve, backend, tls: how hosts are looked up, connected to, and trusted.

    Raises:
        ValueError: an entry is none.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        private_hosts: Sequence[str],
        *,
        max_bytes: int,
        seconds: float,
        resolve: Resolve = system_lookup,
        backend: httpcore.NetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = HostLists(hosts, private_hosts)
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._resolver = Resolver(resolve, _AT_ONCE)
        self._backend = backend or httpcore.SyncBackend()
        self._given_tls = tls
        self._places = threading.BoundedSemaphore(_AT_ONCE)
        # What it writes at the level "debug" has headers in it, and with them whole addresses.
        logging.getLogger("httpcore").setLevel(logging.INFO)

    def target(self, url: object) -> Target:
        """Read an address, and nothing else yet. Raises as ``HostLists.target``."""
        return self._hosts.target(url)

    def fetch(self, target: Target, deadline: float | None = None) -> bytes:
        """Return the bytes of the picture at ``target``.

        ``deadline`` is a reading of ``time.monotonic()`` that shortens the time there is.

        Raises:
            UrlNotAllowed: an address, or where a redirect leads, is not to be fetched from.
            UrlUnreachable: no connection, no valid certificate, or no answer that is a success.
            UrlTimeout: it took too long.
            UrlTooLarge: it went on beyond ``max_bytes``.
            UrlNotPicture: it is no picture.
            Overloaded: too many are being fetched already.
        """
        until = time.monotonic() + self._seconds
        clock = Clock(until if deadline is None else min(until, deadline))
        if not self._places.acquire(blocking=False):
            raise Overloaded(
                f"{_AT_ONCE} pictures are being fetched already, the most allowed. Try again "
                "shortly, or send the picture itself.",
                retry_after=1,
            )
        try:
            return self._follow(target, clock)
        except VisiongateError as error:
            _log.info("no picture from %s: %s", target.entry.text, error.code)
            raise
        finally:
            self._places.release()

    def close(self) -> None:
        """Let go of what look-ups hold."""
        self._resolver.close()

    def _follow(self, target: Target, clock: Clock) -> bytes:
        for _ in range(_REDIRECTS + 1):
            found = self._ask(target, clock)
            if isinstance(found, bytes):
                return found
            target = found
        raise UrlUnreachable(f"The address redirects more than {_REDIRECTS} times.")

    def _ask(self, target: Target, clock: Clock) -> bytes | Target:
        """Return the picture at ``target``, or where it is said to be."""
        addresses = self._resolver.addresses(target, clock.left(_CONNECT_SECONDS))
        backend = Checked(self._backend, addresses, clock)
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        silence = {"connect": _CONNECT_SECONDS, "read": _READ_SECONDS, "write": _READ_SECONDS}
        limits = {"timeout": silence}
        tls = self._tls if target.scheme == "https" else None
        try:
            with (
                httpcore.ConnectionPool(tls, network_backend=backend) as pool,
                pool.stream("GET", url, headers=_headers(target), extensions=limits) as got,
            ):
                if got.status in _MOVED:
                    return self._moved(target, got)
                return self._read(got)
        except httpcore.TimeoutException:
            clock.left()  # says that it was all of the time, where it was
            raise UrlTimeout("The server at the address was silent for too long.") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _unreachable(error) from None

    def _moved(self, target: Target, response: httpcore.Response) -> Target:
        # One answer for all of these: where an inner service redirects to is its own business.
        refused = UrlNotAllowed(
            "The address redirects to where pictures are not fetched from by this gateway."
        )
        place = _header(response, b"location")
        if place is None:
            raise UrlUnreachable("The address redirects to nowhere.")
        try:
            moved = self._hosts.target(urljoin(str(target), place.decode("ascii")))
        except (UrlInvalid, UrlNotAllowed, ValueError):
            raise refused from None
        if target.scheme == "https" and moved.scheme == "http":
            raise refused
        return moved

    def _read(self, response: httpcore.Response) -> bytes:
        if response.status != _OK:
            raise UrlUnreachable(
                "The server at the address did not hand out the picture. It may not be there, or "
                "may need a password, which this gateway does not send."
            )
        no_picture = UrlNotPicture("What lies at the address is no picture that can be read.")
        if (_header(response, b"content-encoding") or b"identity").lower() != b"identity":
            raise no_picture  # asked for plain bytes; a little of the others can become a lot
        length = _header(response, b"content-length")
        if length is not None and int(length) > self._max_bytes:  # digits, or h11 had refused it
            raise self._too_large()
        data = bytearray()
        known = False
        for chunk in response.iter_stream():
            data += chunk
            if len(data) > self._max_bytes:
                raise self._too_large()
            if not known and len(data) >= _SIGNATURE:
                known = identify(bytes(data[:_SIGNATURE])) is not None
                if not known:
                    raise no_picture
        if not known:  # shorter than any picture
            raise no_picture
        return bytes(data)

    def _too_large(self) -> UrlTooLarge:
        return UrlTooLarge(
            f"The picture at the address has more than {self._max_bytes} bytes. "
            "The operator's setting is VISIONGATE_MAX_UPLOAD_BYTES.",
            extra={"max_bytes": self._max_bytes},
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """What certificates are checked by: the system's authorities, and Mozilla's."""
        return self._given_tls or httpcore.default_ssl_context()


def _headers(target: Target) -> Mapping[bytes | str, bytes | str]:
    return {
        "Host": target.authority,
        "User-Agent": f"visiongate/{__version__}",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def _header(response: httpcore.Response, name: bytes) -> bytes | None:
    return next((value for key, value in response.headers if key.lower() == name), None)


def _unreachable(error: Exception) -> UrlUnreachable:
    if isinstance(error.__cause__ or error.__context__, ssl.SSLError):
        return UrlUnreachable(
            "The server at the address has no certificate that is valid for its name."
        )
    if isinstance(error, httpcore.ConnectError):
        return UrlUnreachable("The server at the address cannot be connected to.")
    return UrlUnreachable("The server at the address broke off, or did not speak HTTP.")
