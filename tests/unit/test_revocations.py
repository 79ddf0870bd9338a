"""The SQLite file of revoked tokens: private, pruned, and what is said when it is out of order."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from db.revocations import SQLiteRevocationStore
from visiongate.errors import StoreUnavailable

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="modes, limits and forks are POSIX's")
NEVER = 4e9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "revoked.db"


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


DAY = 86400.0


def test_only_what_expired_a_week_ago_is_forgotten(path: Path) -> None:
    now = 1000.0
    store = SQLiteRevocationStore(path, clock=lambda: now)
    for day in range(20):
        store.revoke([f"id-{day}"], until=now + 3 * DAY)
        now += DAY
    with closing(sqlite3.connect(path)) as connection:
        kept = {id_ for (id_,) in connection.execute("SELECT id FROM revoked")}
    assert kept == {f"id-{day}" for day in range(10, 20)}


def test_a_clock_that_was_ahead_makes_no_ended_token_good_again(path: Path) -> None:
    now = 1000.0
    store = SQLiteRevocationStore(path, clock=lambda: now)
    store.revoke(["ended"], until=now + 3600)
    now += 3 * 3600
    store.revoke(["another"], until=now + 3600)
    now -= 3 * 3600
    assert store.is_revoked("ended")


def test_who_ends_a_token_waits_until_nobody_counts_on_an_older_answer(path: Path) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        assert SQLiteRevocationStore(path).is_revoked("ended"), "it is known from here on"
        waited.append(seconds)
        time.sleep(seconds)

    other = SQLiteRevocationStore(path)
    store = SQLiteRevocationStore(path, wait=wait)
    assert not other.is_revoked("ended")
    store.revoke(["ended"], until=NEVER)
    assert other.is_revoked("ended")
    assert len(waited) == 1


@posix
def test_every_file_of_it_is_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        store = SQLiteRevocationStore(path)
        store.revoke(["a"], NEVER)
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    files = [f"revoked.db{suffix}" for suffix in ("", "-wal", "-shm", ".lock", ".turn.lock")]
    assert modes == dict.fromkeys(files, 0o600)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_closed_store_opens_again(path: Path) -> None:
    store = SQLiteRevocationStore(path)
    store.close()
    store.revoke(["a"], NEVER)
    store.close()
    store.close()
    assert store.is_revoked("a")


@posix
def test_a_forked_process_opens_its_own(path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from db.revocations import SQLiteRevocationStore
store = SQLiteRevocationStore(Path(sys.argv[1]))
store.revoke(["parent"], 4e9)
child = os.fork()
if child == 0:
    ok = store.is_revoked("parent") and store.revoke(["child"], 4e9)
    os._exit(0 if ok else 1)
assert os.waitpid(child, 0)[1] == 0
print(store.is_revoked("child"), store.revoke(["parent after"], 4e9))
"""
    assert run(script, path) == "True True\n"


@posix
def test_a_killed_process_loses_no_acknowledged_revocation(path: Path) -> None:
    script = """
import os, random, signal, sys, time
from pathlib import Path
from db.revocations import SQLiteRevocationStore
path, chance = Path(sys.argv[1]), random.Random(11)
SQLiteRevocationStore(path).close()
for life in range(20):
    heard, said = os.pipe()
    victim = os.fork()
    if victim == 0:
        store = SQLiteRevocationStore(path)
        for number in range(1_000_000):
            assert store.revoke([f"{life}-{number}"], 4e9)
            os.write(said, f"{life}-{number}\\n".encode())
    os.close(said)
    acknowledged = [os.read(heard, 4096)]
    time.sleep(chance.uniform(0, 0.01))  # so that it dies anywhere in its next writes
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    while rest := os.read(heard, 4096):
        acknowledged.append(rest)
    os.close(heard)
    store = SQLiteRevocationStore(path)
    ids = b"".join(acknowledged).decode().split()
    assert ids and all(store.is_revoked(id_) for id_ in ids), ids
    print(len(ids))
"""
    assert len(run(script, path).splitlines()) == 20


@pytest.mark.parametrize("content", [b"{}", b"SQLite format 3\0" + b"\xff" * 5000, b"x" * 9000])
def test_a_damaged_file_is_refused_with_the_way_back(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = SQLiteRevocationStore(path)
    for attempt in (lambda: store.is_revoked("a"), lambda: store.revoke(["a"], NEVER)):
        with pytest.raises(StoreUnavailable, match=r"damaged.*rotate --at-once"):
            attempt()
    assert path.read_bytes() == content


def test_a_path_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "revoked.db", tmp_path):
        store = SQLiteRevocationStore(path)
        for attempt in (lambda s=store: s.is_revoked("a"), lambda s=store: s.revoke(["a"], NEVER)):
            with pytest.raises(StoreUnavailable, match=str(path)):
                attempt()


@posix
def test_a_full_disk_revokes_nothing_says_so_and_recovers(path: Path) -> None:
    # The kernel's limit on a file's size stops the write half-way, as a full disk does.
    script = """
import resource, sys
from pathlib import Path
from db.revocations import SQLiteRevocationStore
from visiongate.errors import StoreUnavailable
store = SQLiteRevocationStore(Path(sys.argv[1]))
assert store.revoke(["before"], 4e9)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, most))
many = [f"token {number}" for number in range(3000)]
try:
    store.revoke(many, 4e9)
except StoreUnavailable as error:
    print(error.detail)
print(store.is_revoked("before"), store.is_revoked(*many))
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
print(store.revoke(many, 4e9), store.is_revoked("token 2999"))
"""
    said, during, after = run(script, path).splitlines()
    assert "room" in said
    assert during == "True False"
    assert after == "True True"
