"""Damage done to real stores, and found."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from db.revocations import SQLiteRevocationStore
from tests.doctor.conftest import Doctor


def change_user(data: Path, **changes: object) -> None:
    document = json.loads((data / "users.json").read_text())
    document["users"]["1"].update(changes)
    (data / "users.json").write_text(json.dumps(document))


def test_all_is_well(data: Path, doctor: Doctor) -> None:
    answer = doctor("stores")
    assert answer.status == 0
    assert answer.well("users") == "Accounts: 1, of them admins: 1; each one readable."
    assert "signs; older ones that verify: 0" in answer.well("signing keys")
    assert "whole; entries: 1" in answer.well("ended tokens")


def test_nobody_there(home: Path, doctor: Doctor) -> None:
    answer = doctor("stores")
    assert "adduser.py" in answer.problem("users", "warn")
    assert answer.status == 1


def test_no_admin(data: Path, doctor: Doctor) -> None:
    change_user(data, role="user")
    assert "--role admin" in doctor("stores").problem("users", "warn")


@pytest.mark.parametrize("content", [b"", b"{", b'{"users": 3}', b"\xff\xfe"], ids=repr)
def test_a_damaged_file_of_users_and_its_way_back(
    content: bytes, data: Path, doctor: Doctor
) -> None:
    good = (data / "users.json").read_bytes()
    (data / "users.json.bak").write_bytes(good)
    (data / "users.json").write_bytes(content)
    problem = doctor("stores").problem("users", "fail")
    assert "damaged" in problem
    _, _, command = problem.partition("stopped: ")
    assert os.system(command) == 0  # what it says to do, works
    assert doctor("stores").status == 0


def test_a_damaged_account(data: Path, doctor: Doctor) -> None:
    change_user(data, token_epoch="1")
    problem = doctor("stores").problem("users", "fail")
    assert "document 1" in problem


def test_an_account_that_nobody_can_log_in_to(data: Path, doctor: Doctor) -> None:
    change_user(data, password_hash="swordfish")
    problem = doctor("stores").problem("passwords", "fail")
    assert "adduser.py --passwd root" in problem
    assert "swordfish" not in problem


def test_a_name_that_cannot_be_typed(data: Path, doctor: Doctor) -> None:
    change_user(data, username="ro\x1bot")
    assert "'ro\\x1bot'" in doctor("stores").problem("names", "fail")


def test_rights_to_what_is_not_there(data: Path, doctor: Doctor) -> None:
    change_user(data, detectors=["face", "smell"])
    assert "may use smell" in doctor("stores").problem("rights", "warn")


def test_a_damaged_backup(data: Path, doctor: Doctor) -> None:
    (data / "users.json.bak").write_text("{")
    assert "rm " in doctor("stores").problem("users' backup", "warn")


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys": []}', b'{"keys": [{"kid": 1}]}'])
def test_damaged_keys(content: bytes, data: Path, doctor: Doctor) -> None:
    (data / "keys.json").write_bytes(content)
    problem = doctor("stores").problem("signing keys", "fail")
    assert "damaged" in problem
    assert "mv " in problem


def test_keys_that_others_may_read_are_left_as_they_are(data: Path, doctor: Doctor) -> None:
    (data / "keys.json").chmod(0o644)
    doctor("stores", "clock")
    assert (data / "keys.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("how", ["no database", "a torn page"])
def test_a_damaged_database(how: str, data: Path, doctor: Doctor) -> None:
    path = data / "revoked.db"
    content = bytearray(path.read_bytes())
    if how == "no database":
        content[:100] = b"x" * 100
    else:
        content[-200:] = b"\xff" * 200
    path.write_bytes(content)
    problem = doctor("stores").problem("ended tokens", "fail")
    assert "rotate --at-once" in problem


def test_a_database_in_use(data: Path, doctor: Doctor) -> None:
    store = SQLiteRevocationStore(data / "revoked.db")
    store.revoke(["another"], 1e12)
    assert (data / "revoked.db-wal").exists()
    before = sorted((p.name, p.stat().st_mtime_ns) for p in data.iterdir())
    assert "whole; entries: 2" in doctor("stores").well("ended tokens")
    assert sorted((p.name, p.stat().st_mtime_ns) for p in data.iterdir()) == before
    store.close()


@pytest.mark.parametrize("shared", [True, False])
def test_a_database_after_a_crash(
    shared: bool, data: Path, home: Path, doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteRevocationStore(data / "revoked.db")
    store.revoke(["another"], 1e12)
    crashed = home / "crashed"
    shutil.copytree(data, crashed)  # as it lies on the disk while it is open
    store.close()
    if not shared:
        (crashed / "revoked.db-shm").unlink()
    before = {p.name: p.read_bytes() for p in crashed.iterdir()}
    answer = doctor("stores", DATA_DIR=crashed)
    assert "whole; entries: 2" in answer.well("ended tokens")
    assert {p.name: p.read_bytes() for p in crashed.iterdir()} == before


def test_any_other_database_is_checked_as_well(data: Path, doctor: Doctor) -> None:
    with sqlite3.connect(data / "usage.db") as other:
        other.execute("CREATE TABLE days (name)")
    other.close()
    assert "whole" in doctor("stores").well("usage.db")
    (data / "usage.db").write_bytes(b"no database" * 100)
    assert "mv " in doctor("stores").problem("usage.db", "fail")


def test_a_database_of_another_program(data: Path, doctor: Doctor) -> None:
    (data / "revoked.db").unlink()
    with sqlite3.connect(data / "revoked.db") as other:
        other.execute("CREATE TABLE birds (name)")
    other.close()
    assert "no such table" in doctor("stores").problem("ended tokens", "fail")


def test_what_a_crash_left_behind(data: Path, doctor: Doctor) -> None:
    left = data / ".users.json.x1y2.tmp"
    left.write_text("half")
    assert doctor("stores").status == 0  # perhaps it is being written
    os.utime(left, (time.time() - 7200,) * 2)
    problem = doctor("stores").problem("leftovers", "warn")
    assert os.system(problem.partition(" -> ")[2]) == 0
    assert not left.exists()
    assert doctor("stores").status == 0
