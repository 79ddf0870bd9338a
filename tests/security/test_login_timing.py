"""A refused login tells by nothing whether the name exists: not by its answer, nor by its time.

``python -m proofs.login_timing`` measures more, for longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest

from proofs.login_timing import KINDS, Login, chance_of_longer, measure, p_value, prepared
from tests.security.conftest import House
from tests.web.checks import problem_of
from visiongate.passwords import PasswordHasher

PAIR = {kind: KINDS[kind] for kind in ("unknown name", "known name")}


@pytest.fixture
def login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Callable[..., House]
) -> Iterator[Login]:
    """A login to a gateway with real stores; ``build`` keeps the environment's settings out."""
    made, close = prepared(tmp_path, rounds=5)
    yield made
    close()


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what bcrypt is given to do: 2^cost for each hash."""
    done: Counter[str] = Counter()
    check, make = bcrypt.checkpw, bcrypt.hashpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        done["work"] += 2 ** int(hashed[4:6])
        return check(password, hashed)

    def hashpw(password: bytes, salt: bytes) -> bytes:
        done["work"] += 2 ** int(salt[4:6])
        return make(password, salt)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    monkeypatch.setattr(bcrypt, "hashpw", hashpw)
    return done


@pytest.mark.parametrize("kind", KINDS)
def test_every_refused_login_is_the_same_work(kind: str, login: Login, work: Counter[str]) -> None:
    login(*KINDS[kind])
    assert work["work"] == 2**5


@pytest.mark.parametrize("kind", KINDS)
def test_every_refused_login_gets_the_same_answer(kind: str, login: Login) -> None:
    documents = []
    for given in (KINDS["unknown name"], KINDS[kind]):
        answer = login(*given)
        document = problem_of(answer, 401, "credentials_wrong")  # type: ignore[arg-type]
        del document["request_id"]
        headers = {k: v for k, v in answer.headers if k not in ("X-Request-ID", "Date")}  # type: ignore[attr-defined]
        documents.append((document, headers))
    assert documents[0] == documents[1]


def differs(login: Login, number: int = 50) -> float:
    """Return how likely the two kinds of login take alike, by the Mann-Whitney test."""
    times = measure(login, number, PAIR)
    chance = chance_of_longer(times["known name"], times["unknown name"])
    return p_value(chance, number, number)


def test_time_tells_nothing(login: Login) -> None:
    # By chance alone, this fails once in 10^12 times: three times in a row below 10^-4.
    assert any(differs(login) > 1e-4 for _ in range(3))


def test_time_would_tell_if_unknown_names_were_refused_at_once(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    verify = PasswordHasher.verify

    def early(hasher: PasswordHasher, password: str, password_hash: str | None) -> bool:
        return password_hash is not None and verify(hasher, password, password_hash)

    monkeypatch.setattr(PasswordHasher, "verify", early)
    # Other work on this machine may hide it for a while; chance shows it once in 10^5 times.
    assert any(differs(login) < 1e-6 for _ in range(10))


def test_the_statistics() -> None:
    assert chance_of_longer([1.0, 2.0, 3.0], [0.5, 0.6]) == 1.0
    assert chance_of_longer([1.0, 3.0], [2.0, 4.0]) == 0.25
    assert p_value(0.5, 100, 100) == 1.0
    assert p_value(0.6, 100, 100) == pytest.approx(0.0146, abs=2e-4)
    assert p_value(0.9, 100, 100) < 1e-20
