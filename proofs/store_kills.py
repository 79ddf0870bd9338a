"""The store: processes killed at random moments lose nothing that was acknowledged.

A thousand times a process adds users, writes down each that the store has acknowledged, and is
killed; half of the times the one that sweeps tokens, too. Then eight processes add 200 users each
at once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from db.revocations import SQLiteRevocationStore
from db.tinydb_store import TinyDBUserStore
from proofs.gateway import ROOT
from proofs.report import Report
from proofs.scale import Scale
from visiongate.errors import StoreUnavailable
from visiongate.types import User

__all__ = ["prove"]

_WRITERS = 8
_TRIES = 20
_MOST_USERS = 300
_LONGEST_LIFE = 0.02


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Kill, read, compare; then write from many processes."""
    kills = scale.number(full=1000, short=25)
    writes = 200 if not scale.is_short else 15
    # A process of its own: forking one that has threads is no good idea.
    command = [sys.executable, "-m", __name__, str(folder), str(kills), str(scale.seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    counts = dict(
        zip(
            ("acknowledged", "lost", "unasked", "damaged"),
            map(int, done.stdout.split()),
            strict=True,
        )
    )
    report.note(kills=kills, acknowledged=counts["acknowledged"])
    report.at_least("writes acknowledged for each kill", counts["acknowledged"] / kills, 0.3)
    report.none("acknowledged writes that were lost", counts["lost"])
    report.none("entries that nobody wrote", counts["unasked"])
    report.none("reads of a damaged store", counts["damaged"])
    _write_at_once(report, folder / "many.json", writes)


def _write_at_once(report: Report, path: Path, writes: int) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from proofs.store_kills import write_all\n"
        "write_all(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))\n"
    )
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(number), str(writes)], cwd=ROOT
        )
        for number in range(_WRITERS)
    ]
    failed = sum(writer.wait() != 0 for writer in writers)
    report.none("writers that failed", failed)
    found = {user.username for user in TinyDBUserStore(path).list()}
    wanted = {f"{number} {n}" for number in range(_WRITERS) for n in range(writes)}
    report.note(processes=_WRITERS, writes_each=writes)
    report.none("writes lost among processes", sorted(wanted ^ found)[:5])


def write_all(path: Path, name: str, writes: int) -> None:
    """Add accounts, again where the store says that others have held its lock for long."""
    store = TinyDBUserStore(path)
    for number in range(writes):
        for _ in range(_TRIES):
            with suppress(StoreUnavailable):
                store.add(User(f"{name} {number}", "x"))
                break
        else:
            raise SystemExit(f"refused {_TRIES} times")


def kill_writers(folder: Path, kills: int, seed: int) -> tuple[int, int, int, int]:
    """Return how many writes were acknowledged, lost, unasked for, and reads that failed."""
    chance = random.Random(seed)
    path, revoked = folder / "users.json", folder / "revoked.db"
    expected: set[str] = set()
    ended: set[str] = set()
    acknowledged = lost = unasked = damaged = 0
    for life in range(kills):
        heard, said = os.pipe()
        victim = os.fork()
        if victim == 0:
            _live(path, revoked, life, said)
        os.close(said)
        words = os.read(heard, 4096) if chance.random() < 0.5 else b""
        time.sleep(chance.uniform(0, _LONGEST_LIFE))
        os.kill(victim, signal.SIGKILL)
        os.waitpid(victim, 0)
        while rest := os.read(heard, 4096):
            words += rest
        os.close(heard)
        said_now = set(words.decode().split("\n")[:-1])
        acknowledged += len(said_now)
        try:
            found = {user.username for user in TinyDBUserStore(path).list()}
            store = SQLiteRevocationStore(revoked)
            ended |= said_now
            lost += sum(not store.is_revoked(name) for name in said_now)
            store.close()
        except Exception:  # noqa: BLE001 - any error is the finding
            damaged += 1
            continue
        lost += len((expected | said_now) - found)
        new = found - expected - said_now
        unasked += max(0, len(new) - 1)  # one may be done whose word was cut off
        expected = found
        if len(expected) > _MOST_USERS:
            path.unlink()  # a larger file is only slower
            expected = set()
    if ended:
        store = SQLiteRevocationStore(revoked)
        lost += sum(not store.is_revoked(name) for name in ended)
    return acknowledged, lost, unasked, damaged


def _live(path: Path, revoked: Path, life: int, said: int) -> None:
    # What revoke waits for is no write, and is no moment to die in.
    users = TinyDBUserStore(path)
    tokens = SQLiteRevocationStore(revoked, wait=lambda _seconds: None)
    for number in range(1_000_000):
        name = f"{life}-{number}"
        tokens.revoke([name], until=4e9)
        users.add(User(name, "x"))
        os.write(said, f"{name}\n".encode())


if __name__ == "__main__":
    print(*kill_writers(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
