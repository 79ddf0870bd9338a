"""A data folder that becomes read-only: under a running gateway, and before a start.

As root, the folder is an ext4 of its own in a file, which is made to give up as it does when its
disk fails (``mount -o remount,abort``): what is open can no longer be written either. Root heeds no
mode bits, and ``mount -o remount,ro`` is refused while a file is open for writing. Without root,
the mode bits of files and folders are taken away; then what is open can still be written. Root that
may not mount, as in most containers, can do neither, and the report says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from proofs.asking import OFTEN, detect, fresh, log_in, log_out
from proofs.gateway import Gateway, running
from proofs.report import Report

__all__ = ["read_only_folder"]

_BYTES = 96_000_000
_TOOLS = "mkfs.ext4", "mount", "umount"

Accounts = Callable[[Gateway], set[str]]
Add = Callable[[Gateway, str], int]


def read_only_folder(report: Report, folder: Path, accounts: Accounts, add: Add) -> None:
    """Take writing away, and give it back. ``add`` adds an account and returns its exit status."""
    folder.mkdir()
    is_mounted = os.geteuid() == 0
    if is_mounted and not _can_mount(folder / "try"):
        report.note(read_only_by="nothing, so not tried: this is root that may not mount")
        return
    report.note(read_only_by="ext4 that gave up" if is_mounted else "mode bits (not run as root)")
    with (_mounted if is_mounted else _with_modes)(folder) as disk:
        settings = {**OFTEN, "IMAGES_DIR": str(folder / "data" / "images")}
        with running(folder, **settings) as gateway:
            ended, token = fresh(gateway), fresh(gateway)
            log_out(gateway, ended)
            before = accounts(gateway)
            disk.give_up()
            _claim_that_it_goes_on(report, gateway, token)
            if is_mounted:
                status, answer = log_out(gateway, token)
                told = status, answer.get("code")
                report.holds(
                    "read-only: what must be written is told",
                    told,
                    expected=(503, "store_unavailable"),
                )
                report.note(read_only_detail=answer.get("detail"))
            report.holds("read-only: no account is added", add(gateway, "eve") != 0)
            report.holds("read-only: accounts are as before", accounts(gateway) == before)
            status = detect(gateway, headers=ended)[0]
            report.holds("read-only: an ended token stays out", status, expected=401)
        disk.stay_read_only()
        with running(folder, **settings) as gateway:
            status, answer = detect(gateway, headers=ended)
            if is_mounted:
                report.holds("started read-only: nobody gets in", status, expected=503)
                report.holds("started read-only: it says so", "read-only" in answer["detail"])
            report.holds("started read-only: lives", _lives(gateway), expected=200)
            disk.mend()
            status = detect(gateway, headers=fresh(gateway))[0]
            report.holds("writable again: detects without a restart", status, expected=200)
            status = detect(gateway, headers=ended)[0]
            report.holds("writable again: an ended token stays out", status, expected=401)
            report.holds("writable again: accounts are as before", accounts(gateway) == before)
            report.holds("writable again: accounts are added", add(gateway, "eve"), expected=0)


def _claim_that_it_goes_on(report: Report, gateway: Gateway, token: dict[str, str]) -> None:
    status, answer = detect(gateway, keep=True, headers=token)
    report.holds("read-only: pictures are answered", status, expected=200)
    told = any("not kept" in warning for warning in answer.get("warnings", ()))
    report.holds("read-only: that the picture was not kept is told", told)
    report.holds("read-only: logs in", log_in(gateway)[0], expected=200)
    report.holds("read-only: lives on", _lives(gateway), expected=200)


def _lives(gateway: Gateway) -> int:
    return requests.get(f"{gateway.address}/health/live", timeout=60).status_code


class _Disk:
    """A file system of its own in a file."""

    def __init__(self, folder: Path) -> None:
        self._image, self._place = folder / "disk", folder / "data"
        with self._image.open("wb") as file:
            file.truncate(_BYTES)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self._place.mkdir()
        self._mount()
        self._place.chmod(0o700)

    def give_up(self) -> None:
        _run("mount", "-o", "remount,abort", self._place)

    def stay_read_only(self) -> None:
        """Mend the file system, as a machine does when it starts, and mount it read-only."""
        self.leave()
        self._mount()
        _run("mount", "-o", "remount,ro", self._place)

    def mend(self) -> None:
        _run("mount", "-o", "remount,rw", self._place)

    def leave(self) -> None:
        _run("umount", self._place)

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self._place)


class _Modes:
    """A folder whose mode bits are taken away."""

    def __init__(self, folder: Path) -> None:
        self._place = folder / "data"

    def give_up(self) -> None:
        self._set(0o500, 0o400)

    def stay_read_only(self) -> None:
        """Nothing more to do."""

    def mend(self) -> None:
        self._set(0o700, 0o600)

    def _set(self, folders: int, files: int) -> None:
        for path in [self._place, *self._place.rglob("*")]:
            path.chmod(folders if path.is_dir() else files)


@contextmanager
def _mounted(folder: Path) -> Iterator[_Disk]:
    disk = _Disk(folder)
    try:
        yield disk
    finally:
        disk.leave()


@contextmanager
def _with_modes(folder: Path) -> Iterator[_Modes]:
    modes = _Modes(folder)
    try:
        yield modes
    finally:
        modes.mend()


def _can_mount(folder: Path) -> bool:
    if not all(map(shutil.which, _TOOLS)):
        return False
    folder.mkdir()
    try:
        _Disk(folder).leave()
    except subprocess.CalledProcessError:
        return False
    return True


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
