"""Pictures that can be recognised wherever their bytes turn up.

A marker of 24 letters is repeated all through them: through a JPEG's comments, and through a
PNG's pixels, which are stored uncompressed. So it stands in the bytes as they were sent and, of a
PNG, in the decoded pixels; and, since 24 is divisible by 3, as one repeated text in base64.
"""

from __future__ import annotations

import base64
import io
import secrets
import struct
import zlib
from string import ascii_letters

from PIL import Image

__all__ = ["Marker"]

_LENGTH = 24
_WIDTH = 1024  # times 3 bytes: a whole number of markers, so that each row begins with one
_COMMENT = 65_532 // _LENGTH * _LENGTH


class Marker:
    """A marker, chosen anew for each, the pictures that carry it, and what to look for."""

    def __init__(self) -> None:
        self.text = "".join(secrets.choice(ascii_letters) for _ in range(_LENGTH))

    @property
    def traces(self) -> tuple[str, ...]:
        """The texts, of which one is in any 64 bytes of the picture or of its base64."""
        shifted = (self.text[shift:] + self.text[:shift] for shift in range(3))
        coded = (base64.b64encode(text.encode()).decode() for text in shifted)
        return (self.text, *coded)

    def found_in(self, data: bytes) -> bool:
        return any(trace.encode() in data for trace in self.traces)

    def jpeg(self, size: int) -> bytes:
        """Return a JPEG of about ``size`` bytes."""
        buffer = io.BytesIO()
        Image.effect_noise((96, 96), 60).convert("RGB").save(buffer, "JPEG")
        picture = buffer.getvalue()
        comments = []
        left = size - len(picture)
        while left > 100:
            length = min(_COMMENT, left)
            comments.append(b"\xff\xfe" + struct.pack(">H", length + 2) + self._filling(length))
            left -= length + 4
        return picture[:2] + b"".join(comments) + picture[2:]

    def png(self, size: int) -> bytes:
        """Return a PNG of about ``size`` bytes."""
        height = max(16, (size - 200) // (_WIDTH * 3 + 2))
        row = b"\0" + self._filling(_WIDTH * 3)
        header = struct.pack(">IIBBBBB", _WIDTH, height, 8, 2, 0, 0, 0)
        pixels = zlib.compress(row * height, 0)
        chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)

    def _filling(self, length: int) -> bytes:
        return (self.text * (length // _LENGTH + 1)).encode()[:length]


def _chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check
