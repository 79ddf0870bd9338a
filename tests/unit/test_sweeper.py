"""The thread that sweeps kept pictures: when it does, and when it does not."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from visiongate.errors import StoreUnavailable
from visiongate.retention import FilePictureStore, Sweeper
from visiongate.types import Picture

DAY = 86_400.0
PNG = Picture(np.zeros((4, 6, 3), np.uint8), "PNG")


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "images"


class ScriptedStore:
    """Sweeps as told: each item is a count or an error; then 0 for ever."""

    def __init__(self, *script: int | Exception) -> None:
        self.script = list(script)
        self.sweeps = 0
        self.done = threading.Event()

    def sweep(self) -> int:
        self.sweeps += 1
        if not self.script:
            self.done.set()
            return 0
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


def test_sweeper_goes_on_after_errors(caplog: pytest.LogCaptureFixture) -> None:
    store = ScriptedStore(StoreUnavailable("disk full"), RuntimeError("a bug"), 7)
    sweeper = Sweeper(store, 0.001)  # type: ignore[arg-type]
    with caplog.at_level(logging.INFO, logger="visiongate.retention"):
        sweeper.start()
        assert store.done.wait(30)
        sweeper.stop()
    assert "disk full" in caplog.text
    assert "a bug" in caplog.text
    assert "swept 7" in caplog.text


def test_sweeper_sweeps_at_once_and_then_waits() -> None:
    store = ScriptedStore()
    sweeper = Sweeper(store, 3600)  # type: ignore[arg-type]
    sweeper.start()
    sweeper.start()
    assert store.done.wait(30)
    running = [t for t in threading.enumerate() if t.name == "sweep"]
    assert [t.daemon for t in running] == [True]
    sweeper.stop()
    assert not [t for t in threading.enumerate() if t.name == "sweep"]
    assert store.sweeps == 1


def test_sweeper_sweeps_at_once_where_much_is_kept(folder: Path, clock: Clock) -> None:
    store = FilePictureStore(folder, max_age_seconds=DAY, max_bytes=20_000, clock=clock)
    sweeper = Sweeper(store, 3600, lambda: store.is_filling)
    sweeper.start()
    try:
        for _ in range(40):
            clock.now += 1
            store.keep("ann", b"x" * 1000, PNG, None)
        end = time.monotonic() + 30
        while len(store.list()) > 20 and time.monotonic() < end:
            time.sleep(0.05)
        assert 10 < len(store.list()) <= 20
    finally:
        sweeper.stop()


def test_a_store_is_filling_by_what_came_since_its_last_sweep(folder: Path, clock: Clock) -> None:
    store = FilePictureStore(folder, max_age_seconds=DAY, max_bytes=20_000, clock=clock)
    store.keep("ann", b"x" * 1000, PNG, None)
    assert not store.is_filling
    store.keep("ann", b"x" * 1000, PNG, None)
    assert store.is_filling
    assert store.sweep() == 0
    assert not store.is_filling


def test_sweeper_that_fails_waits_however_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visiongate.retention.sweeping._LOOK_SECONDS", 0.01)
    store = ScriptedStore(0, 0, StoreUnavailable("not ours"))
    sweeper = Sweeper(store, 3600, lambda: True)  # type: ignore[arg-type]
    sweeper.start()
    assert not store.done.wait(0.5)
    sweeper.stop()
    assert store.sweeps == 3


def test_sweeper_starts_again_after_a_stop() -> None:
    store = ScriptedStore()
    sweeper = Sweeper(store, 3600)  # type: ignore[arg-type]
    sweeper.stop()
    for _ in range(2):
        store.done.clear()
        sweeper.start()
        assert store.done.wait(30)
        sweeper.stop()
    assert store.sweeps == 2


def test_sweeper_sweeps_a_real_store(folder: Path, clock: Clock) -> None:
    store = FilePictureStore(folder, max_age_seconds=30 * DAY, max_bytes=10**9, clock=clock)
    store.keep("anna", b"1", PNG, None)
    clock.now += 31 * DAY
    finished = threading.Event()

    class Watched:
        def sweep(self) -> int:
            gone = store.sweep()
            finished.set()
            return gone

    sweeper = Sweeper(Watched(), 3600)  # type: ignore[arg-type]
    sweeper.start()
    assert finished.wait(30)
    sweeper.stop()
    assert not [path for path in folder.rglob("*") if path.is_file()]
