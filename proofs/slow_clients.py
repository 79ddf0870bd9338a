"""Slow clients: none of them holds a thread, and each is given up in its time.

More of each kind than the gateway has threads, all at once and with no proxy in front: headers
that come byte by byte (slowloris), connections that say nothing, bodies at 100 bytes a second,
answers that nobody reads, and connections that the client never closes. Beside them another
client is answered as if they were not there.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

import requests

from proofs.gateway import Gateway, running
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["KINDS", "prove"]

_THREADS = 4
_EACH = 3 * _THREADS
_LIMIT_SECONDS = 5.0
"""For an answer beside slow clients; without them it takes milliseconds, but machines are busy."""


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Try each kind alone, then see when those that send are given up."""
    with running(folder, THREADS=str(_THREADS), MAX_WAITING="8") as gateway:
        _ask(gateway)
        report.note(threads=_THREADS, slow_clients_of_each_kind=_EACH, alone_ms=_ask(gateway) * 1e3)
        for name, open_one in KINDS.items():
            slow = [open_one(gateway) for _ in range(_EACH)]
            try:
                time.sleep(0.3)
                slowest = max(_ask(gateway) for _ in range(3))
                report.at_most(
                    f"slowest answer beside {name}, ms", slowest * 1e3, _LIMIT_SECONDS * 1e3
                )
            finally:
                for one in slow:
                    one.close()
        if not scale.is_short:
            _given_up(report, gateway)


def _given_up(report: Report, gateway: Gateway) -> None:
    """Drip headers and bodies until the gateway has had enough."""
    for name, beginning, limit in (
        ("headers", b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nX-A: ", 10.0),
        ("a body", _post(gateway, 100_000), 25.0),
    ):
        wire = _connect(gateway)
        wire.sendall(beginning)
        begun, got = time.monotonic(), b""
        wire.settimeout(0.1)
        while time.monotonic() < begun + 3 * limit:
            try:
                wire.sendall(b"xxxxxxxxxx")  # 100 bytes a second
                got += wire.recv(4096) or b"(closed)"
            except TimeoutError:
                continue
            except OSError:
                break
            if got:
                break
        seconds = time.monotonic() - begun
        wire.close()
        status = re.match(rb"HTTP/1.1 (\d+)", got)
        report.holds(
            f"what {name} at 100 B/s is told", status and status[1].decode(), expected="408"
        )
        report.at_most(f"when {name} at 100 B/s is told, s", seconds, limit + 5.0)


def _ask(gateway: Gateway) -> float:
    """Return how long a small request takes that needs a thread, on a connection of its own."""
    begun = time.monotonic()
    answer = requests.get(f"{gateway.address}/api/v1/me", headers=gateway.headers, timeout=60)
    if answer.status_code != 200:
        raise RuntimeError(f"answered {answer.status_code}: {answer.text}")
    return time.monotonic() - begun


def _connect(gateway: Gateway) -> socket.socket:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def _post(gateway: Gateway, length: int, more: str = "") -> bytes:
    return (
        "POST /api/v1/detect/face HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        f"Authorization: Bearer {gateway.tokens['access_token']}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


def _sending(data: Callable[[Gateway], bytes]) -> Callable[[Gateway], socket.socket]:
    def begin(gateway: Gateway) -> socket.socket:
        wire = _connect(gateway)
        wire.sendall(data(gateway))
        return wire

    return begin


def _not_reading(gateway: Gateway) -> socket.socket:
    """Ask for more than the sockets hold, and take none of it."""
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.connect((host, int(port)))
    wire.sendall(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    return wire


KINDS: dict[str, Callable[[Gateway], socket.socket]] = {
    "connections that say nothing": _connect,
    "headers that do not end": _sending(lambda _: b"GET / HTTP/1.1\r\nHost: x\r\nX-A: b"),
    "bodies that do not come": _sending(lambda gateway: _post(gateway, 100_000) + b"x" * 1000),
    "bodies that wait to be asked for": _sending(
        lambda gateway: _post(gateway, 100_000, "Expect: 100-continue\r\n")
    ),
    "bodies in chunks that do not end": _sending(
        lambda gateway: (
            _post(gateway, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            + b"5\r\nxxxxx\r\n"
        )
    ),
    "bodies without a token": _sending(
        lambda _: b"POST /api/v1/detect/face HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nx"
    ),
    "bodies that are announced too large": _sending(lambda gateway: _post(gateway, 10**9)),
    "answers that nobody reads": _not_reading,
    "connections that are never closed": _sending(
        lambda _: b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    ),
    "nonsense that is never closed": _sending(lambda _: b"\0\r\n\r\n"),
}
