"""Whatever is sent becomes upright RGB or an error of ours; never anything else."""

from __future__ import annotations

import csv
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from visiongate.errors import (
    FormatUnsupported,
    PictureCorrupt,
    PictureEmpty,
    PictureTooLarge,
    QuotaExceeded,
    VisiongateError,
)
from visiongate.imaging import FORMATS, MAX_SIDE, Limits, decode, extension, media_type
from visiongate.types import Image, Picture

LIMITS = Limits(max_bytes=5_000_000, max_pixels=50_000_000)

RED, GREEN, BLUE, WHITE, BLACK = (
    (255, 0, 0),
    (0, 255, 0),
    (0, 0, 255),
    (255, 255, 255),
    (0, 0, 0),
)


def quarters(width: int = 48, height: int = 32) -> Image:
    """A picture that no turn or mirror leaves alone: red, green / blue, white."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2] = RED
    pixels[: height // 2, width // 2 :] = GREEN
    pixels[height // 2 :, : width // 2] = BLUE
    pixels[height // 2 :, width // 2 :] = WHITE
    return pixels


def saved(picture: Image | Pillow.Image, format: str, **options: object) -> bytes:
    made = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)
    buffer = io.BytesIO()
    made.save(buffer, format, **options)
    return buffer.getvalue()


def as_tiff(samples: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def corner_colours(picture: Picture) -> list[tuple[int, ...]]:
    """Top left, top right, bottom left, bottom right, rounded to full or no light."""
    p = picture.pixels
    points = (p[2, 2], p[2, -3], p[-3, 2], p[-3, -3])
    return [tuple(255 if int(v) > 127 else 0 for v in point) for point in points]


def assert_promises(picture: Picture) -> None:
    pixels = picture.pixels
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    assert pixels.flags.c_contiguous
    assert pixels.flags.writeable
    assert picture.format in FORMATS
    assert 1 <= picture.orientation <= 8
    assert picture.frames >= 1


# -- real pictures


def test_every_photograph_decodes_upright_or_says_what_is_wrong(photos: Path) -> None:
    rows = list(csv.DictReader((photos / "manifest.csv").read_text("utf-8").splitlines()))
    assert len(rows) > 40
    for row in rows:
        data = (photos / row["file"]).read_bytes()
        if row["size_after_exif"] and not row["file"].startswith("bad_"):
            picture = decode(data, LIMITS)
            assert_promises(picture)
            assert f"{picture.width}x{picture.height}" == row["size_after_exif"], row["file"]
        else:
            with pytest.raises(VisiongateError) as raised:
                decode(data, LIMITS)
            assert 400 <= raised.value.status < 500, row["file"]
            assert len(raised.value.detail) > 20, row["file"]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("empty.jpg", PictureEmpty, "no bytes"),
        ("not_an_image.jpg", FormatUnsupported, "HTML"),
        ("README.md", FormatUnsupported, "JPEG, PNG, WEBP, BMP, TIFF, GIF"),
        ("bad_broken.png", PictureCorrupt, "PNG"),
        ("bad_truncated.png", PictureCorrupt, "cut off"),
        ("bad_truncated.jpg", PictureCorrupt, "cut off"),
        ("truncated_400bytes.jpg", PictureCorrupt, "cut off"),
        ("bad_width.bmp", PictureTooLarge, "4,294,967,169 x 64"),
        ("bomb.gif", PictureTooLarge, "at most 50,000,000 pixels"),
        ("huge_20000x20000.png", PictureTooLarge, "20,000 x 20,000"),
    ],
)
def test_hostile_file(photos: Path, name: str, error: type[VisiongateError], words: str) -> None:
    with pytest.raises(error, match=words):
        decode((photos / name).read_bytes(), LIMITS)


@pytest.mark.parametrize(
    "name",
    ["astronaut.webp", "astronaut_16bit.png", "astronaut_exif6.jpg", "astronaut_progressive.jpg"],
)
def test_one_photograph_in_many_forms_is_one_picture(photos: Path, name: str) -> None:
    original = decode((photos / "astronaut.png").read_bytes(), LIMITS).pixels.astype(int)
    other = decode((photos / name).read_bytes(), LIMITS).pixels.astype(int)
    assert np.abs(other - original).mean() < 6


def test_adobes_cmyk_photograph_is_red_text_on_black(photos: Path) -> None:
    pixels = decode((photos / "cmyk.jpg").read_bytes(), LIMITS).pixels
    red, green, blue = (pixels[..., i].astype(int) for i in range(3))
    assert ((red > 120) & (green < 80) & (blue < 80)).mean() > 0.05


# -- formats and modes


@pytest.mark.parametrize("format", FORMATS)
def test_format_is_found_in_the_bytes(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    picture = decode(saved(quarters(), format, **options), LIMITS)
    assert_promises(picture)
    assert picture.format == format
    assert (picture.width, picture.height) == (48, 32)
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("format", ["BMP", "PNG", "TIFF", "WEBP"])
def test_lossless_formats_are_exact(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    np.testing.assert_array_equal(decode(saved(noise, format, **options), LIMITS).pixels, noise)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF"])
def test_few_colours(format: str, mode: str) -> None:
    black_and_white = np.zeros((32, 48, 3), np.uint8)
    black_and_white[:, 24:] = 255
    picture = decode(saved(Pillow.fromarray(black_and_white).convert(mode), format), LIMITS)
    np.testing.assert_array_equal(picture.pixels, black_and_white)


@pytest.mark.parametrize(
    "options",
    [
        {"progressive": True},
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2"},
        {"subsampling": "4:2:0"},
        {"keep_rgb": True},
        {"restart_marker_blocks": 1},
        {"optimize": True},
    ],
)
def test_jpeg_varieties_equal_pillows_own_decoding(options: dict[str, object]) -> None:
    ramp = np.linspace(0, 255, 53, dtype=np.uint8)
    colours = np.stack(np.broadcast_arrays(ramp, ramp[:37, None], ramp[::-1]), axis=-1)
    data = saved(colours, "JPEG", quality=90, **options)
    expected = np.asarray(Pillow.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data, LIMITS).pixels, expected)


def test_grey_jpeg() -> None:
    picture = decode(saved(Pillow.new("L", (20, 10), 77), "JPEG"), LIMITS)
    assert (picture.pixels == 77).all()


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk(format: str) -> None:
    cyan_ink = Pillow.new("CMYK", (16, 16), (255, 0, 0, 0))
    picture = decode(saved(cyan_ink, format), LIMITS)
    np.testing.assert_allclose(picture.pixels[8, 8], (0, 255, 255), atol=3)


def test_cmyk_jpeg_without_adobes_marker_is_not_inverted() -> None:
    data = saved(Pillow.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG")
    marker = data.index(b"\xff\xee")
    length = int.from_bytes(data[marker + 2 : marker + 4], "big")
    assert data[marker + 4 : marker + 9] == b"Adobe"
    plain = data[:marker] + data[marker + 2 + length :]
    # The same stored inks, read as they are: Adobe's inverted cyan is magenta, yellow and black.
    np.testing.assert_allclose(decode(plain, LIMITS).pixels[8, 8], BLACK, atol=3)


def test_transparent_parts_become_white_and_half_transparent_ones_mix() -> None:
    rgba = np.zeros((3, 8, 4), np.uint8)
    rgba[0] = (255, 0, 0, 255)
    rgba[1] = (255, 0, 0, 0)
    rgba[2] = (255, 0, 0, 128)
    for format in ("PNG", "TIFF"):
        pixels = decode(saved(rgba, format), LIMITS).pixels
        np.testing.assert_allclose(pixels[:, 3], [RED, WHITE, (255, 127, 127)], atol=1)


def test_grey_with_alpha() -> None:
    data = saved(Pillow.fromarray(np.array([[[0, 255], [0, 0], [0, 128]]], np.uint8)), "PNG")
    np.testing.assert_allclose(decode(data, LIMITS).pixels[0, :, 0], [0, 255, 127], atol=1)


def test_palette_with_transparency() -> None:
    palette = Pillow.new("P", (8, 8), 1)
    palette.putpalette([*RED, *BLUE])
    palette.paste(0, (0, 0, 4, 8))
    for options in ({"transparency": 0}, {"transparency": b"\0\xff"}):
        pixels = decode(saved(palette, "PNG", **options), LIMITS).pixels
        assert tuple(pixels[4, 1]) == WHITE
        assert tuple(pixels[4, 6]) == BLUE
    assert tuple(decode(saved(palette, "GIF", transparency=0), LIMITS).pixels[4, 1]) == WHITE


def test_colour_key_of_a_png() -> None:
    data = saved(quarters(), "PNG", transparency=RED)
    assert corner_colours(decode(data, LIMITS)) == [WHITE, GREEN, BLUE, WHITE]


def test_bitmap_whose_alpha_is_padding_is_opaque() -> None:
    header = struct.pack("<IiiHHIIiiII", 124, 2, 2, 1, 32, 3, 16, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    header += masks + b"\0" * (124 - len(header) - len(masks))
    body = b"\0\0\xff\0" * 4
    data = b"BM" + struct.pack("<IHHI", 14 + 124 + 16, 0, 0, 14 + 124) + header + body
    assert (decode(data, LIMITS).pixels == RED).all()


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    samples = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    expected = np.arange(256).reshape(16, 16)
    for data in (
        saved(Pillow.fromarray(samples), "PNG"),
        saved(Pillow.fromarray(samples), "TIFF"),
        as_tiff(samples),
        as_tiff(samples, byteorder=">"),
        as_tiff(samples, compression="zlib"),
        as_tiff(np.stack([samples] * 3, axis=-1), photometric="rgb"),
    ):
        pixels = decode(data, LIMITS).pixels
        for channel in range(3):
            np.testing.assert_allclose(pixels[..., channel], expected, atol=1)


def test_sixteen_bits_whose_zero_is_white() -> None:
    samples = np.array([[0, 65535]], np.uint16)
    pixels = decode(as_tiff(samples, photometric="miniswhite"), LIMITS).pixels
    assert pixels[0, :, 0].tolist() == [255, 0]


def test_eight_bit_samples_in_a_sixteen_bit_file_are_not_black() -> None:
    samples = np.array([[0, 100, 255]], np.uint16)
    assert decode(as_tiff(samples), LIMITS).pixels[0, :, 1].tolist() == [0, 100, 255]


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([0.0, 32768.0, 65535.0], [0, 128, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([0.0, 5e8, 1e9], [0, 128, 255]),
        ([np.nan, 0.5, 1.0], [0, 128, 255]),
        ([7e30, 7e30, 7e30], [0, 0, 0]),
        ([-np.inf, 0.5, np.inf], [0, 128, 255]),
        ([-3e38, 0.0, 3e38], [0, 128, 255]),
        ([np.nan, np.inf, -np.inf], [0, 255, 0]),
    ],
)
def test_floating_point_tiff(samples: list[float], expected: list[int]) -> None:
    pixels = decode(as_tiff(np.array([samples], np.float32)), LIMITS).pixels
    np.testing.assert_allclose(pixels[0, :, 0], expected, atol=1)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32])
def test_wide_integer_tiff(dtype: type) -> None:
    pixels = decode(as_tiff(np.array([[0, 100, 255]], dtype)), LIMITS).pixels
    assert pixels[0, :, 2].tolist() == [0, 100, 255]


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "tiff_lzw"},
        {"compression": "tiff_deflate"},
        {"compression": "jpeg", "quality": 95},
        {"compression": "packbits"},
    ],
)
def test_compressed_tiff(options: dict[str, object]) -> None:
    picture = decode(saved(quarters(), "TIFF", **options), LIMITS)
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    "options",
    [{"tile": (16, 16)}, {"planarconfig": "separate"}, {"bigtiff": True}, {"rowsperstrip": 5}],
)
def test_tiff_layouts(options: dict[str, object]) -> None:
    samples = quarters()
    if "planarconfig" in options:
        samples = np.moveaxis(samples, -1, 0)
    picture = decode(as_tiff(samples, photometric="rgb", **options), LIMITS)
    np.testing.assert_array_equal(picture.pixels, quarters())


def test_icc_profile_is_ignored() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture = decode(saved(quarters(), "PNG", icc_profile=profile), LIMITS)
    np.testing.assert_array_equal(picture.pixels, quarters())


# -- orientation


# Where the stored corners (top left, top right, bottom left, bottom right) go; EXIF 2.32, 4.6.4.
UPRIGHT: dict[int, Callable[[Image], Image]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


def exif(orientation: int) -> bytes:
    made = Pillow.Exif()
    made[0x0112] = orientation
    return made.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied(format: str, orientation: int) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    picture = decode(saved(quarters(), format, exif=exif(orientation), **options), LIMITS)
    assert_promises(picture)
    assert picture.orientation == orientation
    expected = UPRIGHT[orientation](quarters())
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels.astype(int) - expected).mean() < 8


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_out_of_range_is_ignored(orientation: int) -> None:
    picture = decode(saved(quarters(), "JPEG", exif=exif(orientation)), LIMITS)
    assert picture.orientation == 1
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    "malformed",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0XX*\0\x08\0\0\0\x01\0",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"\x12\x01\x03\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x112, 2, 9, 6) + b"\0" * 4,
        b"Exif\0\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0x112, 3, 0, 6) + b"\0" * 4,
        b"Exif\0\0II+\0\x08\0\0\0" + b"\xff" * 8,
    ],
)
def test_malformed_exif_is_ignored(malformed: bytes) -> None:
    for format in ("JPEG", "PNG"):
        picture = decode(saved(quarters(), format, exif=malformed), LIMITS)
        assert picture.orientation == 1
        assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


# -- frames


def test_first_frame_is_decoded_and_the_others_are_counted() -> None:
    frames = [Pillow.new("RGB", (16, 16), c) for c in (RED, GREEN, BLUE)]
    for format in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format == "WEBP" else {}
        data = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
        picture = decode(data, LIMITS)
        assert picture.frames == 3, format
        assert tuple(picture.pixels[8, 8]) == RED, format


def test_a_phones_multi_picture_jpeg_is_a_jpeg() -> None:
    data = saved(quarters(), "MPO", save_all=True, append_images=[Pillow.new("RGB", (4, 4))])
    picture = decode(data, LIMITS)
    assert picture.format == "JPEG"
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


# -- limits


def test_bytes_are_limited() -> None:
    data = saved(quarters(), "PNG")
    assert decode(data, Limits(len(data), 10_000)).width == 48
    with pytest.raises(PictureTooLarge, match="bytes"):
        decode(data, Limits(len(data) - 1, 10_000))


@pytest.mark.parametrize("format", FORMATS)
def test_pixels_are_limited(format: str) -> None:
    data = saved(quarters(), format)
    assert decode(data, Limits(10_000, 48 * 32)).height == 32
    with pytest.raises(PictureTooLarge, match="48 x 32"):
        decode(data, Limits(10_000, 48 * 32 - 1))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def png_with(*chunks: bytes) -> bytes:
    plain = saved(quarters(), "PNG")
    return plain[:33] + b"".join(chunks) + plain[33:]


def jpeg_declaring(width: int, height: int) -> bytes:
    data = bytearray(saved(quarters(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_canvas(width: int, height: int) -> bytes:
    body = b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return (
        b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8X" + struct.pack("<I", 10) + body + b"\0" * 90
    )


def webp_lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    body = b"\x2f" + struct.pack("<I", bits) + b"\0" * 90
    return b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def webp_lossy(width: int, height: int) -> bytes:
    body = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 90
    return b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8 " + struct.pack("<I", len(body)) + body


def gif_declaring(width: int, height: int) -> bytes:
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0, 0, 0)
        + (b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x01\0\0\x3b")
    )


def tiff_declaring(width: int, height: int, *more: tuple[int, int, int]) -> bytes:
    """One byte a pixel; ``more`` are further entries (tag, count, value) of 32-bit integers."""
    tags = {256: (1, width), 257: (1, height), 258: (1, 8), 262: (1, 1), 273: (1, 8), 279: (1, 64)}
    tags |= {tag: (count, value) for tag, count, value in more}
    body = b"".join(struct.pack("<HHII", tag, 4, *tags[tag]) for tag in sorted(tags))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + body + b"\0" * 512


@pytest.mark.parametrize(
    "bomb",
    [
        jpeg_declaring(65_500, 65_500),
        png_with()[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + png_with()[24:],
        webp_canvas(16_384, 16_384),
        webp_canvas(2**24, 256),
        webp_lossless(16_384, 16_384),
        webp_lossy(16_383, 16_383),
        gif_declaring(65_535, 65_535),
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 0, 0, 0, 54, 40, 2**31 - 1, 2**30, 1, 24, *[0] * 6),
        tiff_declaring(2**31, 2**31),
        tiff_declaring(1_000_000, 51),
        tiff_declaring(64, 64, (322, 1, 2**20), (323, 1, 2**20), (324, 1, 8), (325, 1, 8)),
        saved(Pillow.new("1", (MAX_SIDE + 1, 1)), "PNG"),
    ],
    ids=lambda data: f"{data[:4]!r} {len(data)} B",
)
def test_declared_size_is_refused_before_memory_is_taken(bomb: bytes) -> None:
    import tracemalloc

    tracemalloc.start()
    try:
        # Damage in the header may be found before its size; nothing may be allocated either way.
        with pytest.raises((PictureTooLarge, PictureCorrupt)):
            decode(bomb, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "bomb",
    [
        png_with(png_chunk(b"iCCP", b"x\0\0" + zlib.compress(b"a" * 50_000_000, 9))),
        png_with(png_chunk(b"zTXt", b"x\0\0" + zlib.compress(b"a" * 50_000_000, 9))),
        png_with(
            *(
                png_chunk(b"zTXt", b"k%d\0\0" % i + zlib.compress(b"a" * 1_000_000))
                for i in range(80)
            )
        ),
    ],
    ids=["iCCP", "zTXt", "many zTXt"],
)
def test_compressed_text_in_a_png_is_limited(bomb: bytes) -> None:
    with pytest.raises(PictureCorrupt, match=r"large|memory"):
        decode(bomb, LIMITS)


def test_a_tiff_with_far_more_strips_than_rows_is_refused() -> None:
    # Each strip would be decoded again over the same rows.
    flood = tiff_declaring(7000, 7000, (273, 100_000, 200), (278, 1, 6999)) + b"\0" * 400_000
    with pytest.raises(PictureCorrupt, match="strips"):
        decode(flood, LIMITS)


def test_a_jpeg_of_hundreds_of_scans_is_refused() -> None:
    data = saved(Pillow.new("L", (64, 64)), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    assert decode(data[:-2] + last * 10 + b"\xff\xd9", LIMITS).width == 64
    with pytest.raises(PictureCorrupt, match="scans"):
        decode(data[:-2] + last * 300 + b"\xff\xd9", LIMITS)


@pytest.mark.parametrize("fill", [b"", b"\xff\xff"], ids=["plain", "filled"])
@pytest.mark.parametrize("sequential", [0xC0, 0xC1], ids=["baseline", "extended"])
def test_a_sequential_jpeg_of_hundreds_of_scans_is_refused(sequential: int, fill: bytes) -> None:
    # One component a scan, each of which may come any number of times.
    grey = saved(quarters()[..., 0], "JPEG", quality=90)
    frame, scan = grey.index(b"\xff\xc0"), grey.index(b"\xff\xda")
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    head = grey[frame + 4 : frame + 9] + b"\x03" + components
    header = b"\xff" + bytes([sequential]) + (2 + len(head)).to_bytes(2, "big") + head
    scans = [
        fill + b"\xff\xda\0\x08\x01" + bytes([number, 0, 0, 63, 0]) + grey[scan + 10 : -2]
        for number in (1, 2, 3)
    ]
    front = grey[:frame] + header + grey[frame + 13 : scan]
    assert decode(front + b"".join(scans) + b"\xff\xd9", LIMITS).width == 48
    assert decode(front + b"".join(scans) + scans[2] * 10 + b"\xff\xd9", LIMITS).width == 48
    with pytest.raises(PictureCorrupt, match="scans"):
        decode(front + b"".join(scans) + scans[2] * 300 + b"\xff\xd9", LIMITS)


def test_a_jpeg_that_goes_on_after_a_scan_of_all_components_is_refused_for_that() -> None:
    data = saved(quarters(), "JPEG", quality=90)
    scan = data[data.index(b"\xff\xda") : -2]
    with pytest.raises(PictureCorrupt, match="damaged"):
        decode(data[:-2] + scan + b"\xff\xd9", LIMITS)
    with pytest.raises(PictureCorrupt, match="damaged"):
        decode(data[:-2] + scan * 300 + b"\xff\xd9", LIMITS)


def test_declared_animation_that_cannot_be_there_is_not_believed() -> None:
    data = png_with(png_chunk(b"acTL", struct.pack(">II", 2**30, 0)))
    assert decode(data, LIMITS).frames == 1


# -- damage


@pytest.mark.parametrize("format", FORMATS)
def test_cut_off_anywhere_is_never_taken_for_whole(format: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
    data = saved(noise, format)
    for length in (*range(1, 60), *range(60, int(len(data) * 0.97), 97)):
        with pytest.raises((PictureCorrupt, FormatUnsupported, PictureTooLarge)) as raised:
            decode(data[:length], LIMITS)
        assert raised.value.detail


def test_a_jpeg_cut_off_and_closed_is_cut_off() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    data = saved(noise, "JPEG")
    with pytest.raises(PictureCorrupt, match="cut off"):
        decode(data[: len(data) // 2] + b"\xff\xd9", LIMITS)


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_behind_the_picture_are_ignored(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    data = saved(quarters(), format, **options)
    picture = decode(data + b"PK\3\4 and <script> after it" * 50, LIMITS)
    assert picture.format == format
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


def test_stray_bytes_inside_a_jpeg_that_every_viewer_shows() -> None:
    data = saved(quarters(), "JPEG")
    picture = decode(data[:-2] + b"\0" * 20 + data[-2:], LIMITS)
    assert corner_colours(picture) == [RED, GREEN, BLUE, WHITE]


# -- other formats


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\2\0", "MP4"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0", "QuickTime"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw"),
        (b"II*\0\x10\0\0\0CR\2\0" + b"\0" * 99, "raw"),
        (b"%PDF-1.7\n", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"8BPS\0\1" + b"\0" * 30, "Photoshop"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg/>", "SVG"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b"<!DOCTYPE html><p>404", "HTML"),
        (b"\0\0\1\0\1\0\x10\x10", "icon"),
        (b"\xff\x0a\x00", "JPEG XL"),
        (b"\xff\x4f\xff\x51\0", "JPEG 2000"),
        (b"P6\n2 2\n255\n" + b"\0" * 12, "Netpbm"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
        (b"\x1a\x45\xdf\xa3\0", "Matroska"),
        (b"PK\3\4\0", "ZIP"),
        (b"data:image/png;base64,iVBORw0KGgo=", "data URI"),
        (b"/9j/4AAQSkZJRg==", "base64"),
        (b'{"image": ""}', "JSON"),
        (b"\0" * 100, "no picture"),
        (b"RIFF", "no picture"),
        (b"x", "no picture"),
    ],
)
def test_other_formats_are_named_and_ours_listed(data: bytes, looks: str) -> None:
    with pytest.raises(FormatUnsupported, match=looks) as raised:
        decode(data, LIMITS)
    assert "JPEG, PNG, WEBP, BMP, TIFF, GIF" in raised.value.detail


@pytest.mark.parametrize(
    "data",
    [
        as_tiff(np.zeros((4, 4, 3), np.float32), photometric="rgb"),
        as_tiff(np.zeros((4, 4), np.float64)),
        as_tiff(np.zeros((4, 4, 20), np.uint8), photometric="minisblack", planarconfig="contig"),
        tiff_declaring(8, 8, (259, 1, 34_712)),
    ],
    ids=["float RGB", "double", "20 samples", "unknown compression"],
)
def test_varieties_that_are_not_read_say_so(data: bytes) -> None:
    with pytest.raises(FormatUnsupported, match="not read"):
        decode(data, LIMITS)


# -- around it


def test_pillows_warnings_stay_inside() -> None:
    odd = png_with(png_chunk(b"acTL", struct.pack(">II", 0, 0)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert corner_colours(decode(odd, LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_threads_get_the_same_pixels() -> None:
    pictures = [saved(np.roll(quarters(), i, axis=1), f) for i in range(6) for f in FORMATS]
    alone = [decode(data, LIMITS).pixels for data in pictures]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: decode(data, LIMITS).pixels, pictures * 4))
    for i, pixels in enumerate(together):
        np.testing.assert_array_equal(pixels, alone[i % len(alone)])


def test_media_types_and_extensions() -> None:
    assert media_type("JPEG") == "image/jpeg"
    assert {media_type(f) for f in FORMATS} == {
        f"image/{kind}" for kind in ("jpeg", "png", "webp", "bmp", "tiff", "gif")
    }
    assert media_type("?") == "application/octet-stream"
    assert [extension(f) for f in FORMATS] == ["jpg", "png", "webp", "bmp", "tif", "gif"]
    assert extension("../../etc") == "bin"


# -- told the size before the pixels


@pytest.mark.parametrize("format", FORMATS)
def test_the_size_is_told_once_and_before_decoding(format: str) -> None:
    told: list[tuple[int, int]] = []
    decode(saved(quarters(), format), LIMITS, lambda width, height: told.append((width, height)))
    assert told == [(48, 32)]


@pytest.mark.parametrize("format", FORMATS)
def test_whoever_is_told_the_size_may_refuse(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise QuotaExceeded("enough")

    for name in ("to_rgb", "decode_jpeg"):
        monkeypatch.setattr(
            f"visiongate.imaging.decoding.{name}", lambda *_: pytest.fail("decoded")
        )
    with pytest.raises(QuotaExceeded, match="enough"):
        decode(saved(quarters(), format), LIMITS, refuse)


def test_of_what_is_too_large_no_size_is_told() -> None:
    told: list[int] = []
    with pytest.raises(PictureTooLarge):
        decode(saved(quarters(), "PNG"), Limits(5000, 100), lambda *size: told.extend(size))
    assert told == []
