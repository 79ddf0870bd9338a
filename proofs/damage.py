"""Damage: a full disk, broken files, replaced files. Each is told, and mended without loss.

For each: what the gateway says while it lasts, that it goes on otherwise, and that all is as
before once it is mended as the message and docs/operations.md say.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from db.tinydb_store import TinyDBUserStore
from proofs.asking import OFTEN, detect, fresh, log_in, log_out
from proofs.gateway import PASSWORD, ROOT, Gateway, environment_of, running
from proofs.model_files import cut_off_between_runs, damaged_while_running
from proofs.processes import family
from proofs.read_only import read_only_folder
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]


def prove(report: Report, folder: Path, _scale: Scale) -> None:
    """Break one thing after another, of one gateway."""
    with running(folder, **OFTEN) as gateway:
        report.holds("all is well at first", detect(gateway)[0], expected=200)
        for fault in (_disk_full, _users_damaged, _keys_damaged):
            fault(report, gateway)
            report.holds(f"after {fault.__name__[1:]}: detects", detect(gateway)[0], expected=200)
            report.holds(f"after {fault.__name__[1:]}: logs in", log_in(gateway)[0], expected=200)
    _keys_damaged_at_start(report, folder)
    _revocations_damaged(report, folder)
    damaged_while_running(report, folder)
    cut_off_between_runs(report, folder)
    read_only_folder(
        report, folder / "disk", _users, lambda gateway, name: _adduser(gateway, name).returncode
    )


def _disk_full(report: Report, gateway: Gateway) -> None:
    """Let no file of the gateway grow any more, its log's included, by the kernel's limit."""
    before = _users(gateway)
    token = fresh(gateway)
    with _limited(gateway, 0):
        status, answer = detect(gateway, keep=True)
        report.holds("full disk: pictures are answered", status, expected=200)
        told = any("not kept" in warning for warning in answer.get("warnings", ()))
        report.holds("full disk: that the picture was not kept is told", told)
        status, answer = log_out(gateway, token)
        report.holds("full disk: what must be written is 503", status, expected=503)
        report.note(full_disk_detail=answer.get("detail", answer))
        report.holds(
            "full disk: lives on",
            requests.get(f"{gateway.address}/health/live", timeout=60).status_code,
            expected=200,
        )
    report.none("full disk: accounts lost", before ^ _users(gateway))
    status, answer = detect(gateway, keep=True)
    report.holds("with room again, pictures are kept", bool(answer.get("retained")))


def _users_damaged(report: Report, gateway: Gateway) -> None:
    path = gateway.folder / "data" / "users.json"
    # A second change, so that there is a state before the last one.
    _adduser(gateway, "bob")
    whole, before = path.read_bytes(), _users(gateway)
    for how, content in (("half-written", whole[: len(whole) // 2]), ("garbage", b"\0" * 500)):
        path.write_bytes(content)
        status, answer = log_in(gateway)
        report.holds(f"users {how}: told as 503", status, expected=503)
        report.holds(
            f"users {how}: the way back is named",
            ".bak" in answer.get("detail", "") or ".bak" in gateway.log.read_text(),
        )
        report.holds(f"users {how}: nobody gets in", detect(gateway)[0], expected=503)
        changed = _adduser(gateway, "eve").returncode
        report.holds(
            f"users {how}: no change overwrites it",
            (changed != 0, path.read_bytes() == content),
            expected=(True, True),
        )
        path.write_bytes(whole)
    path.write_bytes((gateway.folder / "data" / "users.json.bak").read_bytes())
    report.holds(
        "users from .bak: those before the last change", _users(gateway), expected=before - {"bob"}
    )
    path.write_bytes(whole)


def _keys_damaged(report: Report, gateway: Gateway) -> None:
    path = gateway.folder / "data" / "keys.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    status, answer = detect(gateway)
    told = status, answer.get("code")
    report.holds(
        "keys damaged while running: nobody gets in", told, expected=(503, "store_unavailable")
    )
    report.holds("keys damaged: the way back is named", "delete it" in answer.get("detail", ""))
    path.write_bytes(whole)


def _keys_damaged_at_start(report: Report, folder: Path) -> None:
    path = folder / "data" / "keys.json"
    whole = path.read_bytes()
    path.write_bytes(b"{")
    done = subprocess.run(
        [sys.executable, str(ROOT / "api.py")],
        env=environment_of(folder, 0, {}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    report.holds("keys damaged at start: does not start", done.returncode, expected=1)
    report.holds("keys damaged at start: says so in one line", done.stderr.count("\n"), expected=1)
    report.note(keys_at_start=done.stderr.strip())
    path.write_bytes(whole)


def _revocations_damaged(report: Report, folder: Path) -> None:
    path = folder / "data" / "revoked.db"
    with running(folder, **OFTEN) as gateway:
        ended = fresh(gateway)
        requests.post(f"{gateway.address}/api/v1/logout", headers=ended, timeout=60)
        report.holds("an ended token stays out", detect(gateway, headers=ended)[0], expected=401)
    files = [one for one in path.parent.glob("revoked.db*") if one.suffix != ".lock"]
    for one in files:
        one.write_bytes(b"\xff" * one.stat().st_size)
    with running(folder, **OFTEN) as gateway:
        status, answer = detect(gateway, headers=ended)
        report.holds("ended tokens damaged: nobody gets in", status, expected=503)
        log = gateway.log.read_text()
        told = "rotate --at-once" in answer.get("detail", "") or "rotate --at-once" in log
        report.holds("ended tokens damaged: the way back is named", told)
    for one in files:
        one.rename(one.with_name(f"damaged-{one.name}"))
    environment = environment_of(folder, 0, {})
    command = [sys.executable, "-m", "visiongate.keys", "rotate", "--at-once"]
    subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True)
    with running(folder, **OFTEN) as gateway:
        report.holds("mended: it still stays out", detect(gateway, headers=ended)[0], expected=401)
        report.holds("mended: others log in", detect(gateway)[0], expected=200)


@contextmanager
def _limited(gateway: Gateway, most: int) -> Iterator[None]:
    """Let no file grow beyond ``most`` bytes, for all of the gateway's processes."""
    pids = family(gateway.pid)
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def _users(gateway: Gateway) -> set[str]:
    store = TinyDBUserStore(gateway.folder / "data" / "users.json")
    return {user.username for user in store.list()}


def _adduser(gateway: Gateway, name: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, str(ROOT / "adduser.py"), "-u", name, "--password-stdin"],
        input=PASSWORD.encode(),
        env=environment_of(gateway.folder, 0, {}),
        cwd=gateway.folder,
        capture_output=True,
    )
