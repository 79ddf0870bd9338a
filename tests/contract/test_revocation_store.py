"""Every RevocationStore keeps the promises of ``visiongate.contracts``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db.revocations import SQLiteRevocationStore
from tests.contract.memory_stores import MemoryRevocationStore
from visiongate.contracts import RevocationStore


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


Open = Callable[[], RevocationStore]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Open:
    if request.param == "memory":
        only = MemoryRevocationStore(clock=clock)
        return lambda: only
    return lambda: SQLiteRevocationStore(tmp_path / "data" / "revoked.db", clock=clock)


def test_nothing_is_revoked_at_first(open_store: Open) -> None:
    assert not open_store().is_revoked("a", "b")
    assert not open_store().is_revoked()


def test_revoked_ids_are_seen_by_every_handle(open_store: Open) -> None:
    before = open_store()
    assert not before.is_revoked("a")
    assert open_store().revoke(["a", "b"], until=2000)
    for store in (before, open_store()):
        assert store.is_revoked("a")
        assert store.is_revoked("good", "b")
        assert not store.is_revoked("good", "A", "")


def test_only_the_first_revocation_of_an_id_is_true(open_store: Open) -> None:
    assert open_store().revoke(["a"], until=2000)
    assert not open_store().revoke(["a"], until=2000)
    assert not open_store().revoke(["new", "a"], until=2000)
    # The others of a refused call are revoked nevertheless: a reused token ends its family.
    assert open_store().is_revoked("new")
    assert open_store().revoke(["other"], until=2000)


def test_any_iterable_will_do_and_none_is_no_change(open_store: Open) -> None:
    assert open_store().revoke((id_ for id_ in ("a", "a")), until=2000)
    assert open_store().is_revoked("a")
    assert open_store().revoke([], until=2000)


def test_an_entry_lasts_until_its_time(open_store: Open, clock: Clock) -> None:
    open_store().revoke(["a"], until=2000)
    clock.now = 1999.9
    assert open_store().is_revoked("a")
    clock.now = 2000
    assert not open_store().is_revoked("a")


def test_the_longer_revocation_wins(open_store: Open, clock: Clock) -> None:
    open_store().revoke(["a", "b"], until=2000)
    open_store().revoke(["a"], until=1500)
    open_store().revoke(["b"], until=3000)
    clock.now = 1999
    assert open_store().is_revoked("a")
    clock.now = 2999
    assert open_store().is_revoked("b")


def test_what_has_expired_is_no_longer_good(open_store: Open, clock: Clock) -> None:
    open_store().revoke(["a"], until=2000)
    clock.now = 2500
    open_store().revoke(["b"], until=3000)
    assert not open_store().revoke(["a"], until=2000)


def test_one_of_many_threads_wins(open_store: Open) -> None:
    store = open_store()
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: store.revoke(["a", f"own {number}"], 2000), range(8)))
    assert won.count(True) == 1
    assert all(store.is_revoked(f"own {number}") for number in range(8))
