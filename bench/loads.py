"""Load a server, and say what it did and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bench.client import Request, multipart, run
from bench.processes import cpu_seconds
from bench.servers import Running

__all__ = ["load", "uploads"]


def uploads(server: Running, path: str, bodies: Sequence[bytes]) -> list[Request]:
    """Prepare one upload of each picture, with the server's token where it has one."""
    return [multipart("127.0.0.1", server.port, path, body, server.token) for body in bodies]


def load(
    server: Running, requests: Sequence[Request], clients: int, seconds: float
) -> dict[str, float]:
    """Send the requests in turn from so many clients; the first few do not count.

    ``cpu_ms`` is the processor time of all the server's processes for a request,
    ``client_cpu_ms`` that of this load generator, which shares the machine with it.
    """
    run(requests, clients, total=2 * clients)
    used, own = cpu_seconds(server.pid), time.process_time()
    found = run(requests, clients, seconds=seconds)
    used, own = cpu_seconds(server.pid) - used, time.process_time() - own
    return {
        "per_second": found.per_second,
        "p50_ms": found.p50,
        "p99_ms": found.p99,
        "cpu_ms": used / found.requests * 1e3,
        "client_cpu_ms": own / found.requests * 1e3,
    }
