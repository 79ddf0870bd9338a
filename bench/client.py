"""A load generator that costs little: prepared requests on raw keep-alive sockets.

At a hundred requests a second it takes a few per cent of one core, which it shares with the
server that it measures.
"""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Load", "Request", "Response", "call", "get", "multipart", "prepared", "run"]

_CHUNK = 65536


@dataclass(frozen=True)
class Request:
    """A whole HTTP request as bytes, for ``host``:``port``."""

    host: str
    port: int
    raw: bytes


@dataclass(frozen=True)
class Response:
    """An answer; ``closes`` says that the server ends the connection after it."""

    status: int
    body: bytes
    closes: bool = False

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Load:
    """What a run measured; times in milliseconds."""

    clients: int
    requests: int
    seconds: float
    per_second: float
    p50: float
    p99: float
    statuses: dict[str, int]
    wrong: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def multipart(
    host: str, port: int, path: str, picture: bytes, token: str | None, field: str = "file"
) -> Request:
    """Prepare a POST of one picture, as curl -F would send it."""
    edge = "visiongate-bench-edge"
    body = (
        (
            f"--{edge}\r\nContent-Disposition: form-data; name={field!r}; filename='1.jpg'\r\n"
            "Content-Type: image/jpeg\r\n\r\n"
        )
        .replace("'", '"')
        .encode()
        + picture
        + f"\r\n--{edge}--\r\n".encode()
    )
    return prepared(host, port, "POST", path, body, f"multipart/form-data; boundary={edge}", token)


def get(host: str, port: int, path: str, token: str | None = None) -> Request:
    """Prepare a GET."""
    return prepared(host, port, "GET", path, b"", "", token)


def prepared(
    host: str,
    port: int,
    method: str,
    path: str,
    body: bytes,
    kind: str,
    token: str | None = None,
) -> Request:
    """Prepare any request with a body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{port}", f"Content-Length: {len(body)}"]
    if body:
        lines.append(f"Content-Type: {kind}")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return Request(host, port, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def call(request: Request, connection: socket.socket | None = None) -> Response:
    """Send one request, on a connection of its own unless one is given."""
    if connection is None:
        with socket.create_connection((request.host, request.port), timeout=60) as fresh:
            return call(request, fresh)
    connection.sendall(request.raw)
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(_CHUNK)
        if not more:
            raise ConnectionError("the server closed the connection")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    headers = {k.lower(): v for k, _, v in (line.partition(b": ") for line in lines[1:])}
    if b"transfer-encoding" in headers:
        raise ValueError("the answer comes in chunks, which this client does not read")
    length = int(headers.get(b"content-length", b"0"))
    while len(body) < length:
        more = connection.recv(_CHUNK)
        if not more:
            raise ConnectionError("the server closed the connection in the middle of an answer")
        body += more
    closes = headers.get(b"connection", b"").lower() == b"close"
    return Response(int(lines[0].split()[1]), body, closes)


def _connect(request: Request) -> socket.socket:
    wire = socket.create_connection((request.host, request.port), timeout=60)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return wire


def run(
    requests: Sequence[Request],
    clients: int,
    *,
    seconds: float | None = None,
    total: int | None = None,
    expected: Sequence[Any] | None = None,
) -> Load:
    """Send the requests in turn from ``clients`` connections, for a time or up to a number.

    ``expected`` holds the right answer (parsed JSON) to each request; others count as wrong.
    """
    lock = threading.Lock()
    times: list[float] = []
    statuses: Counter[str] = Counter()
    wrong = sent = 0
    start = threading.Barrier(clients + 1)
    ends: list[float] = []

    def client() -> None:
        nonlocal wrong, sent
        wire: socket.socket | None = _connect(requests[0])
        try:
            start.wait()
            end = time.perf_counter() + seconds if seconds is not None else float("inf")
            while time.perf_counter() < end:
                with lock:
                    if total is not None and sent >= total:
                        break
                    number = sent
                    sent += 1
                which = number % len(requests)
                begun = time.perf_counter()
                # A server that closes after each answer makes its clients pay for connecting.
                wire = wire or _connect(requests[0])
                answer = call(requests[which], wire)
                took = time.perf_counter() - begun
                if answer.closes:
                    wire.close()
                    wire = None
                with lock:
                    times.append(took)
                    statuses[str(answer.status)] += 1
                    if expected is not None and (
                        answer.status != 200 or answer.json() != expected[which]
                    ):
                        wrong += 1
        finally:
            if wire is not None:
                wire.close()
        ends.append(time.perf_counter())

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    took = max(ends, default=begun) - begun
    if set(statuses) != {"200"}:
        raise RuntimeError(f"not every answer was a success: {dict(statuses)}")
    if len(ends) < clients:
        raise RuntimeError(f"{clients - len(ends)} of {clients} clients broke off")
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return Load(
        clients,
        len(times),
        took,
        len(times) / took,
        cuts[49] * 1e3,
        cuts[98] * 1e3,
        dict(statuses),
        wrong,
    )
