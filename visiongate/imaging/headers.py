"""What headers declare, read without decoding: sizes, orientation, number of frames.

Needed where Pillow would allocate before we can look (WebP), parse far more than one tag (EXIF),
or walk the whole file (frames of GIF and TIFF). Everything here takes hostile bytes: it reads in
bounds, ends after a bounded number of steps, and raises only ``ValueError``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Ifd", "count_gif_frames", "count_ifds", "exif_orientation", "read_ifd", "webp_size"]

ORIENTATION = 274
_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_STEPS = 50_000
_MOST_IFDS = 1_000


@dataclass(frozen=True, slots=True)
class Ifd:
    """One image file directory of a TIFF structure (TIFF 6.0, section 2; BigTIFF alike).

    ``entries`` maps a tag to its type, count and the bytes of its value field; ``next`` is the
    offset of the next directory, 0 after the last.
    """

    order: str
    entries: dict[int, tuple[int, int, bytes]]
    next: int

    def count(self, tag: int) -> int:
        return self.entries[tag][1] if tag in self.entries else 0

    def scalar(self, tag: int, default: int) -> int:
        """Return an unsigned integer that is stored in place, else ``default``."""
        kind, count, field = self.entries.get(tag, (0, 0, b""))
        if kind not in _INTEGERS or count < 1:
            return default
        code = self.order + _INTEGERS[kind]
        if struct.calcsize(code) * count > len(field):
            return default
        return int(struct.unpack_from(code, field)[0])


def read_ifd(data: bytes, offset: int | None = None) -> Ifd:
    """Read the directory at ``offset``, by default the first.

    Raises:
        ValueError: there is none there.
    """
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise ValueError("no TIFF byte order mark")
    try:
        big = struct.unpack_from(order + "H", data, 2)[0] == 43
        pointer, counter, entry = ("Q", "Q", "HHQ8s") if big else ("I", "H", "HHI4s")
        if offset is None:
            (offset,) = struct.unpack_from(order + pointer, data, 8 if big else 4)
        (number,) = struct.unpack_from(order + counter, data, offset)
        start = offset + struct.calcsize(counter)
        stop = start + number * struct.calcsize(order + entry)
        fields = struct.iter_unpack(order + entry, memoryview(data)[start:stop])
        entries = {tag: (kind, count, field) for tag, kind, count, field in fields}
        (following,) = struct.unpack_from(order + pointer, data, stop)
    except (struct.error, OverflowError) as error:
        raise ValueError("the directory lies outside the file") from error
    return Ifd(order, entries, following)


def count_ifds(data: bytes) -> int:
    """Count the pages of a TIFF, up to a bound; a broken or circular chain ends the count."""
    seen: set[int] = set()
    try:
        ifd = read_ifd(data)
        while ifd.next and ifd.next not in seen and len(seen) < _MOST_IFDS:
            seen.add(ifd.next)
            ifd = read_ifd(data, ifd.next)
    except ValueError:
        pass
    return 1 + len(seen)


def exif_orientation(exif: bytes) -> int:
    """Return EXIF's orientation, 1 to 8; 1 where there is none or EXIF is malformed."""
    try:
        value = read_ifd(exif.removeprefix(b"Exif\0\0")).scalar(ORIENTATION, 1)
    except ValueError:
        return 1
    return value if 1 <= value <= 8 else 1


def webp_size(data: bytes) -> tuple[int, int]:
    """Return the canvas's width and height (RFC 9649, section 2.5 to 2.7).

    Raises:
        ValueError: no header of the three kinds is there.
    """
    kind = data[12:16]
    if len(data) >= 30:
        if kind == b"VP8X":
            return (
                1 + int.from_bytes(data[24:27], "little"),
                1 + int.from_bytes(data[27:30], "little"),
            )
        if kind == b"VP8L" and data[20] == 0x2F:
            bits = int.from_bytes(data[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
            width, height = struct.unpack_from("<HH", data, 26)
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError("no VP8, VP8L or VP8X header")


def count_gif_frames(data: bytes) -> int:
    """Count the frames of a GIF (GIF89a, appendix B), up to a bound of blocks; at least 1."""
    frames, steps, at = 0, 0, 13 + _colour_table(data, 10)
    while at < len(data) and steps < _MOST_STEPS:
        if data[at] == 0x2C:
            frames += 1
            at += 11 + _colour_table(data, at + 9)
        elif data[at] == 0x21:
            at += 2
        else:
            break
        while at < len(data) and data[at] and steps < _MOST_STEPS:
            at += 1 + data[at]
            steps += 1
        at += 1
        steps += 1
    return max(frames, 1)


def _colour_table(data: bytes, at: int) -> int:
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
