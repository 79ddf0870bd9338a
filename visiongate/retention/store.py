"""The picture store on a disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from visiongate.errors import PictureUnknown
from visiongate.imaging import media_type
from visiongate.retention import layout, sweeping
from visiongate.retention.layout import Meta
from visiongate.retention.memory import Looked, Memory
from visiongate.types import Picture, Retained

__all__ = ["FilePictureStore"]


class FilePictureStore:
    """Keeps pictures in ``folder``, which is made at the first picture.

    Each picture's time is over ``max_age_seconds`` after it was kept, by ``clock`` (Unix
    seconds). ``max_bytes`` of files may stay when a sweep has passed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_age_seconds: float,
        max_bytes: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._max_age = max_age_seconds
        self._max_bytes = max_bytes
        self._clock = clock
        # Spares a listing from opening thousands of files, and a sweep from looking at them;
        # neither changes once a picture is kept.
        self._memory = Memory()
        self._new_bytes = 0

    def keep(
        self, owner: str, original: bytes, picture: Picture, annotated: bytes | None
    ) -> Retained:
        """Keep the bytes as they came, and the annotated JPEG. Raises: StoreUnavailable."""
        picture_id = layout.new_id(owner)
        copy_bytes = None if annotated is None else len(annotated)
        meta = Meta(owner, self._clock(), picture.format, len(original), copy_bytes)
        incoming = f"{self._folder}/{layout.INCOMING}{picture_id}"
        try:
            layout.make_private_folder(self._folder)
            os.mkdir(incoming, 0o700)
            layout.write_private(f"{incoming}/{meta.original_name}", original)
            if annotated is not None:
                layout.write_private(f"{incoming}/{layout.ANNOTATED}", annotated)
            size = len(original) + (copy_bytes or 0) + meta.write(incoming)
            os.utime(incoming, (meta.created, meta.created))
            layout.publish(incoming, layout.where(self._folder, picture_id))
        except OSError as error:
            shutil.rmtree(incoming, ignore_errors=True)
            raise layout.unavailable("written", error) from error
        looked = Looked(meta.created, size, meta.file_names)
        self._memory.put(picture_id, looked=looked, meta=meta)
        self._new_bytes += size
        return self._retained(picture_id, meta)

    def get(self, picture_id: str) -> Retained:
        """Raises: PictureUnknown, StoreUnavailable."""
        return self._retained(picture_id, self._meta(picture_id))

    def read(self, picture_id: str, *, annotated: bool = False) -> tuple[bytes, str]:
        """Return the bytes and their media type. Raises: PictureUnknown, StoreUnavailable."""
        meta = self._meta(picture_id)
        expected = meta.annotated_bytes if annotated else meta.original_bytes
        if expected is None:
            raise PictureUnknown(f"Picture {picture_id} was kept without an annotated copy.")
        name = layout.ANNOTATED if annotated else meta.original_name
        try:
            data = layout.read(f"{layout.where(self._folder, picture_id)}/{name}")
        except FileNotFoundError:
            raise layout.unknown(picture_id) from None
        except OSError as error:
            raise layout.unavailable("read", error) from error
        if len(data) != expected:
            raise PictureUnknown(f"Picture {picture_id} was damaged on the gateway's disk.")
        return data, media_type("JPEG" if annotated else meta.format)

    def delete(self, picture_id: str) -> None:
        """Delete original and copy for good. Raises: PictureUnknown, StoreUnavailable."""
        if not self._remove(layout.where(self._folder, picture_id)):
            raise layout.unknown(picture_id)

    def list(self, owner: str | None = None) -> list[Retained]:
        """Return what is kept, newest first, of one owner or of all. Raises: StoreUnavailable."""
        found = []
        try:
            keys = layout.owners(self._folder) if owner is None else [layout.owner_key(owner)]
            listed = [(key, one) for key in keys for one in layout.ids(self._folder, key)]
        except OSError as error:
            raise layout.unavailable("listed", error) from error
        for key, picture_id in listed:
            if layout.key_of(picture_id) != key:  # put there by hand: its place is elsewhere
                continue
            try:
                meta = self._meta(picture_id, listed=True)
            except PictureUnknown:  # deleted meanwhile, its time over, or torn by a power cut
                continue
            if owner is None or meta.owner == owner:
                found.append(self._retained(picture_id, meta))
        return sorted(found, key=lambda kept: (-kept.created, kept.id))

    def forget(self, owner: str) -> int:
        """Delete all pictures of one owner; return how many went.

        Raises:
            StoreUnavailable: some could not be deleted; those before them were.
        """
        try:
            folders = list(layout.pictures(self._folder, owner))
        except OSError as error:
            raise layout.unavailable("listed", error) from error
        return sum(self._remove(folder) for folder in folders)

    @property
    def is_filling(self) -> bool:
        """Whether this process has kept a tenth of the disk budget since it last swept.

        Nobody waits a minute then, at whose end there might be many times the budget.
        """
        return self._new_bytes > self._max_bytes / 10

    def sweep(self) -> int:
        """Delete what is too old or over the disk budget; return how many pictures went.

        Raises:
            StoreUnavailable: something could not be deleted; the rest was.
        """
        self._new_bytes = 0
        swept = sweeping.sweep(
            self._folder,
            self._memory,
            max_age_seconds=self._max_age,
            max_bytes=self._max_bytes,
            now=self._clock(),
        )
        if swept.failures:
            raise swept.failures[0]
        return swept.gone

    def _remove(self, folder: str) -> bool:
        picture_id = folder.rpartition("/")[2]
        looked = self._memory.looked(picture_id)
        self._memory.drop([picture_id])
        return layout.remove(self._folder, folder, looked.files if looked else ())

    def _meta(self, picture_id: str, *, listed: bool = False) -> Meta:
        """Return what is known of a picture; if ``listed``, it was there a moment ago."""
        path = layout.where(self._folder, picture_id)
        meta = self._memory.meta(picture_id)
        try:
            if meta is None:
                meta = Meta.read(path)
                self._memory.put(picture_id, meta=meta)
            elif not (listed or os.path.isdir(path)):
                self._memory.drop([picture_id])
                raise layout.unknown(picture_id)
        except (FileNotFoundError, ValueError, TypeError):
            raise layout.unknown(picture_id) from None
        except OSError as error:
            raise layout.unavailable("read", error) from error
        if self._clock() - meta.created >= self._max_age:
            raise layout.unknown(picture_id)  # its time is over, though no sweep has passed yet
        return meta

    def _retained(self, picture_id: str, meta: Meta) -> Retained:
        expires = meta.created + self._max_age
        annotated = meta.annotated_bytes is not None
        return Retained(picture_id, meta.owner, meta.created, expires, annotated)
