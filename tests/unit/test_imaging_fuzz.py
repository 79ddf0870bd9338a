"""Damaged pictures of every kind give a picture or one of our errors, and nothing else."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import simplejpeg  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from visiongate.errors import VisiongateError
from visiongate.imaging import FORMATS, Limits, decode
from visiongate.imaging.headers import (
    count_gif_frames,
    count_ifds,
    exif_orientation,
    webp_size,
)
from visiongate.imaging.jpeg import plain_size
from visiongate.types import Enough, Picture

# Small, so that a header that was changed to declare a huge picture is refused, not decoded.
LIMITS = Limits(max_bytes=20_000, max_pixels=250_000)

BOUNDED = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

VARIETIES: dict[str, list[dict[str, object]]] = {
    "JPEG": [{"progressive": True}],
    "TIFF": [{"compression": "tiff_lzw"}, {"compression": "jpeg"}],
    "WEBP": [{"lossless": True}],
}


def samples() -> dict[str, bytes]:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 3), np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = 6
    made = {}
    for format in FORMATS:
        for mode in ("RGB", "L", "P", "1", "CMYK", "RGBA"):
            for variety in ({}, *VARIETIES.get(format, ())):
                if mode in ("P", "1") and variety.get("compression") == "jpeg":
                    continue  # refused, after which Pillow 12 (Python 3.10) corrupts its memory
                buffer = io.BytesIO()
                try:
                    Pillow.fromarray(pixels).convert(mode).save(
                        buffer, format, exif=exif.tobytes(), **variety
                    )
                except (OSError, ValueError):  # a mode that this format does not have
                    continue
                made["-".join([format, mode, *variety])] = buffer.getvalue()
    return made


SAMPLES = samples()


def assert_picture_or_our_error(data: bytes) -> None:
    """See it decoded whole and as small as may be: both go well, or neither does."""
    whole, small = judged(data, None), judged(data, Enough())
    if isinstance(whole, Picture) and isinstance(small, Picture):
        assert (small.width, small.height) == (whole.width, whole.height)
        assert small.pixels.size <= whole.pixels.size
    else:
        assert type(small) is type(whole)


def judged(data: bytes, enough: Enough | None) -> Picture | VisiongateError:
    failure, picture = None, None
    try:
        picture = decode(data, LIMITS, enough=enough)
    except VisiongateError as error:
        failure = error
    if failure is not None:
        assert 400 <= failure.status < 500
        assert failure.detail
        assert failure.detail.isprintable()
    if picture is not None:
        assert picture.pixels.dtype == np.uint8
        assert picture.pixels.flags.c_contiguous
        assert picture.width * picture.height <= LIMITS.max_pixels
        return picture
    assert failure is not None
    return failure


def test_samples_cover_every_format() -> None:
    assert {name.split("-")[0] for name in SAMPLES} == set(FORMATS)
    for data in SAMPLES.values():
        assert decode(data, LIMITS).width in (12, 20)


@pytest.mark.parametrize("name", SAMPLES)
@BOUNDED
@given(
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.one_of(st.just(1.0), st.floats(0, 1)),
)
def test_changed_bytes(name: str, changes: list[tuple[float, int]], cut: float) -> None:
    data = bytearray(SAMPLES[name])
    for where, value in changes:
        # Squared: headers, where a byte matters most, come first.
        data[min(int(where**2 * len(data)), len(data) - 1)] = value
    assert_picture_or_our_error(bytes(data[: max(1, int(cut * len(data)))]))


@BOUNDED
@given(
    start=st.sampled_from([data[:length] for data in SAMPLES.values() for length in (4, 16, 40)]),
    rest=st.binary(max_size=400),
)
def test_noise_behind_a_known_beginning(start: bytes, rest: bytes) -> None:
    assert_picture_or_our_error(start + rest)


@BOUNDED
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0"]))
def test_header_readers_end_and_stay_in_bounds(data: bytes, start: bytes) -> None:
    assert 1 <= exif_orientation(start + data) <= 8
    assert count_ifds(start + data) >= 1
    assert count_gif_frames(b"GIF89a" + data) >= 1
    try:
        width, height = webp_size(b"RIFF\0\0\0\0WEBP" + data)
    except ValueError:
        return
    assert width >= 0
    assert height >= 0


JPEGS = {name: data for name, data in SAMPLES.items() if name.startswith("JPEG")}


def assert_libjpeg_agrees(data: bytes) -> bool:
    """See that libjpeg reads the size that we do, if we do; tell whether both read one."""
    size = plain_size(data)
    if size is None:
        return False
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=False)
    except ValueError:  # it reads none, and so decodes nothing
        return False
    assert (width, height) == size
    return True


@pytest.mark.parametrize("name", [name for name in JPEGS if "progressive" in name])
def test_a_progressive_jpeg_is_not_plain(name: str) -> None:
    assert plain_size(JPEGS[name]) is None


@pytest.mark.parametrize("name", [name for name in JPEGS if "progressive" not in name])
def test_each_changed_byte_of_a_header_is_read_as_libjpeg_reads_it(name: str) -> None:
    data = bytearray(JPEGS[name])
    assert assert_libjpeg_agrees(bytes(data))
    agreed = 0
    for at in range(2, data.index(b"\xff\xda") + 14):
        kept = data[at]
        for value in {0, 1, 2, 3, kept ^ 1, *range(0xC0, 0x100)}:
            data[at] = value
            agreed += assert_libjpeg_agrees(bytes(data))
        data[at] = kept
    assert agreed > 1000


@pytest.mark.parametrize("lone", [0x01, *range(0xD0, 0xD8)])
def test_no_size_is_hidden_behind_a_marker_that_has_no_length(lone: int) -> None:
    """libjpeg reads on right behind it; who took two bytes for a length would read elsewhere."""
    data = JPEGS["JPEG-L"]
    at = data.index(b"\xff\xc0")
    frame = data[at : at + 13]
    other = frame[:5] + struct.pack(">HH", 7, 9) + frame[9:]
    hides = b"\xff\xfe" + struct.pack(">H", 2 + len(frame))
    hidden = b"\xff" + bytes([lone]) + struct.pack(">H", 2 + len(other + hides)) + other + hides
    data = data[:at] + hidden + data[at:]
    assert simplejpeg.decode_jpeg_header(data, strict=False)[:2] == (7, 9)
    assert plain_size(data) is None


@BOUNDED
@given(
    data=st.sampled_from(list(JPEGS.values())),
    changes=st.lists(
        st.tuples(
            st.floats(0, 1),
            st.one_of(
                st.binary(max_size=4),
                st.sampled_from([b"\xff", b"\xff\0", b"\xff\xd0", b"\xff\xd9", b"\xff\xc2"]),
                st.sampled_from(
                    [
                        b"\xff\xc0\0\x0b\x08\0\x07\0\x09\x01\x01\x11\0",
                        b"\xff\xfe\0\x04\xff\xda",
                        b"\xff\xdc\0\x04\0\x09",
                    ]
                ),
            ),
            st.integers(0, 3),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_a_header_with_more_or_less_in_it_is_read_as_libjpeg_reads_it(
    data: bytes, changes: list[tuple[float, bytes, int]]
) -> None:
    for where, put, without in changes:
        at = 2 + int(where * data.index(b"\xff\xda") if b"\xff\xda" in data else 0)
        data = data[:at] + put + data[at + without :]
    assert_libjpeg_agrees(data)
