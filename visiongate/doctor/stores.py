"""Are accounts, keys and ended tokens whole? Read as they lie, without a lock or a write."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from visiongate.doctor.findings import Finding, command, fail, in_words, ok, warn
from visiongate.errors import ConfigurationError, UsernameInvalid, VisiongateError
from visiongate.files import backup_of, explain
from visiongate.keys import Key, read_keys
from visiongate.passwords import is_hash
from visiongate.registry import Registry
from visiongate.services import build_users
from visiongate.settings import Settings
from visiongate.types import User
from visiongate.users import check_username

__all__ = ["examine", "keys_of"]

_ADD_ADMIN = "python adduser.py -u NAME --role admin"
_END_ALL = "python -m visiongate.keys rotate --at-once"
_REVOKED = "revoked.db"
_DATABASES = {
    _REVOKED: (
        "ended tokens",
        "SELECT count(*) FROM revoked",
        f"; then end all tokens: {_END_ALL}",
    )
}
"""By file: what is in it, how much, and what has to follow when it is lost."""
_DIED_SECONDS = 3600.0  # no write takes so long


def examine(settings: Settings) -> Iterator[Finding]:
    yield from _accounts(settings)
    yield from _keys(settings.data_dir / "keys.json")
    yield from _databases(settings.data_dir)
    yield from _leftovers(settings.data_dir)


def keys_of(path: Path) -> list[Key]:
    """Return the keys in the file, none without a file. Raises: OSError, ConfigurationError."""
    try:
        return read_keys(path.read_bytes(), path)
    except FileNotFoundError:
        return []


def _accounts(settings: Settings) -> Iterator[Finding]:
    path = settings.data_dir / "users.json"
    store, _ = build_users(settings)
    try:
        users = store.list()
    except VisiongateError as error:
        do = "Do as it says, with the gateway stopped."
        if path.is_file() and backup_of(path).is_file():
            do = f"With the gateway stopped: {command('cp', '-p', backup_of(path), path)}"
        yield fail("users", error.detail, do)
        return
    yield from _who(users)
    yield from _each(users, settings, path)
    if backup_of(path).is_file() and not _is_json(backup_of(path)):
        yield warn(
            "users' backup",
            f"{backup_of(path)} cannot be read, so it is no way back from a mistake.",
            f"{command('rm', backup_of(path))} (the next change of a user makes it anew)",
        )


def _who(users: Sequence[User]) -> Iterator[Finding]:
    if not users:
        yield warn("users", "Nobody can log in: there is no user.", _ADD_ADMIN)
    elif not any(user.role == "admin" and not user.disabled for user in users):
        yield warn(
            "users",
            f"Accounts: {len(users)}, and no admin who may log in is among them.",
            _ADD_ADMIN,
        )
    else:
        admins = sum(user.role == "admin" for user in users)
        yield ok("users", f"Accounts: {len(users)}, of them admins: {admins}; each one readable.")


def _each(users: Sequence[User], settings: Settings, path: Path) -> Iterator[Finding]:
    hashless = [user.username for user in users if not is_hash(user.password_hash)]
    if hashless:
        yield fail(
            "passwords",
            f"In {path}, what {in_words(hashless)} should log in by is no bcrypt hash.",
            command("python", "adduser.py", "--passwd", hashless[0]),
        )
    odd = [user.username for user in users if not _usual(user.username)]
    if odd:
        yield fail(
            "names",
            f"{in_words([ascii(name) for name in odd])} cannot be typed at a login.",
            f"Correct the name in {path} with the gateway stopped.",
        )
    try:
        known = set(Registry.discover(settings.detectors, settings.detectors_disabled).names())
    except ConfigurationError:
        return  # the settings' examination says so
    for user in users:
        unknown = sorted((user.detectors or frozenset()) - known)
        if unknown:
            yield warn(
                "rights",
                f"{user.username} may use {in_words(unknown)}, which this gateway does not have.",
                f"{command('python', 'adduser.py', '-u', user.username)} --detectors NAMES",
            )


def _usual(name: str) -> bool:
    try:
        return check_username(name) == name
    except UsernameInvalid:
        return False


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _keys(path: Path) -> Iterator[Finding]:
    try:
        keys = keys_of(path)
    except ConfigurationError as error:
        do = f"{command('mv', path, path.with_suffix('.damaged'))} (everybody logs in again)"
        yield fail("signing keys", error.detail, do)
    except OSError as error:
        yield fail("signing keys", explain(error, path), "See the examination of permissions.")
    else:
        if keys:
            (signing,) = (key.kid for key in keys if key.until is None)
            yield ok("signing keys", f"{signing} signs; older ones that verify: {len(keys) - 1}.")
        else:
            yield ok("signing keys", f"{path} is not there yet; the first start makes it.")


def _databases(data: Path) -> Iterator[Finding]:
    """Have SQLite check its own files."""
    if not (data / _REVOKED).exists():
        yield ok("ended tokens", f"{data / _REVOKED} is not there yet; the first request makes it.")
    for path in sorted(data.glob("*.db")):
        other = (path.name, "SELECT count(*) FROM sqlite_master", "")
        check, query, way_back = _DATABASES.get(path.name, other)
        files = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]
        apart = "; ".join(
            command("mv", file, file.with_name(file.name + ".damaged"))
            for file in files
            if file.exists()
        )
        mend = f"With the gateway stopped: {apart}{way_back}"
        try:
            with _opened(path) as connection:
                said = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
                number = connection.execute(query).fetchone()[0]
        except sqlite3.DatabaseError as error:
            yield fail(check, f"{path} is damaged: {error}.", mend)
        except OSError as error:
            yield fail(check, explain(error, path), "See the examination of permissions.")
        else:
            if said != ["ok"]:
                yield fail(check, f"{path} is damaged: {in_words(said)}.", mend)
            else:
                yield ok(check, f"{path} is whole; entries: {number}.")


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database so that neither it nor what lies beside it is changed."""
    log, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if not log.exists():
        how, here = "immutable=1", path  # closed well: SQLite would make a log to read it otherwise
    elif shared.exists():
        how, here = "mode=ro&readonly_shm=1", path  # in use, or left by a crash
    else:  # SQLite would have to make the shared index: a copy may have one
        with tempfile.TemporaryDirectory(prefix="visiongate-doctor-") as folder:
            for file in (path, log):
                shutil.copyfile(file, Path(folder) / file.name)
            with closing(sqlite3.connect(Path(folder) / path.name)) as connection:
                yield connection
        return
    with here.open("rb"):
        pass  # SQLite would say of every reason that it is "unable to open"
    address = f"file:{quote(str(here.absolute()))}?{how}"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield connection


def _leftovers(data: Path) -> Iterator[Finding]:
    """Look for what writers that died left behind. It is harmless, and can be in the way."""
    found = [
        *data.glob(".*.tmp"),
        *data.glob("models/.*.part"),
        *data.glob("models/derived/.conv*"),
    ]
    now = time.time()
    old = [path for path in found if now - path.lstat().st_mtime > _DIED_SECONDS]
    if old:
        yield warn(
            "leftovers",
            f"A crash left {in_words(old)} behind; nothing reads them.",
            command("rm", "-r", *old),
        )
    else:
        yield ok("leftovers", "No crash has left anything half-written behind.")
