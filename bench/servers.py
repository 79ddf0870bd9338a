"""Start and stop what is measured: the gateway and its peers, each in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import Request, Response, call, get, multipart, prepared
from bench.processes import cpu_seconds, peak_megabytes

__all__ = ["PASSWORD", "ROOT", "Running", "cold_start", "gateway", "log_in", "peer"]

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "bench-password"
_USER = "bench"


@dataclass(frozen=True)
class Running:
    """A server that answers; ``ready_seconds`` is the time from its start to that."""

    port: int
    pid: int
    ready_seconds: float
    token: str | None = None


@contextmanager
def gateway(
    data: Path, settings: Mapping[str, str], *, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run ``api.py`` until every detector that can be ready is, and log in."""
    port = free_port()
    env = _environment(data, port, settings) | dict(environment or {})
    _add_user(data, settings)
    with _process([sys.executable, "api.py"], env) as process:
        seconds = _wait(process, port, "/health/ready")
        yield Running(port, process.pid, seconds, log_in(port))


def cold_start(
    data: Path, path: str, picture: bytes, token: str, settings: Mapping[str, str]
) -> dict[str, float]:
    """Start a gateway, send it a picture as soon as it takes one, and stop it.

    Returns the seconds from the start of the process to that answer and to ready, and the
    processor time used by then. ``token`` was made by an earlier gateway on the same data folder.
    """
    port = free_port()
    env = _environment(data, port, settings)
    request = multipart("127.0.0.1", port, path, picture, token)
    begun = time.perf_counter()
    with _process([sys.executable, "api.py"], env) as process:
        answer = _first_answer(process, request)
        first = time.perf_counter() - begun
        if answer.status != 200 or not answer.json():
            raise RuntimeError(f"the first answer is {answer.status}: {answer.body[:300]!r}")
        _wait(process, port, "/health/ready")
        ready = time.perf_counter() - begun
        return {
            "first_face_s": first,
            "ready_s": ready,
            "ready_cpu_s": cpu_seconds(process.pid),
            "peak_mb": peak_megabytes(process.pid),
        }


@contextmanager
def peer(
    module: str, *arguments: str, health: str, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a module of ``bench.peers`` that listens on ``--port``."""
    port = free_port()
    command = [sys.executable, "-m", f"bench.peers.{module}", "--port", str(port), *arguments]
    with _process(command, {**os.environ, **(environment or {})}) as process:
        seconds = _wait(process, port, health)
        yield Running(port, process.pid, seconds)


def _add_user(data: Path, settings: Mapping[str, str]) -> None:
    """Give this data folder its one user, once: making it anew would end its tokens."""
    # Of the gateway's own cost, or its first login would hash the password anew.
    cost = {name: value for name, value in settings.items() if name == "bcrypt_rounds"}
    done = data / "bench-user"
    if done.exists():
        return
    subprocess.run(
        [sys.executable, "adduser.py", "-u", _USER, "--password-stdin"],
        input=PASSWORD,
        text=True,
        cwd=ROOT,
        env=_environment(data, 0, cost),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    done.touch()


def log_in(port: int, username: str = _USER) -> str:
    """Return an access token."""
    body = json.dumps({"username": username, "password": PASSWORD}).encode()
    answer = call(prepared("127.0.0.1", port, "POST", "/api/v1/login", body, "application/json"))
    if answer.status != 200:
        raise RuntimeError(f"the login was answered {answer.status}: {answer.body[:300]!r}")
    return str(answer.json()["access_token"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(data: Path, port: int, settings: Mapping[str, str]) -> dict[str, str]:
    names = {f"VISIONGATE_{name.upper()}": value for name, value in settings.items()}
    return {
        **os.environ,
        "VISIONGATE_DATA_DIR": str(data),
        "VISIONGATE_IMAGES_DIR": str(data / "images"),
        "VISIONGATE_PORT": str(port),
        "VISIONGATE_LOG_LEVEL": "error",
        **names,
    }


@contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _first_answer(process: subprocess.Popen[bytes], request: Request) -> Response:
    while True:
        try:
            return call(request)
        except ConnectionRefusedError:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode}") from None
            time.sleep(0.002)


def _wait(process: subprocess.Popen[bytes], port: int, path: str, limit: float = 120.0) -> float:
    """Return how long it took until the server answered 200 for ``path``."""
    probe = get("127.0.0.1", port, path)
    begun = time.perf_counter()
    answer = "no answer"
    while time.perf_counter() < begun + limit:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode}")
        try:
            response = call(probe)
            if response.status == 200:
                return time.perf_counter() - begun
            answer = f"{response.status}: {response.body[:500]!r}"
        except (OSError, IndexError, ValueError):
            pass
        time.sleep(0.02)
    raise RuntimeError(f"not ready after {limit:.0f} s; {path} says {answer}")
