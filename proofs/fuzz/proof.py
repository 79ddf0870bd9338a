"""The proof: known inputs first, then as many runs of Atheris as were asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from proofs.fuzz.targets import TARGETS, has_atheris, known
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_ROOT = Path(__file__).resolve().parents[2]
_RUNS = re.compile(r"^stat::number_of_executed_units: +(\d+)", re.M)
_MEMORY = re.compile(r"^stat::peak_rss_mb: +(\d+)", re.M)
_COVERED = re.compile(r"^#\d+\s+DONE\s+cov: (\d+) ft: \d+ corp: (\d+)/", re.M)
_MEGABYTES = 1500
"""Of a process with all that Atheris counts in it; what it may gain, ``hostile`` bounds."""


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Fuzz each target; without Atheris, only what is known is tried, and the report says so."""
    for name in TARGETS:
        tried, broken = _try_known(name)
        report.at_least(f"{name}: known inputs tried", tried, 10)
        report.none(f"{name}: known inputs that break something", broken)
    if not has_atheris():
        if not scale.is_short:
            raise RuntimeError("Atheris is not installed; `make fuzz` does that.")
        report.note(atheris="not installed here, so nothing new was looked for")
        return
    for name in TARGETS:
        _fuzz(report, folder, name, scale.number(full=100_000, short=500), scale.seed)


def _try_known(name: str) -> tuple[int, list[str]]:
    check = TARGETS[name].load().check
    tried, broken = 0, []
    for what, data in known(name):
        tried += 1
        try:
            check(data)
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            broken.append(f"{what}: {type(error).__name__}: {error}")
    return tried, broken


def _fuzz(report: Report, folder: Path, name: str, runs: int, seed: int) -> None:
    command = [sys.executable, "-m", "proofs.fuzz", name, "--folder", str(folder)]
    done = subprocess.run(
        [*command, "--runs", str(runs), "--seed", str(seed)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))},
        capture_output=True,
        text=True,
        errors="replace",
    )
    said = done.stderr
    executed, memory = (int(next(iter(one.findall(said)), 0)) for one in (_RUNS, _MEMORY))
    covered = next(iter(_COVERED.findall(said)), ("0", "0"))
    report.at_least(f"{name}: inputs run", executed, runs)
    report.none(f"{name}: findings", said[-3000:] if done.returncode else "")
    report.at_most(f"{name}: memory, MB", memory, _MEGABYTES)
    report.note(**{f"{name}_branches": int(covered[0]), f"{name}_inputs_kept": int(covered[1])})
