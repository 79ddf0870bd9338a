"""What a source of frames is, and the two that end: a video, and pictures in a folder."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# OpenCV's own complaints; what matters is said here, in other words.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
import cv2  # reads these when it is imported

__all__ = ["Capture", "Folder", "Frame", "Image", "Source", "SourceError", "Video", "rate_of"]

Image = NDArray[np.uint8]
"""Height x width x 3, BGR."""

USUAL_RATE, PICTURE_RATE = 25.0, 1.0
_MOST_FRAMES = 2**40
"""Containers that do not know their length give numbers beyond this."""


class SourceError(Exception):
    """The frames cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture from a source; ``number`` counts from 0, ``seconds`` from the source's start.

    ``ask``: whether the gateway is to see it. ``name`` is the picture's file in a folder, and
    ``captured`` the Unix time of a live frame.
    """

    number: int
    seconds: float
    image: Image
    ask: bool = True
    name: str = ""
    captured: float | None = None


class Source(Protocol):
    """Something that gives frames.

    ``rate`` is frames a second, ``total`` how many will come if that is known. ``frames`` calls
    ``idle`` while it waits. ``newest`` returns what to send instead of a frame that has waited.
    """

    @property
    def name(self) -> str: ...

    @property
    def live(self) -> bool: ...

    @property
    def rate(self) -> float: ...

    @property
    def total(self) -> int | None: ...

    def frames(self, idle: Callable[[], None]) -> Iterator[Frame]: ...

    def newest(self, frame: Frame) -> Frame: ...

    def close(self) -> None: ...


class Capture(Protocol):
    """What is used of cv2.VideoCapture."""

    def isOpened(self) -> bool: ...  # noqa: N802 - OpenCV's name

    def read(self) -> tuple[bool, Any]: ...

    def get(self, property_id: int, /) -> float: ...

    def release(self) -> None: ...


class Video:
    """Every frame of a video; each ``every``-th of them is for the gateway."""

    live = False

    def __init__(self, capture: Capture, name: str, every: int, say: Callable[[str], None]) -> None:
        self.name = name
        self.rate = rate_of(capture)
        count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.total = int(count) if 0 < count < _MOST_FRAMES else None
        self._capture = capture
        self._every = every
        self._say = say

    def frames(self, idle: Callable[[], None]) -> Iterator[Frame]:  # never waits
        number = 0
        while True:
            whole, image = self._capture.read()
            if not whole:
                break
            # The rate's time, not the container's: what is written has one rate as well.
            yield Frame(number, number / self.rate, image, ask=number % self._every == 0)
            number += 1
        if not number:
            raise SourceError(f"{self.name} has no frame that can be read.")
        # Containers often promise a frame or two more than there are.
        if self.total is not None and number < 0.95 * self.total:
            self._say(f"{self.name} broke off after {number} of {self.total} frames: is it whole?")

    def newest(self, frame: Frame) -> Frame:
        return frame

    def close(self) -> None:
        self._capture.release()


class Folder:
    """Each ``every``-th of some pictures, upright as its EXIF data says."""

    live = False
    rate = PICTURE_RATE

    def __init__(
        self, pictures: list[Path], name: str, every: int, say: Callable[[str], None]
    ) -> None:
        self.name = name
        self._pictures = sorted(pictures, key=_natural)[::every]
        self.total: int | None = len(self._pictures)
        self._say = say

    def frames(self, idle: Callable[[], None]) -> Iterator[Frame]:  # never waits
        for number, path in enumerate(self._pictures):
            if (image := _read(path)) is None:
                self._say(f"{path.name} is no picture that can be read: skipped.")
            else:
                yield Frame(number, number / self.rate, image, name=path.name)

    def newest(self, frame: Frame) -> Frame:
        return frame

    def close(self) -> None:
        """Nothing is open."""


def rate_of(capture: Capture) -> float:
    """Return the frames a second, a usual number where the source does not know."""
    rate = capture.get(cv2.CAP_PROP_FPS)
    return rate if 0 < rate <= 1000 else USUAL_RATE


def _read(path: Path) -> Image | None:
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        picture: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def _natural(path: Path) -> list[tuple[str, int]]:
    """Sort 2.jpg before 10.jpg."""
    parts = re.findall(r"[0-9]+|[^0-9]+", path.name.lower())
    return [("", int(part)) if part.isdecimal() else (part, 0) for part in parts]
