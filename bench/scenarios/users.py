"""Logging in and checking tokens, with few and with many accounts in the store."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import servers
from bench.cases import settings
from bench.client import Request, get, prepared
from bench.loads import load
from bench.plugin import NOTHING, installed
from bench.processes import resident_megabytes
from bench.scenarios import Plot
from bench.session import Session, key
from db.tinydb_store import TinyDBUserStore
from visiongate.passwords import PasswordHasher
from visiongate.types import User

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Cost against users"
ABOUT = """\
`GET /api/v1/me`, which checks a token and looks its user up, and logins of ten users in turn;
four clients, one gateway for each size of store, in turn. Passwords are hashed at bcrypt's
least cost, so that a difference in looking up would show. In the store itself: one look-up; a
change of one account, which writes the file anew; and the first look-up after it, which reads
the file again."""
AIM = "The same with 100,000 users as with 10, within noise; at most 1 kB of memory an account."
PLOTS = (Plot("cpu_ms", over="users"), Plot("memory_mb", over="users"))

_USERS = (10, 1_000, 10_000, 100_000)
_CLIENTS = 4
_ROUNDS = 4  # of bcrypt, its least
_NAMES = 10
_LOOKUPS, _BATCHES = 2_000, 20
_TOKEN, _LOGIN, _STORE = "token check", "login", "the store alone"
_MEMORY = "a gateway with no network"
_UNLIMITED = {
    "bcrypt_rounds": str(_ROUNDS),
    "login_rate_per_user": "1000000 per second",
    "login_rate_per_address": "1000000 per second",
}


def run(session: Session) -> None:
    """Measure the sizes in turn, their gateways alive at once."""
    sizes = session.points(_USERS)
    secret = PasswordHasher(_ROUNDS).hash(servers.PASSWORD)
    with ExitStack() as stack:
        gates = {}
        for size in sizes:
            folder = session.data / f"users-{size}"
            _fill(folder, size, secret)
            gates[size] = stack.enter_context(
                servers.gateway(
                    folder,
                    {**_UNLIMITED, **settings(NOTHING)},
                    environment=installed(session.data),
                )
            )
        for number in session.each_round():
            for size, gate in session.in_turn(list(gates.items()), number):
                session.note(key(_STORE, users=size), _store(session.data / f"users-{size}"))
                token = [get("127.0.0.1", gate.port, "/api/v1/me", gate.token)]
                found = load(gate, token, _CLIENTS, session.seconds)
                session.note(key(_TOKEN, users=size), found)
                found = load(gate, _logins(gate), _CLIENTS, session.seconds)
                session.note(key(_LOGIN, users=size), found)
                used = {"memory_mb": resident_megabytes(gate.pid)}
                session.note(key(_MEMORY, users=size), used)
    few, many = sizes[0], sizes[-1]
    for what, measure, title, most in (
        (_STORE, "lookup_us", "time of a look-up", 1.25),
        (_TOKEN, "cpu_ms", "processor time of a token check", 1.1),
        (_LOGIN, "cpu_ms", "processor time of a login", 1.1),
    ):
        session.ratio(
            f"{title}: with {many:,} users, of that with {few}",
            key(what, users=many),
            key(what, users=few),
            measure,
            at_most=most,
        )
    memory = [session.rows[key(_MEMORY, users=size)]["memory_mb"] for size in (few, many)]
    session.add_ratio(
        "memory for each account, kB, with what is kept for reading the file again",
        [(most - least) * 1024 / (many - few) for least, most in zip(*memory, strict=True)],
        at_most=1.0,
    )


def _fill(folder: Path, size: int, secret: str) -> None:
    """Make so many accounts in one write; the bench's own user comes on top."""
    folder.mkdir()
    TinyDBUserStore(folder / "users.json").add_many(
        User(_name(number), secret, created=1.7e9 + number) for number in range(size)
    )


def _name(number: int) -> str:
    return f"user-{number:06}"


def _logins(gate: servers.Running) -> list[Request]:
    # The same names whatever the size, so that the rate limits' own tables do not differ.
    bodies = [
        f'{{"username":"{_name(number)}","password":"{servers.PASSWORD}"}}'.encode()
        for number in range(_NAMES)
    ]
    return [
        prepared("127.0.0.1", gate.port, "POST", "/api/v1/login", body, "application/json")
        for body in bodies
    ]


def _store(folder: Path) -> dict[str, float]:
    store = TinyDBUserStore(folder / "users.json")
    store.get(_name(5))
    look_up = min(_look_up(store) for _ in range(_BATCHES))
    begun = time.perf_counter()
    TinyDBUserStore(folder / "users.json").modify(
        _name(5), lambda user: replace(user, created=user.created + 1)
    )
    changed = time.perf_counter()
    store.get(_name(5))
    return {
        "lookup_us": look_up * 1e6,
        "change_ms": (changed - begun) * 1e3,
        "reread_ms": (time.perf_counter() - changed) * 1e3,
    }


def _look_up(store: TinyDBUserStore) -> float:
    """Return the processor seconds of one look-up; the least of several is the undisturbed one."""
    begun = time.thread_time()
    for _ in range(_LOOKUPS):
        store.get(_name(5))
    return (time.thread_time() - begun) / _LOOKUPS
