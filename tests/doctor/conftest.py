"""An installation in a temporary folder, and the command line run upon it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from db.revocations import SQLiteRevocationStore
from visiongate.doctor.cli import main
from visiongate.keys import KeyRing
from visiongate.services import build_users
from visiongate.settings import load_settings

Finding = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the doctor said. ``findings`` by subject and check, in the order said."""

    status: int
    findings: list[Finding]
    text: str

    def of(self, check: str) -> Finding:
        """Return the one finding of that check, or the worst of several."""
        found = [one for one in self.findings if one["check"] == check]
        assert found, f"nothing is said of {check!r}, only of {[f['check'] for f in self.findings]}"
        return max(found, key=lambda one: ("ok", "warn", "fail").index(one["level"]))

    def problem(self, check: str, level: str) -> str:
        """Return message and advice of a problem, which there must be."""
        found = self.of(check)
        assert found["level"] == level, found
        assert found["do"]
        assert self.status >= {"warn": 1, "fail": 2}[level]
        return f"{found['message']} -> {found['do']}"

    def well(self, check: str) -> str:
        found = self.of(check)
        assert found["level"] == "ok", found
        return str(found["message"])


Doctor = Callable[..., Answer]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that everything happens in; no setting comes from outside."""
    for name in os.environ:
        if name.startswith("VISIONGATE_") or name in ("PORT", "FLASK_DEBUG"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_PORT", "0")  # always free
    monkeypatch.setenv("VISIONGATE_BCRYPT_ROUNDS", "10")
    return tmp_path


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Doctor:
    """Return a function that examines: ``doctor("stores", PORT=80)``."""

    def run(*only: str, **changes: object) -> Answer:
        for name, value in changes.items():
            monkeypatch.setenv(f"VISIONGATE_{name}", str(value))
        capsys.readouterr()
        status = main(["--json", *(word for name in only for word in ("--only", name))])
        text = capsys.readouterr().out
        document = json.loads(text)
        findings = document["findings"]
        assert all(one["do"] for one in findings if one["level"] != "ok")
        worst = max((("ok", "warn", "fail").index(f["level"]) for f in findings), default=0)
        assert status == worst
        assert document["status"] == ("ok", "warn", "fail")[worst]
        return Answer(status, findings, text)

    return run


@pytest.fixture
def data(home: Path) -> Path:
    """A data folder as a gateway leaves it: an admin, keys, an ended token."""
    settings = load_settings()
    _, users = build_users(settings)
    users.create("root", "a password of root", role="admin")
    users.close()
    KeyRing(settings.data_dir / "keys.json").signing()
    revoked = SQLiteRevocationStore(settings.data_dir / "revoked.db")
    revoked.revoke(["some token"], 1e12)
    revoked.close()
    return home / "data"
