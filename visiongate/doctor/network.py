"""Who can reach the gateway, and does what they send travel in the clear?"""

from __future__ import annotations

import errno
import ipaddress
import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.error import URLError
from urllib.parse import urlsplit

from visiongate.doctor.findings import Finding, fail, ok, warn
from visiongate.settings import PREFIX, Settings

__all__ = ["examine"]

_SECONDS = 1.0
_PROXY = (
    "Put a proxy with a certificate in front (docs/operations.md), let the gateway listen on "
    f"{PREFIX}HOST=127.0.0.1 or a network of theirs alone, and set {PREFIX}TRUSTED_PROXIES=1."
)


def examine(settings: Settings) -> Iterator[Finding]:
    yield _port(settings)
    yield from _exposure(settings)
    yield from _pages(settings)
    yield from _redis(settings)


def _port(settings: Settings) -> Finding:
    host, port = settings.host, settings.port
    check = "port"
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        return fail(check, f"{host!r} is no address: {error.strerror}.", _HOST)
    try:
        with closing(socket.socket(family, socket.SOCK_STREAM)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return _who_is_there(settings)
        if error.errno == errno.EACCES:
            do = f"{PREFIX}PORT=5000, and a proxy that listens on {port}"
            return fail(check, f"This account may not listen on port {port}.", do)
        return fail(check, f"{host} port {port} cannot be listened on: {error.strerror}.", _HOST)
    return ok(check, f"{host} port {port} is free: no gateway runs there now.")


_HOST = f"{PREFIX}HOST must be an address of this machine, such as 127.0.0.1."


def _who_is_there(settings: Settings) -> Finding:
    host = _reachable(settings.host)
    address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}/health/live"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_SECONDS) as answer:
            alive = json.loads(answer.read(10_000)).get("status") == "live"
    except (URLError, OSError, ValueError, AttributeError):
        alive = False
    if alive:
        return ok("port", f"A gateway runs at {host} port {settings.port}.")
    return fail(
        "port",
        f"Something else than a gateway that answers listens on {host} port {settings.port}.",
        f"See what it is: ss -ltnp 'sport = :{settings.port}'; end it, or choose another "
        f"{PREFIX}PORT",
    )


def _reachable(host: str) -> str:
    """Return an address under which a server that listens on ``host`` answers here."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not ip.is_unspecified:
        return host
    return "127.0.0.1" if ip.version == 4 else "::1"


def _exposure(settings: Settings) -> Iterator[Finding]:
    if _only_here(settings.host):
        yield ok("reach", f"{settings.host} can be reached from this machine alone.")
        return
    if settings.trusted_proxies == 0:
        yield warn(
            "TLS",
            f"{settings.host} can be reached from other machines; passwords, tokens and pictures "
            "travel in the clear.",
            _PROXY,
        )
        return
    yield warn(
        "proxy",
        f"X-Forwarded-For of {settings.trusted_proxies} proxies is believed, and others than "
        f"them may reach {settings.host}: who goes past them chooses the address that login "
        "attempts are counted for.",
        f"Let the proxies alone reach port {settings.port}: a firewall, or {PREFIX}HOST=127.0.0.1.",
    )


def _only_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _pages(settings: Settings) -> Iterator[Finding]:
    if "*" in settings.cors_origins:
        yield warn(
            "origins",
            "Pages of every origin may call the gateway with a token that they have.",
            f"Name the pages that should: {PREFIX}CORS_ORIGINS=https://app.example.com",
        )
    plain = [o for o in settings.cors_origins if o.startswith("http://") and not _local(o)]
    if plain:
        yield warn(
            "origins",
            f"{', '.join(plain)} can be changed on the way to the browser, and then call as yours.",
            "Serve those pages by https.",
        )
    if settings.open_routes:
        yield warn(
            "open routes",
            f"Whoever can reach these needs no token: {', '.join(settings.open_routes)}.",
            f"Unless that is meant, take them out of {PREFIX}OPEN_ROUTES.",
        )
    if not (settings.cors_origins or settings.open_routes):
        yield ok("open routes", "Every route that looks at a picture needs a token.")


def _local(origin: str) -> bool:
    return _only_here(urlsplit(origin).hostname or "")


def _redis(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.rate_limit_storage)
    if not parts.scheme.startswith("redis") or not parts.hostname:
        return
    # Never the address itself, which can hold a password.
    where = f"{parts.hostname} port {parts.port or 6379}"
    try:
        with closing(socket.create_connection((parts.hostname, parts.port or 6379), _SECONDS)):
            yield ok("Redis", f"{where} can be reached.")
    except OSError as error:
        yield warn(
            "Redis",
            f"{where} cannot be reached ({error.strerror or error}); until it can, each process "
            "counts login attempts for itself.",
            "Start it, or correct " + f"{PREFIX}RATE_LIMIT_STORAGE.",
        )
