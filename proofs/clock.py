"""Clock: it steps backwards and forwards, and nobody gets in who should not, or is locked out.

The gateway runs with a small library before the C library (``clock.c``, compiled here) that tells
it another time of day, but not another pace: a clock that an operator or NTP sets.
"""

from __future__ import annotations

import calendar
import shutil
import subprocess
import time
from pathlib import Path

from proofs.asking import OFTEN, detect, fresh, log_in, log_out
from proofs.gateway import running
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["COMPILER", "prove"]

COMPILER = shutil.which("cc")
_HOUR = 3600
_STEPS = (-2 * _HOUR, 3 * _HOUR, -24 * _HOUR, 0)


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Set the clock to and fro."""
    if COMPILER is None:
        raise RuntimeError("there is no C compiler (cc), which this needs")
    library, clock = folder / "clock.so", folder / "clock"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, source], check=True)
    _set(clock, 0)
    before = ("env", f"LD_PRELOAD={library}", f"CLOCK_FILE={clock}")
    with running(folder, before=before, **OFTEN) as gateway:
        ended = fresh(gateway)
        log_out(gateway, ended)
        for step in _STEPS[1::2] if scale.is_short else _STEPS:
            _set(clock, step)
            log_out(gateway, fresh(gateway))  # which is when the store forgets what has expired
            token = fresh(gateway)
            status, answer = detect(gateway, keep=True, headers=token)
            name = f"clock {step / _HOUR:+g} h"
            report.holds(f"{name}: logs in", log_in(gateway)[0], expected=200)
            report.holds(f"{name}: detects", status, expected=200)
            kept = time.strptime(answer["retained"]["created"], "%Y-%m-%dT%H:%M:%SZ")
            away = calendar.timegm(kept) - time.time()
            report.at_most(f"{name}: the gateway sees it, s away", abs(away - step), 600)
            status = detect(gateway, headers=ended)[0]
            report.holds(f"{name}: an ended token stays out", status, expected=401)


def _set(clock: Path, seconds: int) -> None:
    new = clock.with_name("clock.new")
    new.write_text(str(seconds))
    new.replace(clock)
