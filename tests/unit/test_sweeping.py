"""How much a sweep asks of the disk, and what it makes of pictures that are not as usual."""

from __future__ import annotations

import gc
import os
import shutil
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongate.errors import PictureUnknown, StoreUnavailable
from visiongate.retention import FilePictureStore
from visiongate.retention.layout import Meta
from visiongate.retention.memory import Looked, Memory
from visiongate.retention.sweeping import sweep
from visiongate.types import Picture

NOW = 1_700_000_000.0
DAY = 86_400.0
PNG = Picture(np.zeros((4, 6, 3), np.uint8), "PNG")
CALLS = ("stat", "lstat", "open", "scandir", "listdir", "utime", "rename", "unlink", "rmdir")


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Return a list that fills with what is asked of the disk, and of which path."""
    calls: list[tuple[str, str]] = []

    def note(name: str) -> None:
        real = getattr(os, name)

        def noting(path: Any, *rest: Any, **named: Any) -> Any:
            calls.append((name, os.fspath(path)))
            return real(path, *rest, **named)

        monkeypatch.setattr(os, name, noting)

    for name in CALLS:
        note(name)
    return calls


def a_store(folder: Path, clock: Clock, *, budget: int = 10**9) -> FilePictureStore:
    return FilePictureStore(folder, max_age_seconds=30 * DAY, max_bytes=budget, clock=clock)


def of_pictures(asked: list[tuple[str, str]], ids: list[str]) -> Counter[str]:
    return Counter(name for name, path in asked if any(one in path for one in ids))


# -- how much is asked


def test_a_sweep_asks_nothing_of_pictures_that_the_store_kept_itself(
    tmp_path: Path, clock: Clock, asked: list[tuple[str, str]]
) -> None:
    store = a_store(tmp_path, clock)
    ids = [store.keep(owner, b"1", PNG, b"2").id for owner in ("anna", "ben") * 5]
    asked.clear()
    assert store.sweep() == 0
    assert of_pictures(asked, ids) == Counter()
    assert Counter(name for name, _ in asked) == {"listdir": 2, "scandir": 2}, "root, and owners"


def test_a_sweep_looks_once_at_pictures_that_others_kept(
    tmp_path: Path, clock: Clock, asked: list[tuple[str, str]]
) -> None:
    ids = [a_store(tmp_path, clock).keep("anna", b"1", PNG, None).id for _ in range(5)]
    store = a_store(tmp_path, clock)
    asked.clear()
    assert store.sweep() == 0
    assert of_pictures(asked, ids) == {"stat": 5, "scandir": 5}, "so it does count what is asked"
    asked.clear()
    assert store.sweep() == 0
    assert of_pictures(asked, ids) == Counter()


@pytest.mark.parametrize("copy", [None, b"2"])
@pytest.mark.parametrize("ours", [True, False])
def test_deleting_takes_a_call_for_each_file_and_two(
    tmp_path: Path, clock: Clock, asked: list[tuple[str, str]], copy: bytes | None, ours: bool
) -> None:
    store = a_store(tmp_path, clock)
    ids = [store.keep("anna", b"1", PNG, copy).id for _ in range(5)]
    if not ours:
        store = a_store(tmp_path, clock)
        store.sweep()
    clock.now += 31 * DAY
    asked.clear()
    assert store.sweep() == 5
    files = 2 if copy is None else 3
    assert of_pictures(asked, ids) == {"rename": 5, "unlink": 5 * files, "rmdir": 5}
    assert list(tmp_path.iterdir()) == []


def test_forgetting_an_owner_takes_no_more(
    tmp_path: Path, clock: Clock, asked: list[tuple[str, str]]
) -> None:
    store = a_store(tmp_path, clock)
    ids = [store.keep("anna", b"1", PNG, b"2").id for _ in range(5)]
    asked.clear()
    assert store.forget("anna") == 5
    assert of_pictures(asked, ids) == {"rename": 5, "unlink": 15, "rmdir": 5}


def test_a_list_asks_nothing_of_pictures_that_are_known(
    tmp_path: Path, clock: Clock, asked: list[tuple[str, str]]
) -> None:
    store = a_store(tmp_path, clock)
    ids = [store.keep("anna", b"1", PNG, b"2").id for _ in range(5)]
    asked.clear()
    assert (
        {kept.id for kept in store.list("anna")} == {kept.id for kept in store.list()} == set(ids)
    )
    assert of_pictures(asked, ids) == Counter()


def test_a_picture_takes_little_memory(tmp_path: Path, clock: Clock) -> None:
    store = a_store(tmp_path, clock)
    store.keep("anna", b"1", PNG, b"2")
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(2000):
            store.keep("".join(["an", "na"]), b"1", PNG, b"2")
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken / 2000 < 280


# -- the memory is full


@pytest.mark.parametrize("room", [0, 1, 3, 100])
def test_it_sweeps_alike_however_little_is_remembered(
    tmp_path: Path, clock: Clock, room: int
) -> None:
    store = a_store(tmp_path, clock)
    ids = []
    for owner in ("anna", "ben", "anna", "ben", "anna", "ben"):
        ids.append(store.keep(owner, b"x" * 20_000, PNG, b"y" * 20_000).id)
        clock.now += DAY
    memory = Memory(room)

    def gone(*, max_age_seconds: float = 1e9, max_bytes: int = 10**9) -> int:
        swept = sweep(
            tmp_path, memory, max_age_seconds=max_age_seconds, max_bytes=max_bytes, now=clock.now
        )
        assert swept.failures == ()
        assert len(memory.ids()) <= room
        return swept.gone

    assert gone() == 0
    assert gone(max_age_seconds=5 * DAY) == 2
    assert gone(max_bytes=100_000) == 2
    assert [kept.id for kept in store.list()] == [ids[5], ids[4]]
    assert gone(max_bytes=100_000) == 0


def test_what_is_remembered_comes_back_as_it_was() -> None:
    memory = Memory(3)
    with_copy, without = Meta("anna", NOW, "PNG", 5, 0), Meta("Анна", NOW + 0.1, "JPEG", 7, None)
    looked = Looked(NOW + 0.3, 12, ("a", "b"))
    assert memory.put("1", meta=with_copy)
    assert memory.put("2", meta=without)
    assert memory.put("2", looked=looked)
    assert memory.put("3", looked=looked)
    assert not memory.put("4", meta=without)
    assert (memory.meta("1"), memory.looked("1")) == (with_copy, None)
    assert (memory.meta("2"), memory.looked("2")) == (without, looked)
    assert (memory.meta("3"), memory.looked("3")) == (None, looked)
    assert (memory.meta("4"), memory.looked("4")) == (None, None)
    memory.drop(["1", "5"])
    assert memory.ids() == {"2", "3"}
    assert memory.put("4", meta=with_copy)


@pytest.mark.parametrize(
    "strange",
    [Meta("anna", NOW, "PNG", 2**40, None), Meta("anna", "old", "PNG", [], None)],  # type: ignore[arg-type]
)
def test_what_does_not_fit_is_not_remembered(strange: Meta) -> None:
    memory = Memory()
    assert not memory.put("1", meta=strange)
    assert memory.meta("1") is None


# -- pictures that are not as usual


def test_files_that_nobody_expects_go_with_the_picture(tmp_path: Path, clock: Clock) -> None:
    store = a_store(tmp_path, clock)
    store.keep("anna", b"1", PNG, None)
    (folder,) = tmp_path.glob("*/*")
    (folder / "thumbnail.gif").write_text("by other hands, after it was kept")
    clock.now += 31 * DAY
    assert store.sweep() == 1
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_deleted_is_told_and_the_rest_is_deleted(
    tmp_path: Path, clock: Clock
) -> None:
    store = a_store(tmp_path, clock)
    for _ in range(5):
        store.keep("anna", b"1", PNG, None)
    (sorted(tmp_path.glob("*/*"))[2] / "a folder").mkdir()
    clock.now += 31 * DAY
    with pytest.raises(StoreUnavailable):
        store.sweep()
    assert store.list() == []
    assert [path.name[:9] for path in tmp_path.iterdir()] == [".deleted-"]


def test_one_picture_is_told_of_as_long_as_it_is_there(tmp_path: Path, clock: Clock) -> None:
    ours, other = a_store(tmp_path, clock), a_store(tmp_path, clock)
    kept = ours.keep("anna", b"1", PNG, None)
    assert other.sweep() == 0
    other.delete(kept.id)
    for touch in (ours.get, ours.read, ours.delete, other.get):
        with pytest.raises(PictureUnknown):
            touch(kept.id)
    assert ours.list() == other.list() == []


def test_a_copy_in_anothers_folder_never_stands_for_the_picture(
    tmp_path: Path, clock: Clock
) -> None:
    store = a_store(tmp_path, clock)
    kept, hers = store.keep("ben", b"1", PNG, b"2"), store.keep("anna", b"3", PNG, None)
    (his,) = tmp_path.glob(f"*/{kept.id}")
    astray = tmp_path / hers.id[:16] / kept.id
    shutil.copytree(his, astray)
    assert store.list("anna") == [hers]
    assert len(store.list()) == 2
    assert store.sweep() == 0
    assert store.forget("anna") == 2
    assert not astray.exists()
    assert store.read(kept.id) == (b"1", "image/png")
    shutil.copytree(his, astray)
    os.utime(astray, (NOW - 31 * DAY, NOW - 31 * DAY))
    assert store.sweep() == 1
    assert not astray.exists()
    assert store.list() == [kept]
