"""Every AttemptStore keeps the promises of ``visiongate.contracts``."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db.attempts import SQLiteAttemptStore
from tests.contract.memory_stores import MemoryAttemptStore
from visiongate.contracts import AttemptStore
from visiongate.errors import StoreUnavailable

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[[], AttemptStore]


class Clock:
    """A clock that stands still until it is set."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Open:
    """Open the same store again and again; whatever one handle counted, the next one knows."""
    if request.param == "memory":
        only = MemoryAttemptStore(clock=clock)
        return lambda: only
    return lambda: SQLiteAttemptStore(tmp_path / "data" / "attempts.db", clock=clock)


def test_nothing_is_counted_at_first(open_store: Open) -> None:
    assert open_store().window("ann")[0] == 0


def test_every_handle_counts_on(open_store: Open, clock: Clock) -> None:
    before = open_store()
    assert before.count("ann", 60) == 1
    assert open_store().count("ann", 60) == 2
    assert before.count("ann", 60, 5) == 7
    for store in (before, open_store()):
        assert store.window("ann") == (7, clock.now + 60)
        assert store.window("Ann")[0] == 0


def test_a_window_ends_when_it_was_to_end(open_store: Open, clock: Clock) -> None:
    store = open_store()
    store.count("ann", 60)
    clock.now += 59
    assert store.count("ann", 60) == 2
    clock.now += 1
    assert store.window("ann")[0] == 0
    assert store.count("ann", 60) == 1
    assert store.window("ann") == (1, clock.now + 60)


def test_a_clock_that_steps_back_gives_no_attempt_and_takes_no_time(
    open_store: Open, clock: Clock
) -> None:
    store = open_store()
    store.count("ann", 60)
    clock.now -= 86_400
    assert store.count("ann", 60) == 2
    assert store.window("ann") == (2, clock.now + 60)


def test_windows_can_be_ended(open_store: Open) -> None:
    store = open_store()
    for name in ("ann", "bob", "carl"):
        store.count(name, 60)
    store.forget("ann")
    assert [store.window(name)[0] for name in ("ann", "bob")] == [0, 1]
    store.forget()
    assert [store.window(name)[0] for name in ("bob", "carl")] == [0, 0]


def test_of_many_threads_each_has_its_own_number(open_store: Open) -> None:
    store = open_store()
    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(lambda _: store.count("ann", 60), range(80)))
    assert numbers == list(range(1, 81))


# -- the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "attempts.db"


_COUNTER = """
import sys
from pathlib import Path
from db.attempts import SQLiteAttemptStore
store = SQLiteAttemptStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(*(store.count("ann", 3600) for _ in range(40)))
"""


def test_of_four_processes_none_is_told_what_another_was(path: Path) -> None:
    counters = [
        subprocess.Popen(
            [sys.executable, "-c", _COUNTER, str(path)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for counter in counters:
        assert counter.stdout is not None
        assert counter.stdout.readline() == "ready\n"
    for counter in counters:
        assert counter.stdin is not None
        counter.stdin.write("go\n")
        counter.stdin.flush()
    said = [counter.communicate(timeout=100) for counter in counters]
    assert [error for _, error in said] == [""] * 4
    assert sorted(int(n) for out, _ in said for n in out.split()) == list(range(1, 161))


def test_a_store_that_was_closed_can_be_used_again(path: Path) -> None:
    store = SQLiteAttemptStore(path)
    store.count("ann", 60)
    store.close()
    assert store.count("ann", 60) == 2


def test_windows_that_are_over_leave_nothing_behind(path: Path, clock: Clock) -> None:
    store = SQLiteAttemptStore(path, clock=clock)
    for name in ("ann", "bob"):
        store.count(name, 60)
    clock.now += 60
    store.count("carl", 60)
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM attempts").fetchone() == (1,)
    connection.close()


def test_no_key_is_kept_as_it_is(path: Path) -> None:
    store = SQLiteAttemptStore(path)
    store.count("LIMITER/address/192.0.2.7/10/1/minute", 60)
    store.close()
    assert b"192.0.2.7" not in path.read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_the_file_is_private(path: Path) -> None:
    store = SQLiteAttemptStore(path)
    store.count("ann", 60)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    store.close()


def test_what_is_no_database_is_explained(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but some text that is long enough" * 20)
    store = SQLiteAttemptStore(path)
    for attempt in (lambda: store.count("ann", 60), lambda: store.window("ann")):
        with pytest.raises(StoreUnavailable, match=r"damaged.*counted anew"):
            attempt()


def test_a_folder_that_cannot_be_is_explained(path: Path) -> None:
    path.parent.touch()
    with pytest.raises(StoreUnavailable, match=r"attempts\.db"):
        SQLiteAttemptStore(path).count("ann", 60)
