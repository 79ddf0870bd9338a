"""The seams: what each exchangeable part promises, and which errors it may raise.

Implementations live elsewhere (``detectors/``, ``engines/``, ``db/``, ``models/``);
``visiongate.services`` alone names them. Tests under ``tests/contract`` hold every
implementation to the promises written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

from visiongate.types import (
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelUse,
    Picture,
    PredictOptions,
    Retained,
    Usage,
    User,
)

__all__ = [
    "AttemptStore",
    "Detector",
    "InferenceEngine",
    "ModelStore",
    "PictureStore",
    "RevocationStore",
    "UsageStore",
    "UserStore",
]


@runtime_checkable
class Detector(Protocol):
    """A plugin that looks at pictures.

    Built-in detectors and those of other packages (entry-point group ``visiongate.detectors``)
    enter by this one door. Making one is cheap; ``load`` does the work and imports what is
    heavy. After ``load``, ``predict`` is called from several threads at once.

    Beside this it may have an attribute ``card``, a ``visiongate.types.ModelCard``, readable
    before ``load``; that is what ``GET /api/v1/detectors/NAME/card`` answers.

    It may also have a method ``read_ahead(models)``. Where several workers serve, it is called
    once in the process that forks them, to read what they can share. It must neither fetch
    anything nor start a thread, which would not survive the fork.
    """

    @property
    def info(self) -> DetectorInfo:
        """What this detector is; readable before ``load``."""
        ...

    @property
    def model(self) -> ModelUse | None:
        """The model in use, once loaded."""
        ...

    def load(self, models: ModelStore, device: Device) -> None:
        """Get ready to predict, first prediction's costs included. Called once.

        Raises:
            ModelUnavailable: its weights are not here and cannot be fetched.
        """
        ...

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        """Return, for each picture in order, its detections, most confident first.

        Pictures are RGB ``uint8`` ``(H, W, 3)`` and may differ in size. Boxes are pixels of
        the picture given. Never changes a picture. Applies ``options`` itself where that is
        cheaper; the pipeline applies them again.
        """
        ...


class InferenceEngine(Protocol):
    """Decides when and where detectors run, so that load never becomes wrong answers.

    ``deadline`` is a reading of ``time.monotonic()`` after which nothing may begin.
    """

    def admit(self, deadline: float) -> AbstractContextManager[None]:
        """Wait for a place, hold it for the ``with`` block: decoding and inference of one request.

        Raises:
            Overloaded: as many requests are waiting as may wait.
            DeadlineExceeded: the deadline passed while waiting.
        """
        ...

    def infer(
        self,
        detector: Detector,
        images: Sequence[Image],
        options: PredictOptions,
        deadline: float,
    ) -> list[tuple[Detection, ...]]:
        """Run ``detector.predict`` on ``images``.

        Raises:
            DeadlineExceeded: the deadline has passed; nothing was begun.
        """
        ...

    def close(self) -> None:
        """Refuse what comes from now on; wait for what runs."""
        ...


class ModelStore(Protocol):
    """Weights by name: present and hash-checked, or an error that says how to get them."""

    def path(self, name: str) -> Path:
        """Return the file of the model called ``name``, fetched first if need be.

        Raises:
            ModelUnavailable: unknown, absent, or its hash is wrong; names the command
                that fetches it.
        """
        ...

    def find(self, name: str) -> Path | None:
        """Return the file of the model called ``name`` if it is here and right; never fetches.

        Raises:
            ModelUnavailable: no model has that name.
        """
        ...

    def cache_dir(self) -> Path:
        """Return a folder, made if need be, for what detectors derive from weights."""
        ...


class UserStore(Protocol):
    """Accounts by name. Every change is on disk before the call returns; safe across processes."""

    def get(self, username: str) -> User:
        """Raises: UserNotFound."""
        ...

    def add(self, user: User) -> None:
        """Raises: UserExists."""
        ...

    def update(self, user: User) -> None:
        """Replace the account of the same name. Raises: UserNotFound."""
        ...

    def modify(self, username: str, change: Callable[[User], User]) -> User:
        """Replace an account by what ``change`` makes of it, with no other change in between.

        Returns the account as it is now. ``change`` may not rename it (ValueError).

        Raises:
            UserNotFound: and what ``change`` raises; then nothing was changed.
        """
        ...

    def remove(self, username: str, allow: Callable[[User], None] | None = None) -> None:
        """Remove an account.

        ``allow`` is asked first, with no other change in between, and may refuse by raising.

        Raises:
            UserNotFound: and what ``allow`` raises; then nothing was changed.
        """
        ...

    def page(self, after: str, limit: int) -> list[User]:
        """Return at most ``limit`` accounts by name, the first whose name comes ``after``.

        Costs no more with many accounts than with few, as long as none changes.
        """
        ...

    def list(self) -> list[User]:
        """Return all accounts, by name."""
        ...


class RevocationStore(Protocol):
    """Tokens (``jti``) and token families that were ended before their time."""

    def revoke(self, ids: Iterable[str], until: float) -> bool:
        """Revoke ids until the Unix time at which they would expire by themselves.

        Returns True if every id was still good before (one caller only ever sees True for an id,
        also across processes: refresh tokens are rotated on that).
        """
        ...

    def is_revoked(self, *ids: str) -> bool:
        """Tell whether any of these ids is revoked: by any process, once its call has returned."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class UsageStore(Protocol):
    """What each user has used today; counted across processes, and kept over restarts.

    A clock that steps back gives nothing back. Over midnight, counts of the day that had begun
    go on, and still hold when midnight comes again; counts of a later day, made while the clock
    was far ahead, are taken for today's. Every method raises StoreUnavailable if it cannot be used.
    """

    def used(self, username: str, day: int) -> Usage:
        """Return what was used on ``day``; ``day`` is a count of days since 1970, in UTC."""
        ...

    def charge(
        self,
        username: str,
        day: int,
        pixels: int,
        *,
        most_requests: int | None,
        most_pixels: int | None,
    ) -> tuple[bool, Usage]:
        """Count one request of so many pixels, unless that would exceed a limit.

        Returns whether it was counted, and what is used now. None is no limit. Of charges that
        come at once, in whatever process, no more are counted than fit.
        """
        ...

    def give_back(self, username: str, day: int, pixels: int) -> None:
        """Undo one charge."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class AttemptStore(Protocol):
    """How often something was tried; counted across processes, and kept over restarts.

    Attempts are counted in windows: one begins with its first attempt. A clock that steps back
    neither opens a window anew nor makes it longer than it was to be.
    Every method raises StoreUnavailable if it cannot be used.
    """

    def count(self, key: str, seconds: float, attempts: int = 1) -> int:
        """Count attempts in the window of ``key``, of so many seconds; return all that it has.

        Of attempts that come at once, in whatever process, no two are told the same number.
        """
        ...

    def window(self, key: str) -> tuple[int, float]:
        """Return how many attempts the window has, and its end in Unix seconds; without one, 0."""
        ...

    def forget(self, key: str | None = None) -> None:
        """End the window of this key; without one, all windows."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


class PictureStore(Protocol):
    """Kept pictures, each with an owner, an original and perhaps an annotated copy."""

    def keep(
        self, owner: str, original: bytes, picture: Picture, annotated: bytes | None
    ) -> Retained:
        """Keep the bytes as they came, and the annotated JPEG. Raises: StoreUnavailable."""
        ...

    def get(self, picture_id: str) -> Retained:
        """Raises: PictureUnknown."""
        ...

    def read(self, picture_id: str, *, annotated: bool = False) -> tuple[bytes, str]:
        """Return the bytes and their media type. Raises: PictureUnknown."""
        ...

    def delete(self, picture_id: str) -> None:
        """Delete original and copy for good. Raises: PictureUnknown."""
        ...

    def list(self, owner: str | None = None) -> list[Retained]:
        """Return what is kept, newest first, of one owner or of all."""
        ...

    def forget(self, owner: str) -> int:
        """Delete all pictures of one owner for good; return how many went."""
        ...

    def sweep(self) -> int:
        """Delete what is too old or over the disk budget; return how many pictures went."""
        ...
