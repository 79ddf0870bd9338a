"""Every UsageStore keeps the promises of ``visiongate.contracts``."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db.usage import SQLiteUsageStore
from tests.contract.memory_stores import MemoryUsageStore
from visiongate.contracts import UsageStore
from visiongate.errors import StoreUnavailable
from visiongate.types import Usage

ROOT = Path(__file__).resolve().parents[2]
DAY = 20_000
Open = Callable[[], UsageStore]


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open the same store again and again; whatever one handle wrote, the next one finds."""
    if request.param == "memory":
        only = MemoryUsageStore()
        return lambda: only
    return lambda: SQLiteUsageStore(tmp_path / "data" / "usage.db")


def charge(
    store: UsageStore,
    day: int = DAY,
    pixels: int = 10,
    *,
    name: str = "ann",
    requests: int | None = None,
    most: int | None = None,
) -> tuple[bool, Usage]:
    return store.charge(name, day, pixels, most_requests=requests, most_pixels=most)


def test_nothing_is_used_at_first(open_store: Open) -> None:
    assert open_store().used("ann", DAY) == Usage(DAY, 0, 0)


def test_every_handle_sees_what_was_charged_to_whom(open_store: Open) -> None:
    before = open_store()
    assert before.used("ann", DAY) == Usage(DAY)
    assert charge(open_store()) == (True, Usage(DAY, 1, 10))
    assert charge(open_store(), pixels=5) == (True, Usage(DAY, 2, 15))
    for store in (before, open_store()):
        assert store.used("ann", DAY) == Usage(DAY, 2, 15)
        assert store.used("Ann", DAY) == Usage(DAY)


def test_a_limit_is_reached_and_not_passed(open_store: Open) -> None:
    store = open_store()
    for number in (1, 2):
        assert charge(store, requests=2) == (True, Usage(DAY, number, number * 10))
    assert charge(store, requests=2) == (False, Usage(DAY, 2, 20))
    assert charge(store, most=29) == (False, Usage(DAY, 2, 20))
    assert charge(store, most=30, requests=3) == (True, Usage(DAY, 3, 30))
    assert charge(store, pixels=1, most=30) == (False, Usage(DAY, 3, 30))
    assert charge(store, pixels=10**15) == (True, Usage(DAY, 4, 30 + 10**15))


def test_a_new_day_begins_at_zero(open_store: Open) -> None:
    charge(open_store())
    assert open_store().used("ann", DAY + 1) == Usage(DAY + 1)
    assert charge(open_store(), DAY + 1, requests=1) == (True, Usage(DAY + 1, 1, 10))


def test_a_clock_that_steps_back_over_midnight_gives_nothing_back(open_store: Open) -> None:
    charge(open_store(), DAY + 1)
    assert open_store().used("ann", DAY) == Usage(DAY + 1, 1, 10)
    assert charge(open_store(), DAY, requests=2) == (True, Usage(DAY + 1, 2, 20))
    assert charge(open_store(), DAY, requests=2) == (False, Usage(DAY + 1, 2, 20))
    assert charge(open_store(), DAY + 1, requests=2) == (False, Usage(DAY + 1, 2, 20))
    assert charge(open_store(), DAY + 2, requests=2) == (True, Usage(DAY + 2, 1, 10))


def test_a_clock_that_was_years_ahead_locks_nobody_out(open_store: Open) -> None:
    charge(open_store(), DAY + 9000)
    assert open_store().used("ann", DAY) == Usage(DAY, 1, 10)
    assert charge(open_store(), DAY, requests=1) == (False, Usage(DAY, 1, 10))
    assert charge(open_store(), DAY, requests=2) == (True, Usage(DAY, 2, 20))
    assert charge(open_store(), DAY + 1, requests=1) == (True, Usage(DAY + 1, 1, 10))


def test_a_charge_can_be_given_back(open_store: Open) -> None:
    store = open_store()
    charge(store)
    charge(store, pixels=7)
    store.give_back("ann", DAY, 10)
    assert open_store().used("ann", DAY) == Usage(DAY, 1, 7)
    for _ in range(2):
        store.give_back("ann", DAY, 7)
    assert open_store().used("ann", DAY) == Usage(DAY, 0, 0)
    store.give_back("nobody", DAY, 7)
    assert open_store().used("nobody", DAY) == Usage(DAY, 0, 0)


def test_of_many_threads_as_many_get_through_as_may(open_store: Open) -> None:
    store = open_store()
    with ThreadPoolExecutor(8) as pool:
        granted = list(pool.map(lambda _: charge(store, requests=50)[0], range(80)))
    assert granted.count(True) == 50
    assert store.used("ann", DAY) == Usage(DAY, 50, 500)


# -- the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "usage.db"


_CHARGER = """
import sys
from pathlib import Path
from db.usage import SQLiteUsageStore
store = SQLiteUsageStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(sum(store.charge("ann", 7, 3, most_requests=100, most_pixels=None)[0] for _ in range(40)))
"""


def test_four_processes_share_one_count(path: Path) -> None:
    command = [sys.executable, "-c", _CHARGER, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    chargers = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(4)]
    for charger in chargers:
        assert charger.stdout is not None
        assert charger.stdout.readline() == "ready\n"
    for charger in chargers:
        assert charger.stdin is not None
        charger.stdin.write("go\n")
        charger.stdin.flush()
    said = [charger.communicate(timeout=100) for charger in chargers]
    assert [error for _, error in said] == [""] * 4
    assert sum(int(out) for out, _ in said) == 100
    assert SQLiteUsageStore(path).used("ann", 7) == Usage(7, 100, 300)


def test_a_store_that_was_closed_can_be_used_again(path: Path) -> None:
    store = SQLiteUsageStore(path)
    charge(store)
    store.close()
    assert charge(store) == (True, Usage(DAY, 2, 20))


def test_days_that_are_over_are_forgotten(path: Path) -> None:
    store = SQLiteUsageStore(path)
    for name in ("ann", "bob"):
        charge(store, DAY, name=name)
    charge(store, DAY + 1, name="carl")
    store.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT username FROM usage").fetchall() == [("carl",)]
    connection.close()


@pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")
def test_the_file_is_private(path: Path) -> None:
    store = SQLiteUsageStore(path)
    charge(store)
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}
    store.close()


def test_what_is_no_database_is_explained(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database, but some text that is long enough" * 20)
    store = SQLiteUsageStore(path)
    for attempt in (lambda: charge(store), lambda: store.used("ann", DAY)):
        with pytest.raises(StoreUnavailable, match=r"damaged.*begin anew"):
            attempt()


def test_a_folder_that_cannot_be_is_explained(path: Path) -> None:
    path.parent.touch()
    with pytest.raises(StoreUnavailable, match=r"usage\.db"):
        charge(SQLiteUsageStore(path))
