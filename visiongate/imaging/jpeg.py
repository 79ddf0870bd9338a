"""The pixels of a JPEG whose header Pillow has read."""

from __future__ import annotations

import struct

import numpy as np
import simplejpeg  # type: ignore[import-untyped]
from PIL import ImageChops, ImageFile

from visiongate.errors import PictureCorrupt
from visiongate.imaging.pixels import to_rgb
from visiongate.types import Image

__all__ = ["decode_jpeg", "plain_size"]

# A progressive JPEG holds about ten scans. Each costs a pass over the whole picture, however few
# bytes it takes (80 ms at 50 megapixels), so hundreds of them are an attack on the processor.
_MOST_SCANS = 50

# Markers, by their second byte (ITU-T T.81, table B.1).
_SEQUENTIAL = frozenset({0xC0, 0xC1})
_SCAN = 0xDA
# Tables, the restart interval, application data and comments: a length, and what it covers.
_STEPPED_OVER = frozenset({0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)})


def decode_jpeg(data: bytes, opened: ImageFile.ImageFile, divisor: int) -> Image:
    """Decode with libjpeg-turbo straight into the array; Pillow reads what that will not.

    A third faster than Pillow, bit for bit the same, and it reports damage that Pillow passes
    over. What Pillow reads is not divided. Of libjpeg's eighths only those are taken that it
    computes with vector instructions: 5/8 to 7/8 cost more than the whole picture.

    Raises:
        PictureCorrupt: it is cut off, declares two sizes, or would take too many passes.
        Exception: whatever Pillow stumbles over.
    """
    plain = plain_size(data)
    if plain is None and _count_scans(data) > _MOST_SCANS:
        raise PictureCorrupt(f"The JPEG picture has over {_MOST_SCANS} scans. Save it anew.")
    if opened.mode in ("L", "RGB"):
        try:
            width, height = plain or _declared_size(data)
            if (width, height) != opened.size:
                raise PictureCorrupt("The JPEG picture declares two sizes.")
            pixels = simplejpeg.decode_jpeg(
                data,
                "RGB",
                min_height=-(-height // divisor),
                min_width=-(-width // divisor),
                min_factor=divisor,
            )
            return np.asarray(pixels, np.uint8)
        except ValueError as error:
            # Other complaints (a rare chroma layout, stray bytes before a marker) are no damage.
            if "remature end" in str(error):
                raise PictureCorrupt(f"The JPEG is cut off: {error}.") from error
    opened.load()
    if opened.mode == "CMYK" and "adobe" not in opened.info:
        # Adobe's files store inks inverted, and Pillow takes every file for one of Adobe's.
        return to_rgb(ImageChops.invert(opened))
    return to_rgb(opened)


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of a sequential JPEG whose first scan holds all components.

    Nearly all that cameras and browsers send are such. libjpeg reads no other scan of them: a
    second one is an error (its ``jdinput.c``, ``has_multiple_scans``). Where the header has
    anything that libjpeg might read otherwise than we do, the answer is None.
    """
    size, components, at = None, 0, 2
    try:
        while True:
            first, kind, length = struct.unpack_from(">BBH", data, at)
            if first != 0xFF or length < 2:
                return None
            if kind == _SCAN:
                return size if data[at + 4] == components else None
            if kind in _SEQUENTIAL and size is None:
                height, width, components = struct.unpack_from(">HHB", data, at + 5)
                size = width, height
            elif kind not in _STEPPED_OVER:
                return None
            at += 2 + length
    except (struct.error, IndexError):
        return None


def _declared_size(data: bytes) -> tuple[int, int]:
    """Return width and height as libjpeg reads them. Raises: ValueError."""
    height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    return width, height


def _count_scans(data: bytes) -> int:
    """Count the markers that may begin a scan, of whatever kind of JPEG."""
    # Six times as fast as ``bytes.count``. But each step gives up the interpreter, which has a
    # price where many requests want it: hence ``plain_size``.
    values = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((values[:-1] == 0xFF) & (values[1:] == 0xDA)))
