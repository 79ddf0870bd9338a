"""Small private files that several processes share: locked, written whole or not at all.

A writer takes ``locked(path)``, reads afresh, and calls ``write_private``; readers need no lock,
since a file is only ever replaced by a complete one. ``FileView`` keeps what was derived from a
file until the file changes. Errors are plain ``OSError``; ``explain`` puts them in words.
"""

from __future__ import annotations

import errno
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from filelock import FileLock, Timeout

__all__ = [
    "LOCK_SECONDS",
    "FileView",
    "Stamp",
    "backup_of",
    "explain",
    "locked",
    "make_private",
    "read_stamped",
    "write_private",
]

T = TypeVar("T")

Stamp: TypeAlias = tuple[int, int, int, int]
"""Device, inode, size and mtime (ns) of a file: differs between any two versions we wrote."""

LOCK_SECONDS = 10.0
"""How long a writer waits for the others; a write takes milliseconds."""

_POLL_SECONDS = 0.005
_MTIME_STEP_NS = 1_000  # coarser than NTFS's 100 ns, so that each step survives everywhere
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_DENIED = frozenset({errno.EACCES, errno.EPERM})


@contextmanager
def locked(path: Path, timeout: float = LOCK_SECONDS) -> Iterator[None]:
    """Be the only writer of ``path`` among all threads and processes for the ``with`` block.

    The lock is the kernel's, on ``path`` + ``.lock``: it ends with the process that holds it.
    Whoever waits for it holds the turn, a second lock: a writer that has just finished cannot
    take the lock again before one that has been waiting, so that nobody is kept from it for long.
    Makes the folder (mode 0700) if need be, and removes what writers that died left behind.

    Raises:
        TimeoutError: others held it for ``timeout`` seconds.
        OSError: the folder cannot be made or written to.
    """
    end = time.monotonic() + timeout
    with ExitStack() as held:
        with _lock(path, ".turn.lock", end):
            held.enter_context(_lock(path, ".lock", end))
        for leftover in path.parent.glob(f".{path.name}.*.tmp"):
            leftover.unlink(missing_ok=True)
        yield


def _lock(path: Path, suffix: str, end: float) -> FileLock:
    file = path.with_name(path.name + suffix)
    make_private(file)
    left = max(0.0, end - time.monotonic())
    return FileLock(file, timeout=left, mode=0o600, poll_interval=_POLL_SECONDS)


def make_private(path: Path) -> None:
    """Make an empty file (mode 0600), and its folder (0700), if it is not there.

    Raises:
        OSError: it can neither be made nor is it there.
    """
    _make_private_folder(path.parent)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        os.close(descriptor)
        _give_to_owner(path, path.parent)


def write_private(path: Path, data: bytes, *, backup: bool = False) -> None:
    """Replace the content of ``path`` by ``data``, on disk when this returns, mode 0600.

    A crash at any moment leaves the old content or the new. With ``backup``, the old content
    stays beside it under ``backup_of(path)``. The mtime grows with every write, by force if the
    clock stands still, so that ``Stamp`` tells any two versions apart.

    Raises:
        OSError: nothing was changed, unless only the last step, syncing the folder, failed.
    """
    _make_private_folder(path.parent)
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _give_to_owner(temporary, path if path.exists() else path.parent)
        with suppress(FileNotFoundError):
            mtime = max(time.time_ns(), path.stat().st_mtime_ns + _MTIME_STEP_NS)
            os.utime(temporary, ns=(mtime, mtime))
            if backup:
                _back_up(path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def backup_of(path: Path) -> Path:
    """Return where ``write_private`` keeps the content before the last change."""
    return path.with_name(path.name + ".bak")


def read_stamped(path: Path) -> tuple[bytes | None, Stamp | None]:
    """Return the content and its stamp, both of one version; (None, None) without a file.

    Raises:
        OSError: the file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(), _stamp(os.fstat(file.fileno()))
    except FileNotFoundError:
        return None, None


class FileView(Generic[T]):
    """What ``derive`` makes of a file's content (None: no file), made again when it changes.

    Asking costs one ``stat`` while the file stays as it is. Safe between threads; ``derive`` runs
    in one of them at a time. What it raises reaches the caller, and is tried again next time.
    """

    def __init__(self, path: Path, derive: Callable[[bytes | None], T]) -> None:
        self._path = path
        self._name = os.fspath(path)  # which every request asks for, past Path's detours
        self._derive = derive
        self._seen: tuple[Stamp | None, T] | None = None
        self._refreshing = threading.Lock()

    def get(self) -> T:
        """Return the value for the file as it is now. Raises: OSError, and what derive raises."""
        try:
            stamp: Stamp | None = _stamp(os.stat(self._name))  # noqa: PTH116
        except FileNotFoundError:
            stamp = None
        seen = self._seen
        if seen is not None and seen[0] == stamp:
            return seen[1]
        with self._refreshing:
            if self._seen is not None and self._seen is not seen and self._seen[0] == stamp:
                return self._seen[1]
            data, stamp = read_stamped(self._path)
            value = self._derive(data)
            self._seen = (stamp, value)
            return value


def explain(error: OSError, path: Path) -> str:
    """Say what kept us from ``path`` and what to do about it."""
    if isinstance(error, (Timeout, TimeoutError)):
        return (
            f"{path} has been locked by another process for {LOCK_SECONDS:.0f} s. "
            "Find the process that hangs (fuser shows who has the .lock file open) and end it."
        )
    if error.errno in _FULL:
        return f"There is no room left to write {path}. Nothing was changed; free some space."
    if error.errno == errno.EROFS:
        return f"{path} lies on a read-only file system. Mount it writable, or move the folder."
    if error.errno in _DENIED:
        return (
            f"This account may not use {path}{_owner(path)}. Run as the account that owns the "
            "folder, or give the folder to this one (chown -R)."
        )
    return f"{path} cannot be used: {error.strerror or error}."


def _stamp(stat: os.stat_result) -> Stamp:
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _temporary(path: Path) -> Path:
    """Make an empty file (mode 0600) beside ``path``, under a name that ``locked`` cleans up."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(descriptor)
    return Path(name)


def _back_up(path: Path) -> None:
    spare = _temporary(path)
    try:
        spare.unlink()
        os.link(path, spare)
        spare.replace(backup_of(path))
    except OSError as error:
        if error.errno in _FULL:
            raise
        # No hard links here (FAT, some network mounts): copy instead.
        write_private(backup_of(path), path.read_bytes())
    finally:
        # Renaming one link of a file onto another leaves both.
        spare.unlink(missing_ok=True)


def _make_private_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder, and journals renames by itself.
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _give_to_owner(new: Path, model: Path) -> None:
    """Let an administrator's ``sudo`` not lock the gateway's own account out of its files."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    owner = model.stat()
    if owner.st_uid != 0:
        os.chown(new, owner.st_uid, owner.st_gid)


def _owner(path: Path) -> str:
    try:
        return f" (it belongs to {path.owner()})" if path.exists() else ""
    except (OSError, KeyError, NotImplementedError):
        return ""
