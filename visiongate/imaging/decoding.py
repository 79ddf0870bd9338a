"""Decode one picture from anyone, or say what is wrong with it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import COMPRESSION_INFO, MAX_SAMPLESPERPIXEL, TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from visiongate.errors import (
    FormatUnsupported,
    PictureCorrupt,
    PictureEmpty,
    PictureTooLarge,
    VisiongateError,
)
from visiongate.imaging import headers
from visiongate.imaging.formats import FORMATS, describe, identify
from visiongate.imaging.jpeg import decode_jpeg
from visiongate.imaging.pixels import to_rgb, upright
from visiongate.types import Enough, Picture

__all__ = ["MAX_SIDE", "Limits", "decode"]

MAX_SIDE = 65_500
"""Longest side in pixels: libjpeg's own, so that each picture can be answered as a JPEG."""

# A frame of an animated PNG or WebP takes at least its control chunk (PNG 3rd edition, 11.3.6.2).
_LEAST_FRAME_BYTES = 38

# How Pillow's plugins say that a file is whole, but of a variety they do not know.
_UNSUPPORTED = re.compile(r"unknown pixel mode|unsupported|not supported|cannot handle", re.I)

_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "GIF": GifImageFile,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture that is decoded; both are checked before memory is taken for it."""

    max_bytes: int
    max_pixels: int


def decode(
    data: bytes,
    limits: Limits,
    on_size: Callable[[int, int], None] | None = None,
    enough: Enough | None = None,
) -> Picture:
    """Decode a picture to upright RGB.

    Only the first frame or page is decoded. ``on_size`` is told width and height as the header
    declares them, before the pixels are decoded, and may refuse by raising an error of ours.
    With ``enough``, a JPEG may be decoded to a half, a quarter or an eighth, never smaller than
    that; everything else about it stays. Whatever the bytes, nothing else is raised.

    Raises:
        PictureEmpty: there are no bytes.
        PictureTooLarge: more bytes or pixels than ``limits``, or a side over ``MAX_SIDE``.
        FormatUnsupported: not one of ``FORMATS``, or a variety of one that is not read.
        PictureCorrupt: its format is known, its content is damaged.
    """
    if not data:
        raise PictureEmpty("The picture has no bytes. Send the file's content.")
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(
            f"The picture has {len(data):,} bytes; at most {limits.max_bytes:,} are accepted."
        )
    name = identify(data)
    if name is None:
        looks = describe(data)
        raise FormatUnsupported(
            f"{f'This looks like {looks}.' if looks else 'The bytes are no picture we know.'} "
            f"Send one of {', '.join(FORMATS)}."
        )
    _ignore_pillow_warnings()
    try:
        return _decode(name, data, limits, on_size, enough)
    except VisiongateError:
        raise
    except Pillow.DecompressionBombError as error:
        raise PictureTooLarge(
            f"The {name} picture is too large; at most {limits.max_pixels:,} pixels are accepted."
        ) from error
    except MemoryError as error:
        raise PictureTooLarge(f"There is no memory for this {name} picture.") from error
    except Exception as error:
        # Pillow's plugins let through whatever a damaged file makes them stumble over: OSError,
        # SyntaxError, ValueError, struct.error, IndexError, OverflowError, zlib.error …
        reason = _printable(error)
        if _UNSUPPORTED.search(reason):
            raise FormatUnsupported(
                f"This variety of {name} is not read ({reason}). Save it as 8-bit RGB."
            ) from error
        what = "cut off" if "truncated" in reason.lower() else "damaged"
        raise PictureCorrupt(f"The {name} picture is {what}: {reason}.") from error


def _decode(
    name: str,
    data: bytes,
    limits: Limits,
    on_size: Callable[[int, int], None] | None,
    enough: Enough | None,
) -> Picture:
    ifd = headers.read_ifd(data) if name == "TIFF" else None
    if name == "WEBP":
        # Pillow makes the canvas while it opens the file.
        _check_size(*headers.webp_size(data), limits)
    if ifd is not None:
        _check_tiff(ifd, limits)
    smaller = False
    with _PLUGINS[name](io.BytesIO(data)) as opened:
        _check_size(*opened.size, limits)
        if on_size is not None:
            on_size(*opened.size)
        if name == "JPEG":
            divisor = enough.divisor(*opened.size) if enough is not None else 1
            pixels = decode_jpeg(data, opened, divisor)
        elif ifd is not None:
            opened.load()
            photometric, bits = ifd.scalar(262, 1), ifd.scalar(258, 16)
            pixels = to_rgb(opened, bits=bits, inverted=photometric == 0)
        else:
            opened.load()
            pixels = to_rgb(opened)
        if ifd is not None:
            # Pillow has applied a TIFF's own orientation while loading.
            orientation = ifd.scalar(headers.ORIENTATION, 1)
            orientation = orientation if 1 <= orientation <= 8 else 1
        else:
            orientation = headers.exif_orientation(opened.info.get("exif", b""))
            smaller = pixels.shape[1::-1] != opened.size
            pixels = upright(pixels, orientation)
        frames = _count_frames(name, data, opened)
        width, height = opened.size
    size = ((height, width) if orientation >= 5 else (width, height)) if smaller else None
    return Picture(np.ascontiguousarray(pixels), name, orientation, frames, size)


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise PictureCorrupt(f"The picture declares {width} x {height} pixels.")
    if width * height > limits.max_pixels:
        raise PictureTooLarge(
            f"The picture has {width:,} x {height:,} pixels; "
            f"at most {limits.max_pixels:,} in all are accepted."
        )
    if max(width, height) > MAX_SIDE:
        raise PictureTooLarge(
            f"The picture has {width:,} x {height:,} pixels; a side has at most {MAX_SIDE:,}."
        )


def _check_tiff(ifd: headers.Ifd, limits: Limits) -> None:
    """Refuse sizes and tables that would cost far more than the picture itself."""
    width, height = ifd.scalar(256, 0), ifd.scalar(257, 0)
    _check_size(width, height, limits)
    if ifd.scalar(277, 1) > MAX_SAMPLESPERPIXEL:
        raise FormatUnsupported(f"TIFF with {ifd.scalar(277, 1)} samples a pixel is not read.")
    compression = ifd.scalar(259, 1)
    if compression not in COMPRESSION_INFO:
        raise FormatUnsupported(f"TIFF compression {compression} is not read. Save it as PNG.")
    tile_width, tile_height = ifd.scalar(322, width), ifd.scalar(323, height)
    if tile_width < 1 or tile_height < 1 or tile_width * tile_height > limits.max_pixels:
        raise PictureTooLarge(f"The TIFF picture has tiles of {tile_width:,} x {tile_height:,}.")
    rows = max(1, min(ifd.scalar(278, height), height))
    planes = ifd.scalar(277, 1) if ifd.scalar(284, 1) == 2 else 1
    strips = planes * -(-height // rows)
    tiles = planes * -(-width // tile_width) * -(-height // tile_height)
    if ifd.count(273) > strips or ifd.count(324) > tiles:
        raise PictureCorrupt("The TIFF picture has more strips or tiles than it has room for.")


def _count_frames(name: str, data: bytes, opened: ImageFile.ImageFile) -> int:
    if name == "GIF":
        return headers.count_gif_frames(data)
    if name == "TIFF":
        return headers.count_ifds(data)
    if name in ("PNG", "WEBP"):
        declared = int(getattr(opened, "n_frames", 1))
        return declared if declared * _LEAST_FRAME_BYTES <= len(data) else 1
    return 1


def _ignore_pillow_warnings() -> None:
    """Keep Pillow's remarks about odd files off standard error and out of the warning registry.

    ``warnings.catch_warnings`` is not safe with threads, this is: the filter is idempotent.
    """
    if _PILLOW_WARNINGS not in warnings.filters:
        warnings.filterwarnings("ignore", module=_PILLOW_MODULES.pattern)


_PILLOW_MODULES = re.compile(r"PIL\.")
_PILLOW_WARNINGS = ("ignore", None, Warning, _PILLOW_MODULES, 0)


def _printable(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return "".join(c if c.isprintable() else "?" for c in text)[:200].rstrip(".")
