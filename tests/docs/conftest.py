"""The gateway of the pages, and a copy of the project for each of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.ports import unused_ports
from tests.docs.adaptations import PASSWORD, USER, adapt
from tests.docs.commands import blocks, make_shims
from tests.docs.reader import Served, environment, lay_out

START_SECONDS = 120.0


@pytest.fixture(scope="session")
def shims(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("around") / "shims"
    make_shims(folder)
    return folder


@pytest.fixture(scope="session")
def served(
    tmp_path_factory: pytest.TempPathFactory, shims: Path, weights: Path
) -> Iterator[Served]:
    """The gateway of the pages, with the detector that docs/writing-a-detector.md makes."""
    folder = tmp_path_factory.mktemp("served") / "visiongate"
    lay_out(folder, weights)
    (port,) = unused_ports(1)
    world = environment(shims, VISIONGATE_MODEL_MIRROR=str(weights))
    add = [".venv/bin/python", "adduser.py", "-u", USER, "--role", "admin", "--password-stdin"]
    subprocess.run(
        add, cwd=folder, env=world, input=f"{PASSWORD}\n".encode(), check=True, capture_output=True
    )
    (install,) = [
        line
        for block in blocks()
        for line in block.text.splitlines()
        if re.search(r"pip install \./my-detector", line)
    ]
    done = subprocess.run(
        ["bash", "-ec", adapt(install, "", "", folder)],
        cwd=folder,
        env=world,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    log = folder.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", "serve"],
            cwd=folder,
            env=world | {"PORT": str(port), "PYTHONPATH": "plugins"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _until_ready(address, process, log)
        yield Served(folder, address, world)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.fixture(scope="session")
def folder_of(
    tmp_path_factory: pytest.TempPathFactory, served: Served, weights: Path
) -> Callable[[str], Path]:
    """Return a function from a page to its copy; README's is the gateway's own."""
    folders = {"README.md": served.folder}

    def of(page: str) -> Path:
        if page not in folders:
            folders[page] = folder = tmp_path_factory.mktemp("page") / "visiongate"
            lay_out(folder, weights)
            (folder / "data").mkdir(mode=0o700)
            shutil.copy(served.folder / "data" / "users.json", folder / "data")
        return folders[page]

    return of


def _until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(f"{address}/health/ready", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8"))
