"""Pictures for benchmarks, made from photographs that scikit-image installs; always the same.

``padded`` and ``noise`` need no photograph.
"""

from __future__ import annotations

import importlib.util
import io
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

__all__ = ["SIZE", "noise", "of_megapixels", "padded", "ten", "with_faces"]

SIZE = (800, 533)
_TURNS = (-6.0, -3.0, 0.0, 3.0, 6.0)
_GROUP = (2048, 1152)
_COLUMNS, _ROWS = 8, 4
_PORTRAIT = 240
_COMMENT = b"\xff\xfe"
_MOST_IN_SEGMENT = 65_533


def ten() -> list[bytes]:
    """Return ten pictures of 800x533, each with one face of another size, place and brightness."""
    portrait, ground = _photo("astronaut.png"), _photo("coffee.png").resize(SIZE)
    pictures = []
    for number in range(10):
        scene = ground.copy()
        side = 300 + 24 * number
        person = portrait.resize((side, side)).rotate(_TURNS[number % 5], Image.Resampling.BICUBIC)
        if number % 2:
            person = ImageOps.mirror(person)
        person = ImageEnhance.Brightness(person).enhance(0.8 + 0.04 * number)
        scene.paste(person, (20 + 22 * number, SIZE[1] - side))
        pictures.append(_jpeg(scene))
    return pictures


def with_faces(count: int) -> bytes:
    """Return a picture of 2048x1152 with so many faces, at most 32, each about 50 pixels wide."""
    scene = _photo("coffee.png").resize(_GROUP)
    portrait = _photo("astronaut.png").resize((_PORTRAIT, _PORTRAIT))
    cell = _GROUP[0] // _COLUMNS, _GROUP[1] // _ROWS
    if count > _COLUMNS * _ROWS:
        raise ValueError(f"there is room for {_COLUMNS * _ROWS} faces, not for {count}")
    for number in range(count):
        person = ImageOps.mirror(portrait) if number % 2 else portrait
        person = ImageEnhance.Brightness(person).enhance(0.8 + 0.015 * number)
        # Those of a picture with few faces stand in its middle as well.
        place = (number * 11 + 10) % (_COLUMNS * _ROWS)
        corner = place % _COLUMNS * cell[0] + 8, place // _COLUMNS * cell[1] + 24
        scene.paste(person, corner)
    return _jpeg(scene)


def of_megapixels(size: float) -> bytes:
    """Return one photograph with one face, of the shape 4:3 and about so many megapixels."""
    height = math.sqrt(size * 1e6 * 3 / 4)
    shape = round(height * 4 / 3), round(height)
    scene = _photo("coffee.png").resize(shape, Image.Resampling.BICUBIC)
    side = round(0.8 * height)
    scene.paste(_photo("astronaut.png").resize((side, side), Image.Resampling.BICUBIC), (0, 0))
    return _jpeg(scene)


def padded(size: int) -> bytes:
    """Return a JPEG of 64x64 pixels that comments fill up to so many bytes."""
    picture = _jpeg(Image.new("RGB", (64, 64), (90, 120, 150)))
    missing = size - len(picture) - 4
    if not 0 <= missing <= _MOST_IN_SEGMENT:
        raise ValueError(f"cannot fill {len(picture)} bytes up to {size} with one comment")
    comment = _COMMENT + (missing + 2).to_bytes(2, "big") + bytes(missing)
    return picture[:2] + comment + picture[2:]


def noise(size: int) -> bytes:
    """Return a JPEG of 800x533 pixels and nearly so many bytes, as busy as that asks for."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (54, 80, 3), np.uint8)
    scene = Image.fromarray(coarse).resize(SIZE, Image.Resampling.BICUBIC)
    for quality in range(98, 20, -1):
        body = _jpeg(scene, quality)
        if len(body) <= size:
            return body
    raise ValueError(f"no JPEG of {SIZE} fits into {size} bytes")


def _jpeg(picture: Image.Image, quality: int = 88) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _photo(name: str) -> Image.Image:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-image is not installed; make bench installs it")
    return Image.open(Path(spec.origin).parent / "data" / name).convert("RGB")
