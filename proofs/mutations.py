"""Pictures of every format and variety, and what random changes make of any bytes."""

from __future__ import annotations

import io
import random
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image

from visiongate.imaging import FORMATS

__all__ = ["changed", "mutated", "seeds"]

_VARIETIES: dict[str, tuple[dict[str, object], ...]] = {
    "JPEG": ({"progressive": True}, {"quality": 30, "optimize": True}, {"subsampling": 0}),
    "TIFF": (
        {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}, {"compression": "packbits"},
    ),
    "WEBP": ({"lossless": True},),
    "PNG": ({"compress_level": 0},),
}  # fmt: skip
_EDGES = (0, 1, 2, 4, 0x7F, 0x80, 0xFF, 0xFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@lru_cache(1)
def seeds() -> dict[str, bytes]:
    """Return small whole pictures by format, mode and variety, all of which decode."""
    pixels = np.random.default_rng(0).integers(0, 256, (18, 30, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    made = {}
    for format in FORMATS:
        for mode in ("RGB", "L", "P", "1", "CMYK", "RGBA", "LA", "I;16"):
            for number, variety in enumerate(({}, *_VARIETIES.get(format, ()))):
                buffer = io.BytesIO()
                try:
                    Image.fromarray(pixels).convert(mode).save(
                        buffer, format, exif=exif.tobytes(), **variety
                    )
                except (OSError, ValueError):  # a mode that this format does not have
                    continue
                made[f"{format}-{mode}-{number}"] = buffer.getvalue()
    return made


def mutated(chance: random.Random) -> tuple[str, bytes]:
    """Return a seed's name and what random changes have made of it."""
    name = chance.choice(sorted(seeds()))
    return name, changed(seeds()[name], chance, list(seeds().values()))


def changed(whole: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """Return ``whole`` after 1 to 6 changes, some of them pieces of ``others``."""
    data = bytearray(whole)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        if not data:
            break
        # Squared: headers, where a byte matters most, come first.
        at = min(int(chance.random() ** 2 * len(data)), len(data) - 1)
        _change(data, at, chance, others)
    return bytes(data)


def _change(data: bytearray, at: int, chance: random.Random, others: Sequence[bytes]) -> None:
    how = chance.randrange(8)
    if how == 0:
        data[at] = chance.randrange(256)
    elif how == 1:
        data[at] ^= 1 << chance.randrange(8)
    elif how == 2:
        size = chance.choice((1, 2, 4))
        value = chance.choice(_EDGES) & (1 << 8 * size) - 1
        data[at : at + size] = value.to_bytes(size, chance.choice(("big", "little")))
    elif how == 3:
        del data[at : at + chance.randrange(1, 40)]
    elif how == 4:
        data[at:at] = chance.randbytes(chance.randrange(1, 40))
    elif how == 5:
        run = data[at : at + chance.randrange(1, 200)]
        data[at:at] = run * chance.randrange(1, 20)
    elif how == 6:
        other = chance.choice(others)
        begin = chance.randrange(len(other))
        data[at : at + 60] = other[begin : begin + chance.randrange(1, 400)]
    else:
        del data[at:]
