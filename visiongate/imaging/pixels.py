"""Any of Pillow's modes -> RGB pixels.

ICC profiles are not applied: detectors were trained on pixels decoded without them, so applying
them would move pictures away from what the networks know, at ten times the cost of decoding.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from visiongate.types import Image

__all__ = ["to_rgb", "upright"]

# EXIF 2.32, table 4.6.4: how stored pixels become upright. Mirrored ones are flipped first.
_FLIPPED = {2: 1, 4: 0, 5: 1, 7: 1}
_TURNED = {
    3: cv2.ROTATE_180,
    5: cv2.ROTATE_90_COUNTERCLOCKWISE,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_90_CLOCKWISE,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}


def upright(pixels: Image, orientation: int) -> Image:
    """Turn and mirror stored pixels by their EXIF orientation (1 to 8)."""
    # OpenCV turns a 12-megapixel photograph in 20 ms; numpy and Pillow need 130 ms.
    if orientation in _FLIPPED:
        pixels = cast("Image", cv2.flip(pixels, _FLIPPED[orientation]))
    if orientation in _TURNED:
        pixels = cast("Image", cv2.rotate(pixels, _TURNED[orientation]))
    return pixels


def to_rgb(picture: Pillow.Image, *, bits: int = 16, inverted: bool = False) -> Image:
    """Return the pixels of a loaded picture as RGB.

    Transparent parts become white, as on the page a person saw the picture on: what lies
    hidden under them was never meant to be seen. ``bits`` is the significant depth of 16-bit
    samples, ``inverted`` says that their zero is white.
    """
    if picture.mode.startswith("I;16"):
        grey = _eight_bits(np.asarray(picture), bits)
        return _grey_to_rgb(~grey if inverted else grey)
    if picture.mode in ("I", "F"):
        return _grey_to_rgb(_stretched(np.asarray(picture)))
    if picture.has_transparency_data:
        picture = _on_white(picture)
    if picture.mode == "L":
        return _grey_to_rgb(np.asarray(picture))
    return np.array(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _on_white(picture: Pillow.Image) -> Pillow.Image:
    rgba = picture.convert("RGBA")
    lowest, highest = cast("tuple[int, int]", rgba.getchannel("A").getextrema())
    # Many programs write 32-bit bitmaps whose fourth byte is not alpha but padding of zeros.
    if lowest == 255 or (highest == 0 and picture.format == "BMP"):
        return rgba.convert("RGB")
    white = Pillow.new("RGB", rgba.size, "white")
    white.paste(rgba, mask=rgba)
    return white


def _eight_bits(samples: NDArray[np.generic], bits: int) -> Image:
    wide = samples.astype(np.uint16, copy=False)
    # Programs that count or measure write 8-bit samples into 16-bit files; without this they
    # would all be black.
    shift = bits - 8 if wide.max() > 255 else 0
    return (wide >> shift).astype(np.uint8)


def _stretched(samples: NDArray[np.generic]) -> Image:
    """Map 32-bit samples to 0..255.

    Such files do not declare which value is white. It is taken to be the smallest of 1, 255
    and 65535 that covers all samples; where none does, black and white are the extremes.
    """
    values = samples.astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    white = next((w for w in (1.0, 255.0, 65535.0) if high <= w), None)
    if low >= 0 and white is not None:
        low, high = 0.0, white
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    # Scaled before it is moved: the difference of two floats may overflow, this cannot.
    scale = 255.0 / (high - low)
    values *= scale
    values -= low * scale
    return np.rint(values, out=values).clip(0, 255).astype(np.uint8)


def _grey_to_rgb(grey: Image) -> Image:
    return cast("Image", cv2.cvtColor(np.ascontiguousarray(grey), cv2.COLOR_GRAY2RGB))
