"""Twenty pictures with a face, made from the photograph that matplotlib installs."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from PIL import Image, ImageEnhance, ImageOps

__all__ = ["small", "twenty"]


def twenty() -> list[bytes]:
    """Return twenty pictures in four formats, which differ in size, place, light and side."""
    portrait = _portrait()
    formats = ("JPEG", "PNG", "WEBP", "BMP")
    return [_encoded(_scene(portrait, number), formats[number % 4]) for number in range(20)]


def small() -> bytes:
    """Return one JPEG of 320x240 and about 15 kB."""
    return _encoded(_scene(_portrait(), 0).resize((320, 240)), "JPEG")


def _portrait() -> Image.Image:
    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    return Image.open(path).convert("RGB")


def _scene(portrait: Image.Image, number: int) -> Image.Image:
    size = 320 + 24 * number, 260 + 16 * number
    scene = Image.new("RGB", size, (40 + 9 * number, 120, 220 - 8 * number))
    person = ImageOps.contain(portrait, (size[1] - 10, size[1] - 10))
    person = ImageEnhance.Brightness(person).enhance(0.75 + 0.025 * number)
    if number % 2:
        person = ImageOps.mirror(person)
    scene.paste(person, (number * 3, size[1] - person.height))
    return scene


def _encoded(picture: Image.Image, format: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format)
    return buffer.getvalue()
