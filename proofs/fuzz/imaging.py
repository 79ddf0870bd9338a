"""Imaging: whatever the bytes, a picture within its limits, or one of our errors of 4xx."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from proofs import mutations
from proofs.fuzz.targets import Finding
from proofs.pictures import small
from visiongate.errors import VisiongateError
from visiongate.imaging import FORMATS, Limits, decode
from visiongate.types import Enough, Picture

__all__ = ["check", "seeds"]

_LIMITS = Limits(200_000, 1_000_000)
_SIDES = 48, 36
_LARGER = 192, 144


def seeds() -> list[bytes]:
    """Return a photograph in every format, small, and a picture of every mode and variety."""
    photograph = Image.open(io.BytesIO(small())).resize(_SIDES)
    made = []
    for format in FORMATS:
        buffer = io.BytesIO()
        photograph.save(buffer, format)
        made.append(buffer.getvalue())
    for options in ({}, {"progressive": True}):  # large enough to be decoded smaller
        buffer = io.BytesIO()
        photograph.resize(_LARGER).save(buffer, "JPEG", quality=30, **options)
        made.append(buffer.getvalue())
    return made + list(mutations.seeds().values())


def check(data: bytes) -> None:
    """Raises: Finding, or whatever ``decode`` must not let out."""
    whole, small = _judged(data, None), _judged(data, Enough())
    if isinstance(whole, str) or isinstance(small, str):
        if whole != small:
            raise Finding(f"whole it is {whole}, and decoded small {small}")
    elif (whole.width, whole.height) != (small.width, small.height):
        raise Finding(f"{whole.width} x {whole.height} pixels, or {small.width} x {small.height}")


def _judged(data: bytes, enough: Enough | None) -> Picture | str:
    """Return the picture, or the code of the error."""
    told: list[tuple[int, int]] = []
    try:
        picture = decode(data, _LIMITS, lambda width, height: told.append((width, height)), enough)
    except VisiongateError as error:
        if not 400 <= error.status < 500 or not error.detail.isprintable():
            raise Finding(f"{error.code}, {error.status}: {error.detail!r}") from error
        return error.code
    height, width, channels = picture.pixels.shape
    if channels != 3 or (enough is None and (width, height) != (picture.width, picture.height)):
        raise Finding(f"a picture of {picture.pixels.shape} that is told as {picture}")
    if picture.pixels.dtype != np.uint8 or not picture.pixels.flags.c_contiguous:
        raise Finding("pixels that a detector cannot take")
    if width * height > _LIMITS.max_pixels:
        raise Finding(f"{width} x {height} pixels, over the limit")
    if sorted(*told) != sorted((picture.width, picture.height)):
        raise Finding(f"{picture.width} x {picture.height} pixels, but {told} was told")
    return picture
