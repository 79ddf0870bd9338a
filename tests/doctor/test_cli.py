"""The command as people and programs meet it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doctor.conftest import Doctor
from visiongate.doctor import cli
from visiongate.doctor.findings import Finding, ok

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **changes}
    return subprocess.run(
        [sys.executable, "-m", "visiongate.doctor", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, str]]:
    """Return mode, size, time and content of everything in a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        stat = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        size = stat.st_size if path.is_file() else 0
        found[str(path)] = (stat.st_mode, size, stat.st_mtime_ns, content)
    return found


def test_it_examines_everything_in_a_new_folder_and_leaves_it_as_it_was(home: Path) -> None:
    done = run()
    assert done.stderr == ""
    assert done.returncode == 1  # nobody can log in yet
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(len(line) == 5 for line in lines)
    assert list(dict.fromkeys(line[1] for line in lines)) == list(cli.SUBJECTS)
    assert {line[0] for line in lines} == {"ok", "warn"}
    assert list(home.iterdir()) == []


def test_nothing_is_changed_in_a_folder_that_was_used(data: Path, weights: Path) -> None:
    before = snapshot(data.parent)
    done = run(VISIONGATE_MODEL_MIRROR=str(weights))
    assert done.returncode in (0, 1), done.stdout
    assert snapshot(data.parent) == before


def test_broken_settings_are_a_finding(doctor: Doctor) -> None:
    answer = doctor(WORKRES="3")
    problem = answer.problem("readable", "fail")
    assert "Unknown setting VISIONGATE_WORKRES" in problem
    assert "VISIONGATE_WORKERS" in problem
    others = [one for one in answer.findings if one["subject"] != "settings"]
    assert {one["check"] for one in others} == {"not examined"}
    assert len(others) == len(cli.SUBJECTS) - 1


def test_broken_files_of_settings_are_a_finding(home: Path, doctor: Doctor) -> None:
    (home / "visiongate.toml").write_text("port = \n")
    assert "cannot be read" in doctor("settings").problem("readable", "fail")


@pytest.mark.parametrize("subject", cli.SUBJECTS)
def test_one_subject_alone(subject: str, doctor: Doctor, data: Path) -> None:
    answer = doctor(subject)
    assert {one["subject"] for one in answer.findings} == {subject}


def test_problems_alone(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "users.json").chmod(0o644)
    assert cli.main(["--problems", "--only", "permissions"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not any(line.startswith("ok") for line in lines)


def test_all_is_well_is_status_0(data: Path, doctor: Doctor) -> None:
    assert doctor("settings", "stores", "pictures", "clock").status == 0


@pytest.mark.parametrize("wrong", [["--only", "nothing"], ["--fix"], ["more"]], ids=str)
def test_wrong_usage_is_not_taken_for_a_finding(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(wrong)
    assert end.value.code == 3
    assert "usage" in capsys.readouterr().err


def test_help_names_every_subject_and_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert all(subject in said for subject in cli.SUBJECTS)
    assert "exit status: 0 all is well" in said


def test_one_failed_examination_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, doctor: Doctor
) -> None:
    def fails(settings: object) -> None:
        raise RuntimeError("something unforeseen")

    monkeypatch.setattr(cli, "SUBJECTS", {"broken": fails, "fine": lambda s: iter([ok("a", "b")])})
    answer = doctor()
    assert "RuntimeError: something unforeseen" in answer.problem("examination", "fail")
    assert answer.well("a") == "b"


def test_names_of_strangers_cannot_write_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = lambda s: iter([ok("a", "\x1b[2Jgone\ttab\nline [bold]\u202e")])  # noqa: E731
    monkeypatch.setattr(cli, "SUBJECTS", {"x": hostile})
    for terminal in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda t=terminal: t)
        cli.main([])
        said = capsys.readouterr().out
        said = re.sub(r"\n| {2,}", "", said)  # a table breaks lines where it likes
        assert "\\u001b[2Jgone\\u0009tab\\u000aline [bold]\\u202e" in said


def test_a_terminal_gets_a_table(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    (data / "users.json").chmod(0o604)
    assert cli.main(["--only", "permissions"]) == 2
    said = capsys.readouterr().out
    assert "what was found" in said
    assert "-> find" in said


def test_a_reader_that_has_seen_enough_ends_it_quietly(data: Path) -> None:
    command = f"{sys.executable} -m visiongate.doctor --only stores | head -n 0"
    done = subprocess.run(
        ["sh", "-c", command],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""


def test_a_problem_without_advice_cannot_be_said() -> None:
    with pytest.raises(ValueError, match="what to do"):
        Finding("a", "warn", "b")


def test_no_secret_is_shown(data: Path, doctor: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    stored = json.loads((data / "users.json").read_text())["users"]["1"]["password_hash"]
    secret = json.loads((data / "keys.json").read_text())["keys"][0]["secret"]
    (data / "keys.json").chmod(0o644)
    said = doctor(
        "settings",
        "permissions",
        "stores",
        "models",
        "network",
        "clock",
        RATE_LIMIT_STORAGE="redis://:hunter2@127.0.0.1:1/0",
        MODEL_MIRROR="https://anna:hunter3@127.0.0.1:1/",
    ).text
    for hidden in (stored, secret, "hunter2", "hunter3", "a password of root"):
        assert hidden not in said
