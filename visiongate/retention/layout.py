"""How kept pictures lie on the disk, and the few steps by which they come and go."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import secrets
from collections.abc import Iterator
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
    "make_private_folder",
    "new_id",
    "owner_key",
    "owners",
    "pictures",
    "publish",
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

    def write(self, folder: Path) -> None:
        fields = {name: getattr(self, name) for name in self.__slots__}
        write_private(folder / _META, json.dumps(fields).encode())

    @classmethod
    def read(cls, folder: Path) -> Meta:
        """Raises: FileNotFoundError; ValueError or TypeError if it was torn."""
        return cls(**json.loads((folder / _META).read_bytes()))


def owner_key(owner: str) -> str:
    """Return the name of an owner's folder, whatever characters the owner's name has."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def new_id(owner: str) -> str:
    """Return an id that nobody can guess: 128 random bits behind the owner's key."""
    return f"{owner_key(owner)}-{secrets.token_hex(16)}"


def where(root: Path, picture_id: str) -> Path:
    """Return a picture's folder. Raises: PictureUnknown, if the id has not an id's shape."""
    # Whatever a client sends becomes a path only in this shape: no separators, no dots.
    if not _ID.fullmatch(picture_id):
        raise unknown(picture_id)
    return root / picture_id[:16] / picture_id


def owners(root: Path) -> list[Path]:
    """Return the owners' folders. Raises: OSError."""
    try:
        return [path for path in root.iterdir() if _KEY.fullmatch(path.name)]
    except FileNotFoundError:
        return []


def pictures(root: Path, owner: str | None = None) -> Iterator[Path]:
    """Yield the pictures' folders, of one owner or of all. Raises: OSError."""
    for folder in owners(root) if owner is None else [root / owner_key(owner)]:
        try:
            found = list(folder.iterdir())
        except FileNotFoundError:
            continue
        yield from (path for path in found if _ID.fullmatch(path.name))


def make_private_folder(path: Path) -> None:
    path.mkdir(0o700, parents=True, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def publish(incoming: Path, place: Path) -> None:
    """Make a written folder a kept picture, in one step. Raises: OSError."""
    while True:
        try:
            place.parent.mkdir(0o700, exist_ok=True)
            incoming.rename(place)
        except (FileNotFoundError, FileExistsError):
            # A sweep may have removed the owner's folder, empty a moment ago, before or after
            # mkdir looked; trying again helps unless something else is wrong.
            if place.parent.is_file() or not incoming.is_dir():
                raise
        else:
            return


def remove(root: Path, picture: Path) -> bool:
    """Delete a picture; False if it is not there, or another process was quicker.

    Raises:
        StoreUnavailable: the disk refuses; what is left is out of reach, and swept later.
    """
    deleted = root / f"{DELETED}{secrets.token_hex(16)}"
    try:
        picture.rename(deleted)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unavailable("deleted", error) from error
    erase(deleted)
    return True


def erase(folder: Path) -> None:
    """Delete a dotted folder and its files, perhaps while another process does the same."""
    try:
        for path in folder.iterdir():
            path.unlink(missing_ok=True)
        folder.rmdir()
    except FileNotFoundError:
        return
    except OSError as error:
        raise unavailable("deleted", error) from error


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
