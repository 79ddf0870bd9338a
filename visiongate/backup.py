"""``python -m visiongate.backup``: a whole and consistent copy of the data folder, while it serves.

Accounts, keys, ended tokens, what users have used, and the audit log go into one ``.tar.gz``.
Databases are copied by SQLite itself, so that a write meanwhile is in the copy whole or not at
all; the other files are replaced whole by those who write them, or only grow. Models are made or
fetched anew, and kept pictures are files that never change: neither is in it.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong usage or settings.
"""

from __future__ import annotations

import argparse
import io
import os
import sqlite3
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from visiongate.errors import ConfigurationError
from visiongate.settings import Settings, load_settings

__all__ = ["main", "write_backup"]

_SQLITE = b"SQLite format 3\0"
_PASSING = (".lock", ".tmp", ".part", "-wal", "-shm", "-journal")
"""Endings of files that mean nothing without the process that made them."""
_EXAMPLES = """\
examples:
  python -m visiongate.backup backup.tar.gz
  python -m visiongate.backup - | gpg --encrypt --recipient ops > backup.tar.gz.gpg

To restore: stop the gateway, `tar -xzf backup.tar.gz -C data`, then end all tokens with
`python -m visiongate.keys rotate --at-once`, since those that were ended after the backup
would be good again, and start.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m visiongate.backup",
        description="Copy accounts, keys, ended tokens, usage and the audit log into one file.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="FILE", help="a .tar.gz to write; - for standard output")
    options = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except ConfigurationError as error:
        return _fail(error.detail, 2)
    if not (settings.data_dir / "users.json").is_file():
        return _fail(
            f"{settings.data_dir} has no users.json, so there is nothing to save. Run this where "
            "the gateway is started, or name its folder as VISIONGATE_DATA_DIR.",
            1,
        )
    if options.target == "-" and sys.stdout.isatty():
        return _fail("Keys are not for a terminal: name a file, or lead the output into one.", 2)
    try:
        if options.target == "-":
            write_backup(settings, sys.stdout.buffer)
            return 0
        return _write_file(settings, Path(options.target))
    except (OSError, sqlite3.Error) as error:
        return _fail(f"The backup cannot be made: {error}", 1)


def write_backup(settings: Settings, stream: BinaryIO) -> None:
    """Write the ``.tar.gz`` of the data folder into ``stream``. Raises: OSError, sqlite3.Error."""
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, name in _files(settings):
            with suppress(FileNotFoundError):  # rotated or replaced a moment ago
                content = _content(path)
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
                archive.addfile(entry, io.BytesIO(content))


def _write_file(settings: Settings, target: Path) -> int:
    """Write under another name first, so that a file of that name is a whole backup."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            write_backup(settings, stream)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    sys.stderr.write(f"{target}: {target.stat().st_size:,} bytes. It has the keys: keep it safe.\n")
    return 0


def _files(settings: Settings) -> Iterator[tuple[Path, str]]:
    """Yield what is saved, with its name in the archive; the audit log may lie elsewhere."""
    for path in sorted(settings.data_dir.iterdir()):
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith(_PASSING):
            yield path, path.name
    if settings.audit_file:
        log = Path(settings.audit_file)
        if log.parent.resolve() != settings.data_dir.resolve():
            for path in sorted(log.parent.glob(f"{log.name}*")):
                if path.is_file() and not path.name.endswith(_PASSING):
                    yield path, f"audit/{path.name}"


def _content(path: Path) -> bytes:
    with path.open("rb") as stream:
        if stream.read(len(_SQLITE)) != _SQLITE:
            stream.seek(0)
            return stream.read()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        source = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        with closing(source), closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        return copy.read_bytes()


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


if __name__ == "__main__":
    raise SystemExit(main())
