"""Find out what a source is, and open it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import cv2

from streaming.frames import Capture, Folder, Source, SourceError, Video
from streaming.live import Live

__all__ = ["open_source", "without_password"]

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
STREAM_MILLISECONDS = 10_000
"""How long an address may take to open, and to give its next frame."""


def open_source(text: str, *, every: int, patience: float, say: Callable[[str], None]) -> Source:
    """Open a camera's number, an address, a video, a picture or a folder of pictures.

    Raises:
        SourceError: it is not there, or nothing that OpenCV reads.
    """
    if text.isdecimal():
        return _live(int(text), f"Camera {text}", every, patience, say)
    if "://" in text:
        return _address(text, every, patience, say)
    path = Path(text).expanduser()
    if path.is_char_device():
        return _live(text, text, every, patience, say)
    if path.is_dir():
        pictures = [inside for inside in path.iterdir() if inside.suffix.lower() in PICTURES]
        if not pictures:
            raise SourceError(f"There is no picture in the folder {text}.")
        return Folder(pictures, text, every, say)
    if not path.is_file():
        raise SourceError(
            f"There is no file {text}. A source is a camera's number, a video, a folder of "
            "pictures, or an address such as rtsp://camera/stream."
        )
    if path.suffix.lower() in PICTURES:
        # OpenCV would take 1.jpg for the first of a series.
        return Folder([path], text, every, say)
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise SourceError(f"{text} is no video that OpenCV can read.")
    return Video(capture, path.name, every, say)


def without_password(address: str) -> str:
    """Return the address as it may be shown: that of a camera often has its password."""
    return re.sub(r"//[^/\s]*@", "//", address)


def _address(address: str, every: int, patience: float, say: Callable[[str], None]) -> Source:
    """Open an address: a file that a web server has is a video, anything else is live."""
    capture = _capture(address)
    ends = capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
    if ends and urlsplit(address).scheme in ("http", "https", "file"):
        return Video(capture, without_password(address), every, say)
    return _live(address, without_password(address), every, patience, say, capture)


def _live(
    where: int | str,
    name: str,
    every: int,
    patience: float,
    say: Callable[[str], None],
    capture: Capture | None = None,
) -> Live:
    capture = capture or _capture(where)
    if not capture.isOpened():
        raise SourceError(
            f"{name} cannot be opened. Is it there, is it on, and does no other program use it?"
        )
    return Live(capture, lambda: _capture(where), name, every=every, patience=patience, say=say)


def _capture(where: int | str) -> Capture:
    if isinstance(where, int) or "://" not in where:
        return cv2.VideoCapture(where)
    limits = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, STREAM_MILLISECONDS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, STREAM_MILLISECONDS),
    ]
    return cv2.VideoCapture(where, cv2.CAP_FFMPEG, limits)
