"""``python -m bench``: one light scenario for real, and what the command says when it cannot."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import __main__ as command
from bench import scenarios
from bench.session import Session, key

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_light_scenario_runs_from_end_to_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "overhead", "--quick", "--seconds", "0.2"),
            *("--results", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "overhead.json").read_text())
    assert report["command"].startswith("python -m bench overhead --quick")
    assert report["machine"]["cores"] >= 1
    names = {(row["what"], row["clients"]) for row in report["rows"]}
    assert ("bare Flask route", 8) in names
    assert ("Visiongate, small picture", 1) in names
    for row in report["rows"]:
        assert row["per_second"]["median"] > 0
        assert row["p50_ms"]["median"] <= row["p99_ms"]["median"]
    assert report["ratios"][0]["aim"] == "at least 0.6"
    assert "| bare Flask route | 1 |" in done.stdout


def test_an_unknown_scenario_is_answered_with_those_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["facse"]) == 2
    assert "There is no facse; there are: faces, " in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["--seconds", "-1"], ["--rounds", "two"]])
def test_rounds_and_seconds_are_positive_numbers(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["faces", *wrong])
    assert stopped.value.code == 2


def test_a_scenario_that_fails_leaves_the_others_be_and_its_old_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(session: Session) -> None:
        for _ in session.each_round():
            session.note(key("something"), {"p50_ms": 1.0})

    def fail(session: Session) -> None:
        raise RuntimeError("the server ended with status 3")

    works = {"faces": run, "users": fail, "memory": run}
    monkeypatch.setattr(
        scenarios, "get", lambda name: SimpleNamespace(TITLE=name, PLOTS=(), run=works[name])
    )
    (tmp_path / "users.json").write_text("old")
    arguments = [*works, "--rounds", "2", "--results", str(tmp_path)]
    assert command.main(arguments) == 1
    assert "users failed: RuntimeError: the server ended with status 3" in capsys.readouterr().err
    assert (tmp_path / "users.json").read_text() == "old"
    for name in ("faces", "memory"):
        assert json.loads((tmp_path / f"{name}.json").read_text())["rounds"] == 2


def test_quick_results_do_not_replace_those_that_are_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        scenarios, "get", lambda name: SimpleNamespace(TITLE=name, run=lambda session: None)
    )
    assert command.main(["memory", "--quick"]) == 0
    assert (tmp_path / ".cache" / "bench" / "memory.json").is_file()
