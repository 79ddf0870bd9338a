"""What pictures that come and go leave in memory, and what a sweep holds meanwhile."""

from __future__ import annotations

import os
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from visiongate.retention import FilePictureStore, layout
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


def a_store(folder: Path, clock: Clock) -> FilePictureStore:
    return FilePictureStore(folder, max_age_seconds=30 * DAY, max_bytes=10**9, clock=clock)


def test_no_id_comes_into_pythons_own_table_of_strings(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From it, Python 3.12 takes nothing out again: a gateway would grow with each picture."""
    put_in: list[str] = []

    def noting(text: str) -> str:
        put_in.append(text)
        return text

    monkeypatch.setattr(sys, "intern", noting)
    (tmp_path / "a name").exists()
    assert "a name" in put_in, "so what pathlib puts in is seen"
    store, other = a_store(tmp_path, clock), a_store(tmp_path, clock)
    ids = [store.keep(owner, b"1", PNG, b"2").id for owner in ("anna", "ben") * 2]
    for one in (store, other):
        one.list()
        one.list("anna")
        one.read(ids[0])
        one.read(ids[0], annotated=True)
        one.get(ids[1])
    store.delete(ids[0])
    other.forget("ben")
    clock.now += 31 * DAY
    assert store.sweep() == 1
    assert [text for text in put_in if any(one in text for one in ids)] == []


def test_a_sweep_holds_little_while_it_deletes(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes a minute where requests come all the while."""
    store = a_store(tmp_path, clock)
    for _ in range(300):
        store.keep("anna", b"1", PNG, None)
        clock.now += 1
    clock.now += 31 * DAY
    held = []
    rename = os.rename

    def looking(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", rename)
        held.append(_blocks_of_retention())
        rename(source, target)

    monkeypatch.setattr(os, "rename", looking)
    tracemalloc.start()
    try:
        assert store.sweep() == 300
    finally:
        tracemalloc.stop()
    assert held[0] < 150, "of which a hundred are numbers that Python keeps for the next"


def _blocks_of_retention() -> int:
    where = tracemalloc.Filter(True, str(Path(layout.__file__).parent / "*"))
    taken = tracemalloc.take_snapshot().filter_traces([where])
    return sum(line.count for line in taken.statistics("lineno"))


def test_what_goes_while_a_sweep_deletes_is_not_counted(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = a_store(tmp_path, clock)
    ids = [store.keep("anna", b"1", PNG, None).id for _ in range(5)]
    clock.now += 31 * DAY
    rename = os.rename

    def deleting(source: str, target: str) -> None:
        monkeypatch.setattr(os, "rename", rename)
        rename(source, target)
        store.delete(next(one for one in ids if one not in source))

    monkeypatch.setattr(os, "rename", deleting)
    assert store.sweep() == 4
    assert list(tmp_path.iterdir()) == []
