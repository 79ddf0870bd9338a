"""Draw what was found onto a copy of the picture, readable from 100 to 6,000 pixels."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from visiongate.regions import Region
from visiongate.types import Attribute, Box, Detection, Image

__all__ = ["draw", "encode_jpeg", "encode_png", "label_colour"]

_Colour: TypeAlias = tuple[int, int, int]
_Rectangle: TypeAlias = tuple[int, int, int, int]
_Line: TypeAlias = tuple[str, str]

# Okabe and Ito, "Color Universal Design" (2008): told apart with every common colour blindness.
_PALETTE: tuple[_Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)
_BLACK: _Colour = (0, 0, 0)
_WHITE: _Colour = (255, 255, 255)

# Text height as a share of the longer side; small things get small text, so that the labels of
# a crowd do not hide it.
_TEXT_LARGE, _TEXT_SMALL, _TEXT_LEAST_PIXELS = 0.022, 0.008, 10
_LINE = 0.003
_MOST_CHARACTERS = 80

# Sides in pixels: below the first there is no room for two-pixel lines, below the second none
# for what surrounds them.
_TINY, _SMALL = 64, 200


def label_colour(label: str) -> _Colour:
    """Return the RGB colour of a label: the same in every picture and every process."""
    return _PALETTE[zlib.crc32(label.encode("utf-8", "replace")) % len(_PALETTE)]


def draw(image: Image, detections: Sequence[Detection], regions: Sequence[Region] = ()) -> Image:
    """Return a copy of ``image`` with boxes, labels, confidences and landmarks drawn.

    Detections that cover the whole picture are listed in its top left corner instead. The
    outlines of ``regions`` shine through under all that.
    """
    canvas = _Canvas(image)
    canvas.outline(regions)
    boxed: list[tuple[Detection, Box]] = []
    listed: list[_Line] = []
    for detection in detections:
        clipped = detection.box.clipped(canvas.width, canvas.height)
        if clipped is None:
            continue
        if clipped.as_tuple() == (0, 0, canvas.width, canvas.height):
            listed.extend(_lines(detection))
        else:
            boxed.append((detection, clipped))
    # The larger first, so that what lies inside is drawn on top.
    boxed.sort(key=lambda item: -item[1].area)
    for detection, box in boxed:
        canvas.frame(box, label_colour(detection.label), detection.landmarks)
    canvas.list_in_corner(listed)
    for detection, box in boxed:
        canvas.tag(box, _lines(detection), label_colour(detection.label))
    return canvas.pixels


def encode_jpeg(image: Image, quality: int = 90) -> bytes:
    """Encode RGB pixels as a JPEG; ``quality`` is libjpeg's, 1 to 100."""
    return bytes(
        simplejpeg.encode_jpeg(
            np.ascontiguousarray(image), quality, colorspace="RGB", colorsubsampling="420"
        )
    )


def encode_png(image: Image) -> bytes:
    """Encode RGB pixels as a PNG."""
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def _lines(detection: Detection) -> list[_Line]:
    judged: Iterable[Detection | Attribute] = (detection, *detection.attributes.values())
    return [(_one_line(item.label), _percent(item.confidence)) for item in judged]


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:_MOST_CHARACTERS])


def _percent(confidence: float) -> str:
    # As the playground writes it, where the same picture may be seen beside.
    return f"{confidence:.1%}"


