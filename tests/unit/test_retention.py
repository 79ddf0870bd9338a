"""How pictures lie on the disk: private, whole, and gone when they should be."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from visiongate.errors import PictureUnknown, StoreUnavailable
from visiongate.retention import FilePictureStore, layout
from visiongate.types import Picture

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_700_000_000.0
DAY = 86_400.0
PNG = Picture(np.zeros((4, 6, 3), np.uint8), "PNG")


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "made" / "when" / "needed"


@pytest.fixture
def store(folder: Path, clock: Clock) -> FilePictureStore:
    return another(folder, clock)


def another(folder: Path, clock: Clock) -> FilePictureStore:
    """A store as a second process would have it: same folder, nothing remembered."""
    return FilePictureStore(folder, max_age_seconds=30 * DAY, max_bytes=10**9, clock=clock)


def files(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def one_folder(folder: Path) -> Path:
    (found,) = folder.glob("*/*")
    return found


# -- what is written


def test_nothing_is_made_before_the_first_picture(store: FilePictureStore, folder: Path) -> None:
    assert store.list() == []
    store.sweep()
    with pytest.raises(PictureUnknown):
        store.delete("0" * 16 + "-" + "0" * 32)
    assert not folder.exists()


def test_only_the_owner_of_the_process_can_read(store: FilePictureStore, folder: Path) -> None:
    before = os.umask(0)
    try:
        store.keep("anna", b"1", PNG, b"2")
    finally:
        os.umask(before)
    modes = {p: stat.S_IMODE(p.stat().st_mode) for p in (folder, *folder.rglob("*"))}
    assert len(modes) == 6
    for path, mode in modes.items():
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_names_come_from_the_bytes_alone(store: FilePictureStore, folder: Path) -> None:
    kept = store.keep("../../etc", b"1", PNG, b"2")
    where = one_folder(folder)
    assert where.name == kept.id
    assert sorted(p.name for p in where.iterdir()) == ["annotated.jpg", "meta.json", "original.png"]
    assert json.loads((where / "meta.json").read_bytes())["owner"] == "../../etc"


def test_a_restart_changes_nothing(store: FilePictureStore, folder: Path, clock: Clock) -> None:
    kept = store.keep("anna", b"as it came", PNG, b"with boxes")
    later = another(folder, clock)
    assert later.list("anna") == [kept]
    assert later.read(kept.id, annotated=True) == (b"with boxes", "image/jpeg")
    later.delete(kept.id)
    assert files(folder) == []
    with pytest.raises(PictureUnknown):
        store.get(kept.id)
    assert store.list("anna") == []


def test_an_id_of_another_shape_never_becomes_a_path(store: FilePictureStore, folder: Path) -> None:
    kept = store.keep("anna", b"1", PNG, None)
    (folder / "secret").mkdir()
    (folder / "secret" / "meta.json").write_text("{}")
    for bad in (
        kept.id.upper(),
        kept.id + "\n",
        kept.id + "/..",
        "secret",
        f"../{folder.name}/{kept.id}",
    ):
        for touch in (store.get, store.read, store.delete):
            with pytest.raises(PictureUnknown) as raised:
                touch(bad)
            assert bad not in raised.value.detail
    assert store.get(kept.id) == kept
    assert (folder / "secret" / "meta.json").exists()


# -- crashes and full disks


@contextlib.contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """Let every write beyond ``size`` bytes of a file fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("original", "annotated"), [(100_000, 10), (10, 100_000)])
def test_a_full_disk_keeps_nothing_rather_than_half(
    store: FilePictureStore, folder: Path, original: int, annotated: int
) -> None:
    failure = None
    with files_no_longer_than(10_000):
        try:
            store.keep("anna", b"x" * original, PNG, b"y" * annotated)
        except StoreUnavailable as error:
            failure = error
    assert failure is not None
    assert failure.status == 503
    assert "too large" in failure.detail
    assert "VISIONGATE_IMAGES_DIR" in failure.detail
    assert str(folder) not in failure.detail
    assert files(folder) == []
    assert store.list() == []
    assert store.keep("anna", b"x" * original, PNG, None).owner == "anna"


def test_a_folder_that_cannot_be_used(folder: Path, clock: Clock) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("a file, not a folder")
    store = another(folder, clock)
    some_id = "0" * 16 + "-" + "0" * 32
    for touch in (
        lambda: store.keep("anna", b"1", PNG, None),
        store.list,
        lambda: store.get(some_id),
        lambda: store.delete(some_id),
        store.sweep,
    ):
        with pytest.raises(StoreUnavailable):
            touch()


def test_what_a_crash_left_is_invisible_and_swept(
    store: FilePictureStore, folder: Path, clock: Clock
) -> None:
    kept = store.keep("anna", b"1", PNG, b"2")
    being_written, being_deleted = folder / f".incoming-{kept.id}", folder / ".deleted-abc"
    for leftover in (being_written, being_deleted):
        leftover.mkdir()
        (leftover / "original.png").write_bytes(b"half")
        os.utime(leftover, (NOW, NOW))
    assert another(folder, clock).list() == [kept]
    assert store.sweep() == 0
    assert being_written.exists(), "it may still be being written"
    assert not being_deleted.exists()
    clock.now += 2 * 3600
    assert store.sweep() == 0
    assert not being_written.exists()
    assert another(folder, clock).list() == [kept]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"owner": "anna"}', b"\0\0\0"])
def test_torn_metadata_hides_the_picture_until_it_is_swept(
    store: FilePictureStore, folder: Path, clock: Clock, content: bytes
) -> None:
    torn = store.keep("anna", b"1", PNG, None)
    (one_folder(folder) / "meta.json").write_bytes(content)
    later = another(folder, clock)
    with pytest.raises(PictureUnknown):
        later.get(torn.id)
    assert later.list("anna") == []
    clock.now += 31 * DAY
    assert later.sweep() == 1
    assert files(folder) == []


