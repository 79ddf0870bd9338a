"""Hashing: what a password may be, the same work for every answer, and a bounded line."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed

import bcrypt
import pytest

from visiongate.errors import Overloaded, PasswordInvalid
from visiongate.passwords import PasswordHasher, check_new_password, encode_password

ROUNDS = 6


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(ROUNDS)
    yield hasher
    hasher.close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The bcrypt work done since the list was last cleared: 2^cost for each hash computed."""
    done: list[int] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        done.append(2 ** int(hashed[4:6]))
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return done


def test_a_hash_is_bcrypts_own_and_salted(hasher: PasswordHasher) -> None:
    first, second = hasher.hash("päss"), hasher.hash("päss")
    assert first != second
    assert first.startswith(f"$2b$0{ROUNDS}$")
    assert bcrypt.checkpw("päss".encode(), first.encode())
    assert hasher.verify("päss", first)
    assert not hasher.verify("pass", first)
    assert not hasher.outdated(first)


def test_a_composed_and_a_decomposed_letter_are_one(hasher: PasswordHasher) -> None:
    assert hasher.verify("cafe\u0301", hasher.hash("caf\u00e9"))


def test_72_bytes_count_in_full_and_the_73rd_is_refused(hasher: PasswordHasher) -> None:
    longest = "x" * 72
    assert hasher.verify(longest, hasher.hash(longest))
    assert not hasher.verify("x" * 71 + "y", hasher.hash(longest))
    for password, size in (("x" * 73, 73), ("é" * 37, 74), ("🙂" * 19, 76), ("x" * 10**6, 10**6)):
        with pytest.raises(PasswordInvalid, match=f"{size} bytes.*at most 72 bytes"):
            hasher.hash(password)


@pytest.mark.parametrize(
    ("password", "says"), [("", "empty"), ("a\0b", "NUL"), ("\ud800", "surrogate")]
)
def test_what_no_password_can_be_is_named(password: str, says: str) -> None:
    with pytest.raises(PasswordInvalid, match=says):
        encode_password(password)


@pytest.mark.parametrize("password", ["x", "seven77", "e\u0301" * 7])
def test_a_new_password_has_eight_characters(password: str, hasher: PasswordHasher) -> None:
    with pytest.raises(PasswordInvalid, match=r"too short.*at least 8"):
        check_new_password(password)
    assert check_new_password("eight 88") == "eight 88"
    assert hasher.verify(password, hasher.hash(password)), "one of earlier still serves"


def test_spaces_are_part_of_a_password(hasher: PasswordHasher) -> None:
    assert not hasher.verify("a b", hasher.hash(" a b "))


@pytest.mark.parametrize("password", ["", "x" * 73, "a\0b", "\ud800", "wrong"], ids=ascii)
@pytest.mark.parametrize("cost", [4, 5, ROUNDS])
def test_every_refusal_costs_the_same_work(
    hasher: PasswordHasher, work: list[int], password: str, cost: int
) -> None:
    known = bcrypt.hashpw(b"right", bcrypt.gensalt(cost)).decode()
    assert not hasher.verify(password, known)
    assert sum(work) == 2**ROUNDS


@pytest.mark.parametrize(
    "damaged",
    [None, "", "plain text", "$2b$06$short", "$2b$99$" + "a" * 53, "$2b$06$" + "ä" * 53, "x" * 999],
    ids=ascii,
)
def test_no_hash_or_a_damaged_one_is_refused_after_the_same_work(
    hasher: PasswordHasher, work: list[int], damaged: str | None
) -> None:
    assert not hasher.verify("right", damaged)
    assert sum(work) == 2**ROUNDS


@pytest.mark.parametrize("cost", [4, ROUNDS])
def test_the_right_password_costs_no_less(
    hasher: PasswordHasher, work: list[int], cost: int
) -> None:
    assert hasher.verify("right", bcrypt.hashpw(b"right", bcrypt.gensalt(cost)).decode())
    assert sum(work) == 2**ROUNDS


@pytest.mark.parametrize("prefix", ["2a", "2y"])
def test_hashes_of_bcrypts_other_writers_are_read(hasher: PasswordHasher, prefix: str) -> None:
    foreign = hasher.hash("right").replace("$2b$", f"${prefix}$")
    assert hasher.verify("right", foreign)
    assert not hasher.verify("wrong", foreign)


def test_another_cost_is_outdated(hasher: PasswordHasher) -> None:
    for cost in (4, 5, 7):
        assert hasher.outdated(bcrypt.hashpw(b"x", bcrypt.gensalt(cost)).decode())


def test_the_line_is_bounded_and_says_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    hash_now = bcrypt.hashpw

    def slow(password: bytes, salt: bytes) -> bytes:
        assert go.wait(30)
        return hash_now(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", slow)
    hasher = PasswordHasher(4, workers=1, max_waiting=2)
    with ThreadPoolExecutor(6) as callers:
        jobs = [callers.submit(hasher.hash, "x") for _ in range(6)]
        # One is hashed and two wait until we say go, so what is done before was turned away.
        turned_away = [next(done) for done in [as_completed(jobs, timeout=30)] for _ in range(3)]
        errors = [job.exception() for job in turned_away]
        assert [type(error) for error in errors] == [Overloaded] * 3
        assert all(isinstance(error, Overloaded) and error.retry_after for error in errors)
        go.set()
        served = [job.result(30) for job in jobs if job not in turned_away]
    assert len(served) == 3
    assert all(bcrypt.checkpw(b"x", hashed.encode()) for hashed in served)
    assert hasher.hash("there is room again")
    hasher.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives each thread its niceness")
def test_hashing_steps_back_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int]] = []
    hash_now = bcrypt.hashpw

    def spy(password: bytes, salt: bytes) -> bytes:
        thread = threading.current_thread()
        seen.append((thread.name, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
        return hash_now(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", spy)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    hasher = PasswordHasher(4)
    hasher.hash("x")
    hasher.close()
    assert seen == [("password_0", min(before + 10, 19))]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
