"""Setting up: the choice of a Python, and pip's settings handed to uv."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a POSIX shell finds the Python")


@pytest.fixture(scope="module")
def environment() -> ModuleType:
    spec = importlib.util.spec_from_file_location("environment", ROOT / "tools" / "environment.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder that is all of the path, with the shell in it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    return folder


def python(folder: Path, name: str, answer: str) -> None:
    """Put a program into ``folder`` that answers the probe of find-python."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{answer}'\n")
    program.chmod(0o755)


def find(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", ROOT / "tools" / "find-python"],
        env={"PATH": str(folder), **environment},
        capture_output=True,
        text=True,
    )


def test_the_first_python_that_suits_is_taken(programs: Path) -> None:
    python(programs, "python3", "old 3.9")
    python(programs, "python3.12", "good /somewhere/python3.12")
    python(programs, "python3.10", "good /somewhere/python3.10")
    assert find(programs).stdout == "/somewhere/python3.12\n"


def test_one_that_tensorflow_has_no_release_for_is_the_last_choice(programs: Path) -> None:
    python(programs, "python3", "late /somewhere/python3.14")
    found = find(programs)
    assert found.stdout == "/somewhere/python3.14\n"
    assert "Keras models will not load" in found.stderr
    python(programs, "python3.10", "good /somewhere/python3.10")
    assert find(programs).stdout == "/somewhere/python3.10\n"


def test_the_one_that_is_named_is_taken_or_refused(programs: Path) -> None:
    python(programs, "python3", "good /somewhere/python3")
    python(programs, "mine", "good /my own/python")
    assert find(programs, PYTHON=str(programs / "mine")).stdout == "/my own/python\n"
    refused = find(programs, PYTHON="/nowhere/python")
    assert refused.returncode == 1
    assert refused.stdout == ""


def test_an_old_python_is_named_with_what_to_do(programs: Path) -> None:
    python(programs, "python3", "old 3.8")
    refused = find(programs)
    assert refused.returncode == 1
    assert "needs Python 3.10 to 3.13; found: python3 (3.8)." in refused.stderr
    assert "apt install python3 python3-venv" in refused.stderr


def test_a_python_without_ensurepip_is_told_which_package_it_lacks(programs: Path) -> None:
    python(programs, "python3", "bare 3.11")
    refused = find(programs)
    assert refused.returncode == 1
    assert "sudo apt install python3.11-venv" in refused.stderr


def test_the_probe_says_of_this_python_what_is_true(programs: Path) -> None:
    found = find(programs, PYTHON=sys.executable)
    assert found.stdout.strip() == sys.executable


def test_pip_s_settings_are_read_by_their_precedence(environment: ModuleType) -> None:
    listing = "\n".join(
        [
            ":env:.index-url='https://env.example/simple'",
            "global.index-url='https://global.example/simple'",
            "install.cert='/install.pem'",
            "global.cert='/global.pem'",
            "global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'",
            "global.find-links='/one /two'",
            "list.format='columns'",
        ]
    )
    assert environment.pip_settings(listing) == {
        "index-url": "https://env.example/simple",
        "cert": "/install.pem",
        "extra-index-url": "https://a.example/simple https://b.example/simple",
        "find-links": "/one,/two",
    }


def test_what_the_user_has_set_for_uv_stays(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "pip.example")
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    given = environment.settings_for_uv(sys.executable)
    assert given["UV_DEFAULT_INDEX"] == "https://pip.example/simple"
    assert given["UV_INSECURE_HOST"] == "pip.example"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert "UV_DEFAULT_INDEX" not in environment.settings_for_uv(sys.executable)


def test_an_environment_is_usable_only_if_it_is_whole(
    environment: ModuleType, tmp_path: Path
) -> None:
    assert environment.usable(sys.executable)
    assert not environment.usable(str(tmp_path / "bin" / "python"))
    python(tmp_path, "python", "")
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    assert not environment.usable(str(tmp_path / "python"))


def test_usage_is_told_where_nothing_is_asked_for(
    environment: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert environment.main([]) == 2
    assert "environment.py FOLDER REQUIREMENTS" in capsys.readouterr().err
