"""Stand-ins for what a web test does not test: detectors, stores and keys, all in memory."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from visiongate.contracts import ModelStore
from visiongate.errors import UserExists, UserNotFound
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelUse,
    PredictOptions,
    User,
)

PASSWORD = "correct horse battery"
"""What every user of a web test is let in by."""

_MODEL = ModelUse("fake", sha256="0" * 64, runtime="fake", licence="MIT")


class FakeUserStore:
    """Accounts in a dictionary."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def get(self, username: str) -> User:
        try:
            return self._users[username]
        except KeyError:
            raise UserNotFound(f"No user is called {username!r}.") from None

    def add(self, user: User) -> None:
        if user.username in self._users:
            raise UserExists(f"User {user.username!r} exists.")
        self._users[user.username] = user

    def update(self, user: User) -> None:
        self.get(user.username)
        self._users[user.username] = user

    def modify(self, username: str, change: Callable[[User], User]) -> User:
        self._users[username] = change(self.get(username))
        return self._users[username]

    def remove(self, username: str, allow: Callable[[User], None] | None = None) -> None:
        user = self.get(username)
        if allow is not None:
            allow(user)
        del self._users[username]

    def list(self) -> builtins.list[User]:
        return sorted(self._users.values(), key=lambda user: user.username)

    def page(self, after: str, limit: int) -> builtins.list[User]:
        return [user for user in self.list() if user.username > after][:limit]


@dataclass(frozen=True)
class FakeKey:
    kid: str
    secret: str


class FakeKeys:
    """A key ring in memory."""

    def __init__(self) -> None:
        self._keys: list[FakeKey] = []
        self.rotate(0)

    def signing(self) -> FakeKey:
        return self._keys[-1]

    def get(self, kid: str) -> FakeKey | None:
        return next((key for key in self._keys if key.kid == kid), None)

    def rotate(self, keep_seconds: float) -> FakeKey:
        if keep_seconds <= 0:
            self._keys.clear()
        key = FakeKey(secrets.token_hex(4), secrets.token_urlsafe(48))
        self._keys.append(key)
        return key


class FakeModels:
    """A model store that has nothing, and that no fake detector asks."""


def bearer(token: object) -> dict[str, str]:
    """Return the header that carries a token."""
    return {"Authorization": f"Bearer {token}"}


class FakeDetector:
    """Finds one thing in the middle half of every picture; ``fails`` is raised instead."""

    def __init__(self, info: DetectorInfo, confidence: float = 0.9) -> None:
        self.info = info
        self.model: ModelUse | None = None
        self.confidence = confidence
        self.fails: Exception | None = None
        self.seen: list[tuple[int, ...]] = []

    def load(self, models: ModelStore, device: Device) -> None:
        self.model = _MODEL

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self.fails is not None:
            raise self.fails
        self.seen.extend(image.shape for image in images)
        return [(self._middle(image),) for image in images]

    def _middle(self, image: Image) -> Detection:
        height, width = image.shape[:2]
        box = Box(width / 4, height / 4, max(width * 3 / 4, 1.0), max(height * 3 / 4, 1.0))
        return Detection(self.info.labels[0], self.confidence, box)


def fake_detectors() -> list[FakeDetector]:
    """Return the usual five, the first two of whole pictures, then two of faces."""
    return [
        FakeDetector(DetectorInfo("face", "detection", ("face",))),
        FakeDetector(DetectorInfo("object", "detection", ("person", "dog")), confidence=0.8),
        FakeDetector(
            DetectorInfo(
                "gender",
                "attribute",
                ("male", "female"),
                needs="faces",
                crop_size=32,
                sensitive=True,
            )
        ),
        FakeDetector(
            DetectorInfo(
                "ethnicity",
                "attribute",
                ("White", "Black", "Asian", "Indian", "Others"),
                needs="faces",
                crop_size=32,
                sensitive=True,
            )
        ),
        FakeDetector(DetectorInfo("classify", "classification", ("soccer ball", "dog", "cat"))),
    ]
