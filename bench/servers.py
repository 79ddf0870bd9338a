"""Start and stop what is measured: the gateway and its peers, each in processes of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Request, call, prepared

__all__ = ["Running", "gateway", "litserve", "resident_megabytes"]

ROOT = Path(__file__).resolve().parents[1]
_PASSWORD = "bench-password"


@dataclass(frozen=True)
class Running:
    """A server that answers; ``ready_seconds`` is the time from its start to that."""

    port: int
    pid: int
    ready_seconds: float
    token: str | None = None


@contextmanager
def gateway(data: Path, **settings: str) -> Iterator[Running]:
    """Run ``api.py`` with its own users, ready for faces, and log in."""
    port = _free_port()
    names = {f"VISIONGATE_{name.upper()}": value for name, value in settings.items()}
    environment = {
        **os.environ,
        "VISIONGATE_DATA_DIR": str(data),
        "VISIONGATE_IMAGES_DIR": str(data / "images"),
        "VISIONGATE_PORT": str(port),
        "VISIONGATE_LOG_LEVEL": "error",
        **names,
    }
    subprocess.run(
        [sys.executable, "adduser.py", "-u", "bench", "--password-stdin", "--force"],
        input=_PASSWORD,
        text=True,
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with _process([sys.executable, "api.py"], environment, port, "/health/ready") as running:
        body = f'{{"username":"bench","password":"{_PASSWORD}"}}'.encode()
        login = prepared("127.0.0.1", port, "POST", "/api/v1/login", body, "application/json", None)
        yield Running(port, running.pid, running.ready_seconds, call(login).json()["access_token"])


@contextmanager
def litserve(data: Path, engine: str) -> Iterator[Running]:
    """Run LitServe with the same network; ``engine`` is ``opencv`` or ``openvino``."""
    port = _free_port()
    command = [sys.executable, "-m", "bench.peers.litserve_face", "--port", str(port)]
    environment = {**os.environ, "BENCH_DATA": str(data)}
    with _process([*command, "--engine", engine], environment, port, "/health") as running:
        yield running


def resident_megabytes(pid: int) -> float:
    """Return the memory of a process and its children, shared pages counted once (PSS)."""
    total = 0
    for process in _family(pid):
        try:
            rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += next(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:")
    return total / 1024


@contextmanager
def _process(
    command: list[str], environment: dict[str, str], port: int, path: str
) -> Iterator[Running]:
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        _wait(process, port, path)
        yield Running(port, process.pid, time.perf_counter() - begun)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, path: str, limit: float = 60.0) -> None:
    probe = Request("127.0.0.1", port, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    end = time.perf_counter() + limit
    answer = "no answer"
    while time.perf_counter() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            response = call(probe)
            if response.status == 200:
                return
            answer = f"{response.status}: {response.body[:500]!r}"
        except (OSError, IndexError, ValueError):
            pass
        time.sleep(0.02)
    raise RuntimeError(f"not ready after {limit:.0f} s; {path} says {answer}")


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found.extend(_family(int(child)))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
