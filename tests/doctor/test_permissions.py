"""Rights set wrongly on real files, and found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.conftest import Doctor

ROOT = Path(__file__).resolve().parents[2]


def obey(problem: str) -> None:
    """Run the command that the advice begins with."""
    command = problem.partition(" -> ")[2]
    assert os.system(command) == 0, command


def test_all_is_well(data: Path, doctor: Doctor) -> None:
    answer = doctor("permissions")
    assert "this account's alone" in answer.well("data folder")
    assert "this account's alone" in answer.well("data files")


def test_a_folder_that_is_made_when_it_is_needed(home: Path, doctor: Doctor) -> None:
    assert "is made when" in doctor("permissions").well("data folder")
    assert not (home / "data").exists()


@pytest.mark.parametrize(("mode", "level"), [(0o777, "fail"), (0o720, "fail"), (0o755, "warn")])
def test_a_folder_open_to_others(mode: int, level: str, data: Path, doctor: Doctor) -> None:
    data.chmod(mode)
    problem = doctor("permissions").problem("data folder", level)
    assert f"{mode:04o}" in problem
    obey(problem)
    doctor("permissions").well("data folder")


@pytest.mark.parametrize("name", ["users.json", "keys.json", "revoked.db", "users.json.bak"])
def test_a_file_open_to_others(name: str, data: Path, doctor: Doctor) -> None:
    (data / name).touch()
    (data / name).chmod(0o640)
    problem = doctor("permissions").problem("data files", "fail")
    assert name in problem
    assert ("rotate --at-once" in problem) == (name == "keys.json")
    command = problem.partition(" -> ")[2].partition(" If others")[0]
    assert os.system(command) == 0
    doctor("permissions").well("data files")


def test_models_are_public(data: Path, doctor: Doctor) -> None:
    (data / "models").mkdir()
    (data / "models" / "some.onnx").touch(0o644)
    doctor("permissions").well("data files")


def test_a_file_in_the_folders_place(home: Path, doctor: Doctor) -> None:
    (home / "data").touch()
    assert "is not a folder" in doctor("permissions").problem("data folder", "fail")


def test_pictures_open_to_others(home: Path, doctor: Doctor) -> None:
    (home / "images").mkdir(0o755)
    (home / "images" / "some.jpg").touch(0o644)
    answer = doctor("permissions")
    answer.problem("pictures folder", "warn")
    answer.problem("picture files", "fail")


def test_settings_that_others_may_write(home: Path, doctor: Doctor) -> None:
    (home / "visiongate.toml").write_text("port = 5001\n")
    (home / "visiongate.toml").chmod(0o666)
    obey(doctor("permissions").problem("configuration", "fail"))
    doctor("permissions").well("configuration")


def test_a_password_in_settings_that_others_may_read(home: Path, doctor: Doctor) -> None:
    (home / ".env").write_text("VISIONGATE_RATE_LIMIT_STORAGE=redis://:hunter2@127.0.0.1\n")
    (home / ".env").chmod(0o644)
    problem = doctor("permissions").problem("configuration", "warn")
    assert "hunter2" not in problem
    obey(problem)
    doctor("permissions").well("configuration")


def test_a_model_that_others_may_write(home: Path, doctor: Doctor) -> None:
    model = home / "own.onnx"
    model.write_bytes(b"")
    model.chmod(0o666)
    (home / "visiongate.toml").write_text(f'[detectors.classify]\nmodel = "{model}"\n')
    obey(doctor("permissions").problem("own models", "fail"))
    assert all(one["check"] != "own models" for one in doctor("permissions").findings)


AS_NOBODY = """
import os, sys
from pathlib import Path
from visiongate.doctor.cli import main
data = Path("data")
data.mkdir()
(data / "users.json").touch(0o600)
if os.geteuid() == 0:
    for path in (Path("."), data, data / "users.json"):
        os.chown(path, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def as_nobody(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run as an ordinary account, whom rights hold for; root may do everything."""
    examine = 'raise SystemExit(main(["--only", "permissions"]))'
    return subprocess.run(
        [sys.executable, "-c", f"{AS_NOBODY}{script}\n{examine}"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("data.chmod(0o500)", "may not write to data"),
        ("(data / 'users.json').chmod(0o000)", "may not read and write data/users.json"),
        ("(data / 'users.json').unlink(); data.rmdir(); os.chmod('.', 0o500)", "may not be made"),
    ],
)
def test_what_this_account_may_not_use(script: str, said: str, tmp_path: Path) -> None:
    done = as_nobody(script, tmp_path)
    assert done.stderr == ""
    assert done.returncode == 2
    assert said in done.stdout
    assert "chown" in done.stdout or "install -d" in done.stdout


def test_an_ordinary_account_is_well(tmp_path: Path) -> None:
    done = as_nobody("data.chmod(0o700)", tmp_path)
    assert done.returncode == 0, done.stdout
    assert "ok\tpermissions\taccount" in done.stdout


def test_root_is_told_so(data: Path, doctor: Doctor) -> None:
    found = doctor("permissions").of("account")
    assert found["level"] == ("warn" if os.geteuid() == 0 else "ok")
