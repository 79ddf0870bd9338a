"""Find ports for servers, and wait for them."""

from __future__ import annotations

import random
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

START_SECONDS = 120.0
_PORTS = range(15_000, 32_000)
"""Below those that systems give to whoever connects: none is taken before its server starts."""


def unused_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 on which nobody listens."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = random.choice(_PORTS)
            try:
                held.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            found.append(port)
    return found


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once ``port`` takes connections; raise with the log where the process ends before."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8"))
