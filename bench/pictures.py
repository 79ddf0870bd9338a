"""Ten different 800x533 JPEGs of about 60 kB, made from photographs that scikit-image installs."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

__all__ = ["SIZE", "faces", "ten"]

SIZE = (800, 533)
_TURNS = (-6.0, -3.0, 0.0, 3.0, 6.0)


def faces() -> bytes:
    """Return one picture with one face."""
    return ten()[0]


def ten() -> list[bytes]:
    """Return ten pictures, each with one face of another size, place and brightness."""
    portrait = Image.open(_data() / "astronaut.png").convert("RGB")
    ground = Image.open(_data() / "coffee.png").convert("RGB").resize(SIZE)
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


def _jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _data() -> Path:
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise SystemExit("scikit-image is not installed: run make setup")
    return Path(spec.origin).parent / "data"
