"""Several workers are as safe as one: what is limited, is limited for all of them together."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from proofs.gateway import PASSWORD, USER, Gateway, running
from proofs.processes import children
from visiongate.quotas import DAY_SECONDS

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(300),
]

SECONDS = 60.0
ATTEMPTS, REQUESTS = 6, 4
PROBE = Path(__file__).resolve().parents[2] / "visiongate" / "probe.jpg"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with two workers, whose limits are soon reached."""
    settings = {
        "WORKERS": "2",
        "LOGIN_RATE_PER_USER": f"{ATTEMPTS} per day",
        "LOGIN_RATE_PER_ADDRESS": "1000 per day",
        "REQUESTS_PER_DAY": str(REQUESTS),
        "DETECTORS_DISABLED": "object,classify,gender,ethnicity",
        "RETENTION": "off",
    }
    with running(tmp_path_factory.mktemp("workers"), **settings) as gateway:
        yield gateway


@contextmanager
def answered_by_another_than(worker: int) -> Iterator[None]:
    """Have a worker stand still for the ``with`` block: then it is the other one who answers."""
    os.kill(worker, signal.SIGSTOP)
    try:
        while not _stands_still(worker):  # else it might still take what comes
            time.sleep(0.001)
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def _stands_still(worker: int) -> bool:
    return Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def each_in_turn(gateway: Gateway, ask: Callable[[], int], times: int) -> list[int]:
    """Ask so many times, each worker in its turn; return the statuses."""
    workers = children(gateway.pid)
    assert len(workers) == 2
    answers = []
    for number in range(times):
        with answered_by_another_than(workers[number % 2]):
            answers.append(ask())
    return answers


def attempt(gateway: Gateway, name: str, password: str = "wrong", **headers: str) -> int:
    body = {"username": name, "password": password}
    address = f"{gateway.address}/api/v1/login"
    return requests.post(address, json=body, headers=headers, timeout=SECONDS).status_code


def test_a_name_can_be_tried_so_often_whoever_answers(gateway: Gateway) -> None:
    statuses = each_in_turn(gateway, lambda: attempt(gateway, "nobody"), ATTEMPTS + 2)
    assert statuses == [401] * ATTEMPTS + [429] * 2


def test_another_address_in_a_header_is_no_other_client(tmp_path: Path) -> None:
    settings = {"WORKERS": "2", "LOGIN_RATE_PER_ADDRESS": "4 per day", "PRELOAD": "false"}
    with running(tmp_path, **settings) as gateway:  # whose first login was one of the four
        names = iter(range(100))

        def ask() -> int:
            number = next(names)
            header = {"X-Forwarded-For": f"198.51.100.{number}"}
            return attempt(gateway, f"user{number}", **header)

        assert each_in_turn(gateway, ask, 5) == [401] * 3 + [429] * 2


def test_a_quota_is_one_for_all_workers(gateway: Gateway) -> None:
    picture = PROBE.read_bytes()
    headers = gateway.headers | {"Content-Type": "image/jpeg"}

    def detect() -> int:
        address = f"{gateway.address}/api/v1/detect/face"
        return requests.post(address, picture, headers=headers, timeout=SECONDS).status_code

    while time.time() % DAY_SECONDS > DAY_SECONDS - SECONDS:
        time.sleep(1)  # midnight would begin a new quota
    statuses = each_in_turn(gateway, detect, REQUESTS + 2)
    assert statuses == [200] * REQUESTS + [429] * 2


def test_what_was_counted_holds_for_workers_that_come_later(gateway: Gateway) -> None:
    for _ in range(ATTEMPTS):
        attempt(gateway, "carl")
    killed = children(gateway.pid)
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    after_death = new_workers(gateway, killed)
    assert each_in_turn(gateway, lambda: attempt(gateway, "carl"), 2) == [429] * 2
    os.kill(gateway.pid, signal.SIGHUP)
    new_workers(gateway, after_death)
    assert each_in_turn(gateway, lambda: attempt(gateway, "carl"), 2) == [429] * 2
    # Theirs is the whole gateway: they know its users, and do as they should.
    assert attempt(gateway, USER, PASSWORD) == 200


def new_workers(gateway: Gateway, old: list[int]) -> list[int]:
    """Wait until two others have taken the place of these workers; return them."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        workers = children(gateway.pid)
        if len(workers) == 2 and not set(workers) & set(old):
            return workers
        time.sleep(0.05)
    raise AssertionError(f"the workers {old} have not been replaced")
