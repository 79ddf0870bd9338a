"""Wait for servers."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

START_SECONDS = 60.0


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
