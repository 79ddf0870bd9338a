"""Where frames with boxes go: a window, or a video beside a file of JSON lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TextIO

import cv2
import numpy as np

from streaming.frames import Image

__all__ = ["NoDisplay", "Output", "OutputError", "Quit", "Recorder", "Window"]

_IDLE_MILLISECONDS = 50
_QUIT_KEYS = (ord("q"), ord("Q"), 27)
_CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".mkv": "mp4v"}
_LONGEST_HOLD = 2.0
"""Seconds for which a live picture stands in the video while none comes."""
_OPEN_A_WINDOW = "import cv2; cv2.namedWindow('visiongate'); cv2.destroyAllWindows()"


class Quit(Exception):
    """Somebody pressed q, or closed the window."""


class OutputError(Exception):
    """What was found cannot be written; the message says why."""


class NoDisplay(OutputError):
    """There is no screen to open a window on."""

    def __init__(self) -> None:
        super().__init__("There is no display to open a window on; --headless writes files.")


class Output(Protocol):
    """Takes frames as they come."""

    def frame(self, drawn: Image, seconds: float) -> None:
        """Take a frame with its boxes; ``seconds`` from the source's start."""

    def found(self, line: Mapping[str, Any]) -> None:
        """Take what the gateway said of a frame."""

    def idle(self) -> None:
        """Do what must be done while no frame comes. Raises: Quit."""

    def end(self) -> None:
        """Take note that there are no more frames. Raises: Quit."""

    def close(self) -> None: ...


class Window:
    """A window on the screen; a video plays there no faster than it was taken.

    With ``stay``, the last frame stands there until somebody closes it.

    Raises:
        NoDisplay: there is no screen, or OpenCV came without windows.
    """

    def __init__(self, title: str, rate: float | None, *, stay: bool) -> None:
        if not _can_open_windows():
            raise NoDisplay
        self._title = title
        self._interval = 1 / rate if rate else 0.0
        self._stay = stay
        self._due = 0.0
        self._shown = False

    def frame(self, drawn: Image, seconds: float) -> None:
        if not self._shown:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(self._title, drawn.shape[1], drawn.shape[0])
            self._shown = True
        while (left := self._due - time.monotonic()) > 0:
            self.idle(min(_IDLE_MILLISECONDS, max(1, int(1000 * left))))
        cv2.imshow(self._title, drawn)
        self.idle()
        self._due = max(self._due, time.monotonic() - self._interval) + self._interval

    def found(self, line: Mapping[str, Any]) -> None:
        """The boxes say it."""

    def idle(self, milliseconds: int = 1) -> None:
        if not self._shown:
            return  # nothing to press q in yet
        try:
            key = cv2.waitKey(milliseconds) & 0xFF
            there = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:  # what Qt has to say of the last window, once it is closed
            raise Quit from None
        if key in _QUIT_KEYS or not there:
            raise Quit

    def end(self) -> None:
        while self._stay:
            self.idle(_IDLE_MILLISECONDS)

    def close(self) -> None:
        cv2.destroyAllWindows()


class Recorder:
    """A video, and one JSON line for each frame that the gateway saw, both begun with the first.

    Frames of another size than the first are fitted into it. With ``live``, a frame is repeated
    until the next one's time, so that the video lasts as long as what it shows.

    Raises:
        OutputError: a file exists already, or cannot be written.
    """

    def __init__(
        self, video: Path, lines: Path, rate: float, *, live: bool, overwrite: bool
    ) -> None:
        if video.suffix.lower() not in _CODECS:
            raise OutputError(f"{video} must end in one of {', '.join(_CODECS)}.")
        for path in (video, lines):
            if path.exists() and not overwrite:
                raise OutputError(f"{path} exists already: name another --output, or --force.")
            if not path.parent.is_dir():
                raise OutputError(f"There is no folder {path.parent} to write {path.name} into.")
        self._paths = video, lines
        self._rate = rate
        self._live = live
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._last: tuple[Image, float] | None = None
        self._owed = 0.0
        self._lines: TextIO | None = None

    def frame(self, drawn: Image, seconds: float) -> None:
        if self._writer is None:
            self._open(drawn.shape[1], drawn.shape[0])
        fitted = _fit(drawn, self._size)
        if self._live:
            self._hold(seconds)
            self._last = (fitted, seconds)
        else:
            self._write(fitted)

    def found(self, line: Mapping[str, Any]) -> None:
        path = self._paths[1]
        try:
            if self._lines is None:
                self._lines = path.open("w", encoding="utf-8")
            self._lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            # Whole lines for whoever reads along, and whatever happens to us next.
            self._lines.flush()
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}.") from error

    def idle(self) -> None:
        """Files wait for nobody."""

    def end(self) -> None:
        """What is written waits for nobody."""

    def close(self) -> None:
        if self._last is not None:
            self._write(self._last[0])
        if self._writer is not None:
            self._writer.release()
        if self._lines is not None:
            self._lines.close()

    def _open(self, width: int, height: int) -> None:
        self._size = (width, height)
        path = self._paths[0]
        codec = cv2.VideoWriter.fourcc(*_CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(path), codec, self._rate, self._size)
        if not self._writer.isOpened():
            raise OutputError(f"{path} cannot be written as a video of {width} x {height}.")

    def _hold(self, seconds: float) -> None:
        """Write the last frame for the time from its own moment to ``seconds``."""
        if self._last is None:
            return
        image, since = self._last
        self._owed += min(seconds - since, _LONGEST_HOLD) * self._rate
        for _ in range(int(self._owed)):
            self._write(image)
        self._owed %= 1

    def _write(self, image: Image) -> None:
        assert self._writer is not None
        self._writer.write(image)


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Return the picture scaled into ``size`` (width, height), black around it."""
    width, height = size
    if image.shape[1::-1] == size:
        return image
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(scale * image.shape[1])), max(1, round(scale * image.shape[0]))
    fitted = np.zeros((height, width, 3), np.uint8)
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    fitted[y : y + inner[1], x : x + inner[0]] = cv2.resize(
        image, inner, interpolation=cv2.INTER_AREA
    )
    return fitted


def _can_open_windows() -> bool:
    """Try it in another process: OpenCV's Qt ends the one in which it finds no display."""
    names = ("DISPLAY", "WAYLAND_DISPLAY")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in names):
        return False
    command = [sys.executable, "-c", _OPEN_A_WINDOW]
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False
