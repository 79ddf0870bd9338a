"""What the server's loop does at every turn, and what it spares itself."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


def test_the_parent_is_told_that_all_is_well_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    from visiongate.web.serving import leaving
    from visiongate.web.serving.patient_worker import patient_worker

    cfg = Config()
    worker = patient_worker(1_000)(0, os.getppid(), [], None, 60, cfg, Logger(cfg))
    worker.tmp.close()
    now, told = [1000.0], []
    worker.tmp = SimpleNamespace(notify=lambda: told.append(now[0]))
    monkeypatch.setattr(leaving, "time", SimpleNamespace(monotonic=lambda: now[0]))
    for _ in range(400):  # turns of the loop, many a second
        worker.notify()
        now[0] += 1 / 128
    assert told == [1000.0 + 0.5 * number for number in range(7)]
