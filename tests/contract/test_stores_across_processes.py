"""The file stores keep their promises between processes, and when one dies at any moment."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from db.revocations import SQLiteRevocationStore
from db.tinydb_store import TinyDBUserStore
from visiongate.types import User

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="forks and kills as POSIX systems do"
)

ROOT = Path(__file__).resolve().parents[2]

_ADDER = """
import sys
from pathlib import Path
from db.tinydb_store import TinyDBUserStore
from visiongate.types import User

users = TinyDBUserStore(Path(sys.argv[1]))
for line in sys.stdin:
    for number in range(int(sys.argv[2])):
        users.add(User(f"{line.strip()} {number}", "x"))
    print("done", flush=True)
"""

_REVOKER = """
import sys
from pathlib import Path
from db.revocations import SQLiteRevocationStore

revoked = SQLiteRevocationStore(Path(sys.argv[1]))
for line in sys.stdin:
    print(revoked.revoke([line.strip()], until=4e9), flush=True)
"""

_ASKER = """
import sys
from pathlib import Path
from db.revocations import SQLiteRevocationStore

revoked = SQLiteRevocationStore(Path(sys.argv[1]))
for line in sys.stdin:
    print(revoked.is_revoked(line.strip()), flush=True)
"""

# One process imports everything once and forks the victims: each adds users and writes down the
# name of each one that the store has acknowledged, until it is killed.
_VICTIMS = """
import os, random, signal, sys, time
from pathlib import Path
from db.tinydb_store import TinyDBUserStore
from visiongate.types import User

path, kills, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
for life in range(kills):
    heard, said = os.pipe()
    victim = os.fork()
    if victim == 0:
        store = TinyDBUserStore(path)
        for number in range(1_000_000):
            name = f"life {life} number {number}"
            store.add(User(name, "x"))
            os.write(said, f"{name}\\n".encode())
    os.close(said)
    acknowledged = [os.read(heard, 4096) for _ in range(chance.randrange(3))]
    time.sleep(chance.uniform(0, 0.01))  # so that it dies anywhere in its next writes
    os.kill(victim, signal.SIGKILL)
    os.waitpid(victim, 0)
    while rest := os.read(heard, 4096):
        acknowledged.append(rest)
    os.close(heard)
    sys.stdout.write(b"".join(acknowledged).decode())
    found = {user.username for user in TinyDBUserStore(path).list()}  # raises if damaged
    print("then", len(found), flush=True)
"""

# Dies before and after each call to the system, one after another: at each open, write, fsync,
# link, rename, unlink and lock.
_STEPS = """
import io, os, signal, sys
from pathlib import Path
from db.tinydb_store import TinyDBUserStore
from visiongate.files import backup_of
from visiongate.types import User

path = Path(sys.argv[1])
TinyDBUserStore(path).add(User("first", "x"))

def to_the_system(function):
    return function.__module__ in ("posix", "fcntl", "io", "_io") or isinstance(
        function.__self__, io.IOBase
    )

def die_at(last):
    seen = 0
    def profile(frame, event, argument):
        nonlocal seen
        if event in ("c_call", "c_return") and to_the_system(argument):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(profile)

step = 0
while True:
    step += 1
    before = {user.username for user in TinyDBUserStore(path).list()}
    heard, said = os.pipe()
    victim = os.fork()
    if victim == 0:
        store = TinyDBUserStore(path)
        die_at(step)
        store.add(User(f"step {step}", "x"))
        os.write(said, b"acknowledged")
        sys.setprofile(None)
        os._exit(0)
    os.close(said)
    _, status = os.waitpid(victim, 0)
    acknowledged = os.read(heard, 100) == b"acknowledged"
    os.close(heard)
    after = {user.username for user in TinyDBUserStore(path).list()}  # raises if damaged
    if backup_of(path).exists():
        TinyDBUserStore(backup_of(path)).list()  # raises if damaged
    new = {f"step {step}"}
    assert after == before | new or (after == before and not acknowledged), (step, before, after)
    if not os.WIFSIGNALED(status):
        assert acknowledged, step
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
print(step)
"""


class _Team:
    """Four processes that each answer a line with a line, all at once."""

    def __init__(self, script: str, *arguments: object) -> None:
        command = [sys.executable, "-c", script, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._members = [
            subprocess.Popen(command, cwd=ROOT, text=True, bufsize=1, **pipes) for _ in range(4)
        ]

    def __enter__(self) -> _Team:
        return self

    def ask(self, lines: list[str]) -> list[str]:
        for member, line in zip(self._members, lines, strict=True):
            assert member.stdin is not None
            member.stdin.write(f"{line}\n")
        return [member.stdout.readline().strip() for member in self._members if member.stdout]

    def __exit__(self, *_: object) -> None:
        errors = [member.communicate()[1] for member in self._members]
        assert errors == [""] * 4


def _run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert process.returncode == 0, process.stderr
    return process.stdout


def _files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_four_processes_that_add_at_once_lose_no_user(tmp_path: Path) -> None:
    path, names, count = tmp_path / "users.json", ["a", "b", "c", "d"], 15
    with _Team(_ADDER, path, count) as team:
        assert team.ask(names) == ["done"] * 4
    assert [user.username for user in TinyDBUserStore(path).list()] == sorted(
        f"{name} {number}" for name in names for number in range(count)
    )
    documents = json.loads(path.read_text())["users"]
    assert sorted(map(int, documents)) == list(range(1, 4 * count + 1)), "no id is used twice"


def test_of_four_processes_exactly_one_revokes_a_token(tmp_path: Path) -> None:
    path = tmp_path / "revoked.db"
    with _Team(_REVOKER, path) as team:
        for number in range(40):
            answers = team.ask([f"token {number}"] * 4)
            assert sorted(answers) == ["False", "False", "False", "True"], number
    store = SQLiteRevocationStore(path)
    assert all(store.is_revoked(f"token {number}") for number in range(40))


def test_a_revocation_that_has_returned_is_known_to_who_asked_a_moment_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "revoked.db"
    store = SQLiteRevocationStore(path)
    with _Team(_ASKER, path) as team:
        for number in range(20):
            assert team.ask([f"token {number}"] * 4) == ["False"] * 4
            store.revoke([f"token {number}"], until=4e9)
            assert team.ask([f"token {number}"] * 4) == ["True"] * 4, number


def test_a_process_killed_at_random_moments_loses_no_acknowledged_user(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    kills = 48
    lines = _run(_VICTIMS, path, kills, 20_250_611).splitlines()
    assert sum(line.startswith("then ") for line in lines) == kills

    acknowledged = {line for line in lines if line.startswith("life ")}
    names = {user.username for user in TinyDBUserStore(path).list()}
    assert acknowledged <= names
    # A write may be done and its acknowledgement cut off, but only the last one of each life.
    assert len(names - acknowledged) <= kills
    assert len(acknowledged) >= kills // 2, "the victims lived too short to prove anything"

    TinyDBUserStore(path).remove(sorted(names)[0])
    assert _files(tmp_path) == {
        "users.json",
        "users.json.bak",
        "users.json.lock",
        "users.json.turn.lock",
    }


def test_a_process_killed_at_each_step_of_a_write_leaves_the_old_state_or_the_new(
    tmp_path: Path,
) -> None:
    steps = int(_run(_STEPS, tmp_path / "users.json"))
    assert steps > 60, "the profile saw too few steps to have gone through a write"


def test_the_lock_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    script = """
import os, signal, sys
from pathlib import Path
from visiongate.files import locked
with locked(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    TinyDBUserStore(path).add(User("ann", "x"))
