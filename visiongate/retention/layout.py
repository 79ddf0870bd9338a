"""How kept pictures lie on the disk, and the few steps by which they come and go.

What has a picture's id in it is a string, never a ``Path``: pathlib puts each part of a path into
Python's table of interned strings, which grows with it, and which Python 3.12 never empties.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from visiongate.errors import PictureUnknown, StoreUnavailable
from visiongate.imaging import extension

__all__ = [
    "ANNOTATED",
    "DELETED",
    "INCOMING",
    "Meta",
    "erase",
    "ids",
    "key_of",
    "make_private_folder",
    "new_id",
    "owner_key",
    "owners",
    "pictures",
    "publish",
    "read",
    "remove",
    "unavailable",
    "unknown",
    "where",
    "write_private",
]

logger = logging.getLogger(__name__)

ANNOTATED, _META = "annotated.jpg", "meta.json"
INCOMING, DELETED = ".incoming-", ".deleted-"
_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{32}")
_KEY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Meta:
    """What ``meta.json`` says; never changes once a picture is kept."""

    owner: str
    created: float
    format: str
    original_bytes: int
    annotated_bytes: int | None

    @property
    def original_name(self) -> str:
        return f"original.{extension(self.format)}"

    @property
    def file_names(self) -> tuple[str, ...]:
        """The names of all files that are kept, this one among them."""
        if self.annotated_bytes is None:
            return (self.original_name, _META)
        return (self.original_name, ANNOTATED, _META)

    def write(self, folder: str) -> int:
        """Write ``meta.json``, and return how many bytes it takes."""
        data = json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()
        write_private(f"{folder}/{_META}", data)
        return len(data)

    @classmethod
    def read(cls, folder: str) -> Meta:
        """Raises: FileNotFoundError; ValueError or TypeError if it was torn."""
        return cls(**json.loads(read(f"{folder}/{_META}")))


def owner_key(owner: str) -> str:
    """Return the name of an owner's folder, whatever characters the owner's name has."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def new_id(owner: str) -> str:
    """Return an id that nobody can guess: 128 random bits behind the owner's key."""
    return f"{owner_key(owner)}-{secrets.token_hex(16)}"


def key_of(picture_id: str) -> str:
    """Return the name of the owner's folder that a picture lies in."""
    return picture_id[:16]


def where(root: Path, picture_id: str) -> str:
    """Return a picture's folder. Raises: PictureUnknown, if the id has not an id's shape."""
    # Whatever a client sends becomes a path only in this shape: no separators, no dots.
    if not _ID.fullmatch(picture_id):
        raise unknown(picture_id)
    return f"{root}/{key_of(picture_id)}/{picture_id}"


def owners(root: Path) -> list[str]:
    """Return the names of the owners' folders. Raises: OSError."""
    try:
        return [name for name in os.listdir(root) if _KEY.fullmatch(name)]
    except FileNotFoundError:
        return []


def ids(root: Path, key: str) -> Iterator[str]:
    """Yield the names of the pictures in one owner's folder, as it is read. Raises: OSError.

    One that someone put there by hand may have an id whose place is another folder.
    """
    try:
        entries = os.scandir(f"{root}/{key}")
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if _ID.fullmatch(entry.name):
                yield entry.name


def pictures(root: Path, owner: str | None = None) -> Iterator[str]:
    """Yield the pictures' folders, of one owner or of all. Raises: OSError."""
    for key in owners(root) if owner is None else [owner_key(owner)]:
        yield from (f"{root}/{key}/{picture_id}" for picture_id in ids(root, key))


def make_private_folder(path: Path) -> None:
    path.mkdir(0o700, parents=True, exist_ok=True)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def write_private(path: str, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def publish(incoming: str, place: str) -> None:
    """Make a written folder a kept picture, in one step. Raises: OSError."""
    owners_folder = place.rpartition("/")[0]
    while True:
        try:
            os.makedirs(owners_folder, 0o700, exist_ok=True)
            os.rename(incoming, place)
        except (FileNotFoundError, FileExistsError):
            # A sweep may have removed the owner's folder, empty a moment ago, before or after
            # mkdir looked; trying again helps unless something else is wrong.
            if os.path.isfile(owners_folder) or not os.path.isdir(incoming):
                raise
        else:
            return


def remove(root: Path, folder: str, files: Sequence[str] = ()) -> bool:
    """Delete the picture in ``folder``; False if it is not there, or another process was quicker.

    With the names of its ``files`` it takes two calls of the system, and one for each file.

    Raises:
        StoreUnavailable: the disk refuses; what is left is out of reach, and swept later.
    """
    deleted = f"{root}/{DELETED}{folder.rpartition('/')[2]}"
    try:
        os.rename(folder, deleted)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unavailable("deleted", error) from error
    erase(deleted, files)
    return True


def erase(folder: str, files: Sequence[str] = ()) -> None:
    """Delete a dotted folder and its files, perhaps while another process does the same.

    Only where it holds others than ``files``, or none are named, is it listed.
    """
    try:
        if files:
            _unlink(folder, files)
            try:
                os.rmdir(folder)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            else:
                return
        _unlink(folder, os.listdir(folder))
        os.rmdir(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise unavailable("deleted", error) from error


def _unlink(folder: str, files: Sequence[str]) -> None:
    for name in files:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")


def unknown(picture_id: str) -> PictureUnknown:
    name = picture_id if _ID.fullmatch(picture_id) else "of that id"
    return PictureUnknown(f"No picture {name} is kept. It may have been deleted or swept.")


def unavailable(what: str, error: OSError) -> StoreUnavailable:
    logger.warning("kept pictures cannot be %s: %s", what, error)
    return StoreUnavailable(
        f"Kept pictures cannot be {what}: {error.strerror or error}. The gateway's operator can "
        "free the disk, mend the rights of the folder (VISIONGATE_IMAGES_DIR), or switch keeping "
        "off (VISIONGATE_RETENTION=off)."
    )