def test_a_torn_picture_is_not_served(store: FilePictureStore, folder: Path) -> None:
    kept = store.keep("anna", b"0123456789", PNG, b"0123456789")
    for name in ("original.png", "annotated.jpg"):
        (one_folder(folder) / name).write_bytes(b"01234")
    for annotated in (False, True):
        with pytest.raises(PictureUnknown, match="damaged"):
            store.read(kept.id, annotated=annotated)


def test_killed_at_any_moment_nothing_half_is_seen(folder: Path, clock: Clock) -> None:
    program = """
import sys
from pathlib import Path
import numpy as np
from visiongate.retention import FilePictureStore
from visiongate.types import Picture
store = FilePictureStore(Path(sys.argv[1]), max_age_seconds=1e9, max_bytes=10**9)
picture = Picture(np.zeros((1, 1, 3), np.uint8), "PNG")
while True:
    print(store.keep("anna", b"x" * 300_000, picture, b"y" * 300_000).id, flush=True)
"""
    acknowledged: set[str] = set()
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(folder)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        with child:
            acknowledged |= {child.stdout.readline().strip() for _ in range(10)}
            child.kill()
    store = FilePictureStore(folder, max_age_seconds=1e9, max_bytes=10**9)
    kept = {r.id for r in store.list()}
    assert acknowledged <= kept
    for picture_id in kept:
        assert store.read(picture_id)[0] == b"x" * 300_000
        assert store.read(picture_id, annotated=True)[0] == b"y" * 300_000


# -- age


def test_a_clock_that_was_ahead_keeps_nothing_forever(
    store: FilePictureStore, clock: Clock
) -> None:
    clock.now = NOW + 3650 * DAY
    kept = store.keep("anna", b"1", PNG, None)
    clock.now = NOW
    assert store.sweep() == 0
    assert store.get(kept.id) == kept
    clock.now = NOW + 29 * DAY
    assert store.sweep() == 0
    clock.now = NOW + 31 * DAY
    assert store.sweep() == 1
    assert store.list() == []


def test_empty_owner_folders_go(store: FilePictureStore, folder: Path) -> None:
    kept = store.keep("anna", b"1", PNG, None)
    store.keep("ben", b"1", PNG, None)
    store.delete(kept.id)
    store.sweep()
    assert [p.name for p in folder.iterdir()] == [store.list("ben")[0].id[:16]]


def test_foreign_files_in_the_folder_are_left_alone(
    store: FilePictureStore, folder: Path, clock: Clock
) -> None:
    store.keep("anna", b"1", PNG, None)
    for name in ("README.txt", ".gitignore", "holiday/beach.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")
    clock.now += 31 * DAY
    assert store.sweep() == 1
    assert files(folder) == [".gitignore", "README.txt", "holiday/beach.jpg"]


# -- several at once


def test_processes_that_sweep_at_once_delete_each_picture_once(
    store: FilePictureStore, folder: Path
) -> None:
    for _ in range(60):
        store.keep("anna", b"x" * 1000, PNG, b"y" * 1000)
    program = """
import sys
from pathlib import Path
from visiongate.retention import FilePictureStore
store = FilePictureStore(Path(sys.argv[1]), max_age_seconds=1.0, max_bytes=0)
print("ready", flush=True)
sys.stdin.readline()
print(store.sweep())
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    counts = [int(child.communicate(timeout=60)[0]) for child in children]
    assert all(child.returncode == 0 for child in children)
    assert sum(counts) == 60
    assert list(folder.iterdir()) == []


def test_threads_keep_read_delete_and_sweep_at_once(folder: Path, clock: Clock) -> None:
    store = FilePictureStore(folder, max_age_seconds=30 * DAY, max_bytes=20_000, clock=clock)

    def work(worker: int) -> int:
        lost = 0
        for turn in range(15):
            kept = store.keep(f"user{worker % 3}", b"x" * 1000, PNG, b"y" * 1000)
            try:
                assert store.read(kept.id) == (b"x" * 1000, "image/png")
                if turn % 3 == 0:
                    store.delete(kept.id)
            except PictureUnknown:
                lost += 1  # swept, as the budget asks
            store.sweep()
        return lost

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    store.sweep()
    assert sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) <= 20_000
    assert not list(folder.glob(".*"))
    for kept in store.list():
        assert store.read(kept.id)[0] == b"x" * 1000


# -- what stays in memory


def test_nothing_stays_in_memory_of_pictures_that_are_gone(folder: Path, clock: Clock) -> None:
    """A gateway that keeps pictures for months must not grow with each that it ever kept."""
    ours, other = (
        FilePictureStore(folder, max_age_seconds=DAY, max_bytes=10**9, clock=clock)
        for _ in range(2)
    )
    tracemalloc.start()
    try:
        before = _held_by_retention()
        for _ in range(200):
            ours.keep("ann", b"bytes", PNG, None)
        while_kept = _held_by_retention()
        clock.now += 2 * DAY
        assert other.sweep() == 200  # another process may be the one that deletes
        assert ours.sweep() == 0
        after = _held_by_retention()
    finally:
        tracemalloc.stop()
    assert while_kept - before > 200
    assert after - before < 20


def _held_by_retention() -> int:
    """Count the blocks of memory that code of the store has taken and not let go."""
    gc.collect()
    where = tracemalloc.Filter(True, str(Path(layout.__file__).parent / "*"))
    taken = tracemalloc.take_snapshot().filter_traces([where])
    return sum(line.count for line in taken.statistics("lineno"))
