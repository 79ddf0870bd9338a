"""``python api.py``: what keeps it from serving is said in one line, at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VISIONGATE_")}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, str(ROOT / "api.py")],
            env={
                **environment,
                "VISIONGATE_DATA_DIR": str(tmp_path / "data"),
                "VISIONGATE_HOST": "127.0.0.1",
                "VISIONGATE_PORT": str(port),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"visiongate: The gateway cannot listen on 127.0.0.1, port {port}: ")
    assert line.count("127.0.0.1") == 1
    assert f"VISIONGATE_PORT={port % 65535 + 1}" in line
    assert not (tmp_path / "data").exists()