class _Canvas:
    """Pixels that are drawn on, and where labels already lie."""

    def __init__(self, image: Image) -> None:
        self.pixels = image.copy(order="C")
        self.height, self.width = image.shape[:2]
        side = max(self.width, self.height)
        self._thinnest = 1 if side < _TINY else 2
        self._line = max(self._thinnest, round(side * _LINE))
        self._least = max(_TEXT_LEAST_PIXELS, round(side * _TEXT_SMALL))
        self._most = max(_TEXT_LEAST_PIXELS, round(side * _TEXT_LARGE))
        self._taken: list[_Rectangle] = []

    def outline(self, regions: Sequence[Region]) -> None:
        """Draw where things were looked for, half transparent: dark with a light line in it."""
        if not regions:
            return
        size = np.array([self.width - 1, self.height - 1])
        lines = [np.rint(np.array(one.points) * size).astype(np.int32) for one in regions]
        dark, light = (np.zeros((self.height, self.width), np.uint8) for _ in range(2))
        cv2.polylines(dark, lines, True, (1,), self._line + 2)
        cv2.polylines(light, lines, True, (1,), max(1, self._line // 2))
        self.pixels[dark > 0] //= 2
        self.pixels[light > 0] += 128

    def frame(self, box: Box, colour: _Colour, landmarks: Iterable[tuple[float, float]]) -> None:
        x1, y1, x2, y2 = box.as_pixels()
        corners = (x1, y1), (x2 - 1, y2 - 1)
        line = max(min(self._line, round(min(box.width, box.height) / 20)), self._thinnest)
        if min(self.width, self.height) > _SMALL:
            # A casing of the opposite lightness keeps the line visible on every background.
            casing = line + 2 * max(1, line // 3)
            cv2.rectangle(self.pixels, *corners, _contrast(colour), casing)
        cv2.rectangle(self.pixels, *corners, colour, line)
        radius = min(line, max(1, round(box.width / 40)))
        for x, y in landmarks:
            if 0 <= x < self.width and 0 <= y < self.height:
                at = int(x), int(y)
                cv2.circle(self.pixels, at, radius + 1, _contrast(colour), -1)
                cv2.circle(self.pixels, at, radius, colour, -1)

    def tag(self, box: Box, lines: Sequence[_Line], colour: _Colour) -> None:
        """Write lines on a ground of ``colour`` at the box, inside the picture, off other tags."""
        size = int(min(max(box.width / 6, self._least), self._most))
        text = _block(lines, size, self.width, self.height)
        height, width = text.shape
        x1, y1, x2, y2 = box.as_pixels()
        left, right = x1 - self._line // 2, x2 - width
        above, inside, below = y1 - height, y1 + self._line, y2
        places = [(left, above), (left, below), (left, inside), (right, above), (right, below)]
        fitting = [self._moved_inside(x, y, width, height) for x, y in places]
        free = (place for place in fitting if not self._overlaps(place))
        self._paste(text, next(free, fitting[0]), colour)

    def list_in_corner(self, lines: Sequence[_Line]) -> None:
        if lines:
            text = _block(lines, self._most, self.width, self.height)
            self._paste(text, (0, 0, text.shape[1], text.shape[0]), _BLACK)

    def _moved_inside(self, x: int, y: int, width: int, height: int) -> _Rectangle:
        x = max(0, min(x, self.width - width))
        y = max(0, min(y, self.height - height))
        return x, y, x + width, y + height

    def _overlaps(self, place: _Rectangle) -> bool:
        x1, y1, x2, y2 = place
        return any(x1 < b and a < x2 and y1 < d and c < y2 for a, c, b, d in self._taken)

    def _paste(self, text: NDArray[np.uint8], place: _Rectangle, ground: _Colour) -> None:
        x1, y1, x2, y2 = place
        if 2 * text.size > self.width * self.height:
            return  # on a thumbnail the words would hide the picture; its box must do
        cover = text[..., None].astype(np.uint16)
        ink = np.array(_contrast(ground), np.uint16)
        mixed = cover * ink + (255 - cover) * np.array(ground, np.uint16)
        self.pixels[y1:y2, x1:x2] = mixed // 255
        self._taken.append(place)


def _contrast(colour: _Colour) -> _Colour:
    """Return black or white, whichever stands out more (WCAG 2.2, relative luminance)."""
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in colour]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return _BLACK if luminance > 0.179 else _WHITE


def _block(lines: Sequence[_Line], size: int, most_wide: int, most_high: int) -> NDArray[np.uint8]:
    """Return how much of each pixel is ink, 0 to 255, at most ``most_wide`` x ``most_high``."""
    pad, space, step = max(2, size // 4), size // 3, round(size * 1.25)
    room = max(1, (most_high - pad) // step)
    if len(lines) > room:
        lines = [*lines[: room - 1], (f"+{len(lines) - room + 1}", "more")]
    rows = []
    for label, percent in lines:
        end = _ink(percent, size)
        start = _ink_within(label, size, most_wide - 2 * pad - space - end.shape[1])
        rows.append((start, end))
    width = max(start.shape[1] + space + end.shape[1] for start, end in rows) + 2 * pad
    block = np.zeros((step * len(rows) + pad, width), np.uint8)
    for row, (start, end) in enumerate(rows):
        band = block[pad // 2 + row * step :][:step, pad:]
        band[:, : start.shape[1]] = start
        band[:, start.shape[1] + space :][:, : end.shape[1]] = end
    return block[:most_high, :most_wide]


def _ink_within(text: str, size: int, most_wide: int) -> NDArray[np.uint8]:
    shown, font = text, _font(size)
    while len(shown) > 1 and font.getlength(shown) > most_wide:
        shown = shown.removesuffix("…")[:-1] + "…"
    return _ink(shown, size)


# The same few words come again in each picture; drawing them anew costs more than all the rest.
@lru_cache(maxsize=256)
def _ink(text: str, size: int) -> NDArray[np.uint8]:
    font = _font(size)
    page = Pillow.new("L", (max(1, round(font.getlength(text))), round(size * 1.25)))
    ImageDraw.Draw(page).text((0, 0), text, fill=255, font=font)
    return np.asarray(page)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
