"""The file of the audit log: lines are only ever added at its end, by any number of processes.

    audit.log      0600, the newest
    audit.log.1    what was full before, and so on, up to the number of files to keep
    audit.log.lock

Each line is one write at the end of the file, while holding the lock of all writers: so no two
lines mix, and none goes into a file that another process has just moved away.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from visiongate.files import LOCK_SECONDS, make_private

__all__ = ["AuditFile", "rotated"]

_POLL_SECONDS = 0.001
_APPEND = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
_log = logging.getLogger(__name__)


class AuditFile:
    """Lines in ``path``, rotated at ``max_bytes``; ``keep_files`` full ones are kept."""

    def __init__(self, path: Path, *, max_bytes: int, keep_files: int) -> None:
        self.path = Path(path).resolve()
        self._max_bytes = max_bytes
        self._keep_files = keep_files
        self._lock_path = self.path.with_name(self.path.name + ".lock")
        self._thread = threading.Lock()
        self._stuck = False
        self._process: FileLock | None = None
        self._pid = 0

    def append(self, line: bytes) -> None:
        """Add one line, which ends in a line end.

        Raises:
            OSError: the line, or its end, could not be written.
        """
        with self.locked():
            descriptor, size = self._open()
            if size and size + len(line) > self._max_bytes:
                os.close(descriptor)
                self._rotate()
                descriptor, size = self._open()
            try:
                if size and _torn(descriptor):
                    line = b"\n" + line
                if os.write(descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            finally:
                os.close(descriptor)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only writer, among all threads and processes. Raises: OSError."""
        with self._thread:
            if not self._lock_path.exists():
                make_private(self._lock_path)
            if self._process is None or self._pid != os.getpid():
                # filelock refuses to carry one into a forked process.
                self._process, self._pid = self._new_lock(), os.getpid()
            with self._process:
                yield

    def _new_lock(self) -> FileLock:
        return FileLock(
            self._lock_path,
            timeout=LOCK_SECONDS,
            mode=0o600,
            poll_interval=_POLL_SECONDS,
            thread_local=False,
        )

    def _open(self) -> tuple[int, int]:
        """Return a descriptor and the file's size."""
        try:
            descriptor = os.open(self.path, _APPEND)
        except FileNotFoundError:
            make_private(self.path)
            descriptor = os.open(self.path, _APPEND)
        return descriptor, os.fstat(descriptor).st_size

    def _rotate(self) -> None:
        """Move every file one number on; the last one goes.

        Moves from the first gap down, so that a crash in between loses no file but the last.
        """
        try:
            last = self._keep_files
            gap = next((n for n in range(1, last) if not rotated(self.path, n).exists()), last)
            for number in range(gap, 0, -1):
                before = rotated(self.path, number - 1) if number > 1 else self.path
                before.replace(rotated(self.path, number))
            for number in range(last + 1, last + 1000):  # of a time when more were kept
                rotated(self.path, number).unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            # Where files may only be appended to (chattr +a), the log grows on instead.
            if not self._stuck:
                self._stuck = True
                _log.warning("%s cannot be rotated: %s", self.path, error.strerror or error)


def rotated(path: Path, number: int) -> Path:
    """Return the name of the file that was rotated out ``number`` rotations ago."""
    return path.with_name(f"{path.name}.{number}")


def _torn(descriptor: int) -> bool:
    """Tell whether the file's last line has no end: a write that met a full disk, or a crash."""
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) != b"\n"
