"""The engine's bounds, order and deadlines, with threads held by events rather than by time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from visiongate.engines.local import LocalEngine
from visiongate.errors import DeadlineExceeded, Overloaded, Unavailable

FAR = 60.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as executor:
        yield executor


def until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + FAR
    while not condition():
        assert time.monotonic() < limit, "condition never came true"
        threading.Event().wait(0.001)


class Held:
    """A request that computes until it is let go."""

    def __init__(
        self, engine: LocalEngine, pool: ThreadPoolExecutor, log: list[int], number: int
    ) -> None:
        self.inside = threading.Event()
        self.release = threading.Event()
        self.number = number
        self._log = log
        self._engine = engine
        self.future: Future[None] = pool.submit(self._run)

    def _run(self) -> None:
        with self._engine.admit(time.monotonic() + FAR):
            self._log.append(self.number)
            self.inside.set()
            assert self.release.wait(FAR)


def test_no_more_run_than_may_and_the_line_is_first_come_first_served(
    pool: ThreadPoolExecutor,
) -> None:
    engine, order = LocalEngine(2, 10), []
    held: list[Held] = []
    for number in range(6):
        held.append(Held(engine, pool, order, number))
        until(lambda n=number: engine.running + engine.waiting == n + 1)  # type: ignore[misc]
    assert (engine.running, engine.waiting) == (2, 4)
    for number, item in enumerate(held):
        item.release.set()
        item.future.result(FAR)
        if number + 2 < len(held):
            assert held[number + 2].inside.wait(FAR)
    assert order[2:] == [2, 3, 4, 5]
    assert sorted(order[:2]) == [0, 1]
    assert (engine.running, engine.waiting) == (0, 0)


def test_a_full_line_refuses_at_once_and_says_when_to_come_back(pool: ThreadPoolExecutor) -> None:
    engine = LocalEngine(1, 1)
    held = [Held(engine, pool, [], 0)]
    until(lambda: engine.running == 1)
    held.append(Held(engine, pool, [], 1))
    until(lambda: engine.waiting == 1)
    with pytest.raises(Overloaded) as caught, engine.admit(time.monotonic() + FAR):
        pass
    assert caught.value.retry_after is not None
    assert caught.value.retry_after >= 1
    for item in held:
        item.release.set()
        item.future.result(FAR)


def test_waiting_ends_at_the_deadline_and_leaves_the_line(pool: ThreadPoolExecutor) -> None:
    engine = LocalEngine(1, 5)
    held = Held(engine, pool, [], 0)
    assert held.inside.wait(FAR)
    with pytest.raises(DeadlineExceeded), engine.admit(time.monotonic() + 0.02):
        pass
    assert engine.waiting == 0
    held.release.set()
    held.future.result(FAR)
    with engine.admit(time.monotonic() + FAR):
        assert engine.running == 1


def test_a_passed_deadline_begins_nothing() -> None:
    engine = LocalEngine(1, 5)
    with pytest.raises(DeadlineExceeded), engine.admit(time.monotonic() - 1):
        pytest.fail("began after its deadline")
    assert engine.running == 0


def test_an_error_inside_gives_the_place_back() -> None:
    engine = LocalEngine(1, 0)
    for _ in range(3):
        with pytest.raises(KeyError), engine.admit(time.monotonic() + FAR):
            raise KeyError
    assert engine.running == 0


def test_close_waits_for_what_runs_and_refuses_the_rest(pool: ThreadPoolExecutor) -> None:
    engine = LocalEngine(1, 5)
    running = Held(engine, pool, [], 0)
    assert running.inside.wait(FAR)
    waiting = Held(engine, pool, [], 1)
    until(lambda: engine.waiting == 1)
    closing = pool.submit(engine.close)
    with pytest.raises(Unavailable, match="shutting down"):
        waiting.future.result(FAR)
    assert not closing.done()
    running.release.set()
    closing.result(FAR)
    with pytest.raises(Unavailable), engine.admit(time.monotonic() + FAR):
        pass


def test_hundreds_of_requests_never_exceed_the_bound_nor_get_stuck(
    pool: ThreadPoolExecutor,
) -> None:
    engine, lock = LocalEngine(3, 1000), threading.Lock()
    now = most = 0

    def work(number: int) -> None:
        nonlocal now, most
        # Some deadlines pass while in line: their places must not be lost.
        with engine.admit(time.monotonic() + (FAR if number % 3 else 0.001)):
            with lock:
                now += 1
                most = max(most, now)
            with lock:
                now -= 1

    futures = [pool.submit(work, i) for i in range(600)]
    errors = [type(f.exception()) for f in futures if f.exception() is not None]
    assert set(errors) <= {DeadlineExceeded}
    assert most <= 3
    assert (engine.running, engine.waiting) == (0, 0)


@pytest.mark.parametrize(("concurrency", "waiting"), [(0, 1), (1, -1)])
def test_nonsense_is_refused(concurrency: int, waiting: int) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        LocalEngine(concurrency, waiting)
