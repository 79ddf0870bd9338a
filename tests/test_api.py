"""``python api.py``: what keeps it from serving is said at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import api

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


def test_options_that_it_does_not_take_are_refused_not_ignored(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as refused:
        api.main(["--port", "8080"])
    assert refused.value.code == 2
    assert "unrecognized arguments: --port 8080" in capsys.readouterr().err


def test_help_says_where_settings_go(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        api.main(["--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "VISIONGATE_PORT=8080" in said
    assert "docs/configuration.md" in said


def test_the_way_to_the_first_user_is_by_the_interpreter_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert api._python() == str(Path(".venv", "bin", "python"))
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert api._python() == "python"
