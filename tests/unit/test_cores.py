"""How many cores a worker plans with, and how many pictures it has in work."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from visiongate import services
from visiongate.settings import Settings


def settings_of(**changes: Any) -> Settings:
    return Settings(**changes)


@pytest.mark.skipif(sys.platform == "win32", reason="waitress is one process")
@pytest.mark.parametrize(
    ("cores", "workers", "each"),
    [(2, 1, 2), (2, 2, 1), (2, 3, 1), (8, 3, 3), (16, 4, 4), (1, 1, 1), (1, 256, 1)],
)
def test_workers_share_the_cores_out(
    cores: int, workers: int, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "cores", lambda: cores)
    settings = settings_of(workers=workers)
    assert services.cores_each(settings) == each
    assert services.places(settings) == 2 * each


def test_what_is_set_holds_for_each_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "cores", lambda: 8)
    assert services.places(settings_of(workers=4, concurrency=5)) == 5


def test_one_process_serves_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "cores", lambda: 8)
    monkeypatch.setattr(sys, "platform", "win32")
    assert services.cores_each(settings_of(workers=4)) == 8
