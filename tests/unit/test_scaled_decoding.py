"""JPEGs decoded no larger than they are needed: the same picture, of fewer pixels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from visiongate.errors import PictureCorrupt, PictureTooLarge, QuotaExceeded
from visiongate.imaging import Limits, decode
from visiongate.types import Box, Detection, DetectorInfo, Enough, Image, Picture

LIMITS = Limits(max_bytes=50_000_000, max_pixels=50_000_000)


def quarters(width: int, height: int) -> Image:
    """A picture that no turn or mirror leaves alone: red, green / blue, white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = (255, 0, 0)
    pixels[: height // 2, width // 2 :] = (0, 255, 0)
    pixels[height // 2 :, : width // 2] = (0, 0, 255)
    pixels[height // 2 :, width // 2 :] = 255
    return pixels


def saved(picture: Image | Pillow.Image, format: str = "JPEG", **options: Any) -> bytes:
    made = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)
    buffer = io.BytesIO()
    made.save(buffer, format, **options)
    return buffer.getvalue()


def seen(picture: Picture) -> tuple[int, int]:
    return picture.pixels.shape[1], picture.pixels.shape[0]


@pytest.mark.parametrize(
    ("enough", "divisor"),
    [
        (Enough(), 8),
        (Enough(shorter=75), 8),
        (Enough(shorter=76), 4),
        (Enough(shorter=150, longer=200), 4),
        (Enough(longer=201), 2),
        (Enough(shorter=300, longer=400), 2),
        (Enough(shorter=301), 1),
        (Enough(longer=401), 1),
    ],
)
@pytest.mark.parametrize("size", [(800, 600), (600, 800)])
def test_the_largest_divisor_that_leaves_enough(
    enough: Enough, divisor: int, size: tuple[int, int]
) -> None:
    assert enough.divisor(*size) == divisor
    picture = decode(saved(quarters(*size)), LIMITS, enough=enough)
    assert seen(picture) == (size[0] // divisor, size[1] // divisor)
    assert (picture.width, picture.height) == size


def test_two_detectors_get_what_both_need() -> None:
    assert Enough(600, 700).both(Enough(400, 2048)) == Enough(600, 2048)


@pytest.mark.parametrize("size", [(801, 603), (799, 597), (805, 600)])
def test_sides_that_divide_badly(size: tuple[int, int]) -> None:
    picture = decode(saved(quarters(*size)), LIMITS, enough=Enough(shorter=100))
    assert seen(picture) == (-(-size[0] // 4), -(-size[1] // 4))
    assert (picture.width, picture.height) == size


def test_a_picture_that_is_small_is_decoded_as_ever() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (600, 800, 3), np.uint8)
    data = saved(noise)
    picture = decode(data, LIMITS, enough=Enough(shorter=301))
    assert picture.size is None
    np.testing.assert_array_equal(picture.pixels, decode(data, LIMITS).pixels)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_it_shows_what_the_whole_picture_shows(photos: Path, options: dict[str, Any]) -> None:
    original = Pillow.open(photos / "astronaut.png").convert("RGB")
    data = saved(original, quality=95, **options)
    whole = decode(data, LIMITS).pixels
    for divisor in (2, 4, 8):
        least = min(original.size) // divisor
        small = decode(data, LIMITS, enough=Enough(shorter=least)).pixels
        assert small.shape[0] == -(-original.height // divisor)
        mean = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        difference = np.abs(small.astype(int) - mean.astype(int)).mean()
        assert difference < 3.0, divisor


@pytest.mark.parametrize("orientation", range(1, 9))
def test_upright_by_exif_as_the_whole_picture_is(orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = saved(quarters(480, 320), exif=exif.tobytes())
    whole = decode(data, LIMITS)
    small = decode(data, LIMITS, enough=Enough(shorter=80))
    assert (small.width, small.height) == (whole.width, whole.height)
    assert small.orientation == whole.orientation == orientation
    assert seen(small) == (whole.width // 4, whole.height // 4)
    middle = whole.pixels[2::4, 2::4]
    assert np.abs(small.pixels.astype(int) - middle.astype(int)).mean() < 4


def test_grey(photos: Path) -> None:
    grey = saved(Pillow.open(photos / "astronaut.png").convert("L"))
    small = decode(grey, LIMITS, enough=Enough(shorter=128))
    assert seen(small) == (128, 128)
    assert (small.pixels[..., 0] == small.pixels[..., 2]).all()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_other_formats_are_decoded_whole(format: str) -> None:
    picture = decode(saved(quarters(480, 320), format), LIMITS, enough=Enough())
    assert seen(picture) == (480, 320)
    assert picture.size is None


def test_what_libjpeg_turbo_leaves_to_pillow_is_decoded_whole() -> None:
    cmyk = saved(Pillow.new("CMYK", (400, 300), (0, 255, 255, 0)))
    picture = decode(cmyk, LIMITS, enough=Enough())
    assert seen(picture) == (400, 300)
    assert picture.size is None


def test_limits_and_quotas_are_of_the_whole_picture() -> None:
    data = saved(quarters(800, 600))
    with pytest.raises(PictureTooLarge, match="800 x 600"):
        decode(data, Limits(50_000_000, 479_999), enough=Enough())
    told: list[tuple[int, int]] = []
    decode(data, LIMITS, lambda *size: told.append(size), Enough())
    assert told == [(800, 600)]

    def refuse(width: int, height: int) -> None:
        raise QuotaExceeded(f"{width} x {height} are too many.")

    with pytest.raises(QuotaExceeded):
        decode(data, LIMITS, refuse, Enough())


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_damage_is_told_however_small_the_picture_is_made(
    photos: Path, options: dict[str, Any]
) -> None:
    data = saved(Pillow.open(photos / "astronaut.png").convert("RGB"), **options)
    for share in (0.3, 0.6, 0.95):
        cut = data[: int(len(data) * share)]
        for enough in (None, Enough(shorter=256), Enough(shorter=128), Enough()):
            with pytest.raises(PictureCorrupt):
                decode(cut, LIMITS, enough=enough)


def test_detections_of_a_smaller_picture_in_pixels_of_the_whole() -> None:
    found = Detection("face", 0.5, Box(10, 20, 101, 75), ((10.5, 20.0), (101.0, 75.0)))
    in_whole = found.scaled(to=(803, 597), of=(101, 75))
    assert in_whole.box.x2 == 803  # exactly: up to the edge stays up to the edge
    assert in_whole.box.y2 == 597
    assert in_whole.box.x1 == pytest.approx(79.504950)
    assert in_whole.landmarks[0] == pytest.approx((83.480198, 159.2))
    assert in_whole.landmarks[1] == (803.0, 597.0)
    assert in_whole.confidence == 0.5


def test_faces_are_cut_from_the_whole_picture() -> None:
    with pytest.raises(ValueError, match="whole picture"):
        DetectorInfo("mood", "attribute", ("a",), needs="faces", crop_size=9, enough=Enough())
