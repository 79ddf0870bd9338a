"""What is drawn is there, in its place, readable, and never breaks the answer."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow

from visiongate.annotate import draw, encode_jpeg, encode_png, label_colour
from visiongate.imaging import Limits, decode
from visiongate.regions import Region
from visiongate.types import Attribute, Box, Detection, Image

GREY = 128


def plain(width: int, height: int) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def face(*box: float, label: str = "face", confidence: float = 0.995, **more: object) -> Detection:
    return Detection(label, confidence, Box(*box), **more)  # type: ignore[arg-type]


def changed(drawn: Image) -> np.ndarray:
    return (drawn != GREY).any(axis=2)


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def pixels_of(drawn: Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (drawn == np.array(colour, np.uint8)).all(axis=2)


def test_draws_on_a_copy() -> None:
    image = plain(200, 100)
    image.setflags(write=False)
    drawn = draw(image, [face(50, 30, 120, 90)])
    assert (image == GREY).all()
    assert (drawn != GREY).any()
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert drawn.flags.c_contiguous
    assert drawn.flags.writeable


def test_nothing_found_nothing_drawn() -> None:
    np.testing.assert_array_equal(draw(plain(64, 48), []), plain(64, 48))


@pytest.mark.parametrize("side", [128, 512, 3000])
def test_frame_lies_on_the_box(side: int) -> None:
    box = tuple(side * share for share in (0.25, 0.4, 0.75, 0.9))
    drawn = draw(plain(side, side), [face(*box)])
    line = pixels_of(drawn, label_colour("face"))
    x1, y1, x2, y2 = (round(v) for v in box)
    middle_x, middle_y = (x1 + x2) // 2, (y1 + y2) // 2
    for x, y in ((x1, middle_y), (x2 - 1, middle_y), (middle_x, y2 - 1)):
        assert line[y, x], (x, y)
    inside = np.s_[y1 + side // 20 : y2 - side // 20, x1 + side // 20 : x2 - side // 20]
    assert not changed(drawn)[inside].any()


@pytest.mark.parametrize("side", [128, 512, 2048, 6000])
def test_text_is_readable_at_every_size(side: int) -> None:
    tall = side // 2  # half as high as wide, which halves the work
    drawn = draw(plain(side, tall), [face(side * 0.3, tall * 0.5, side * 0.7, tall * 0.9)])
    above = drawn[: round(tall * 0.5) - max(3, side // 200)]
    _, top, _, bottom = extent(changed(above))
    height = bottom - top
    assert height >= 10
    assert side * 0.01 <= height <= max(side * 0.045, 16)
    ground, ink = pixels_of(above, label_colour("face")), changed(above) & (above < 120).all(axis=2)
    assert ground.sum() > ink.sum() > 0.04 * ground.sum()


def test_labels_stay_inside_the_picture() -> None:
    words = {"gender": Attribute("female", 0.97), "ethnicity": Attribute("Others", 0.5)}
    image = plain(300, 200)
    for box in ((0, 0, 40, 40), (260, 0, 300, 40), (0, 160, 40, 200), (260, 160, 300, 200)):
        alone = draw(image, [face(*box, attributes=words)])
        ground = pixels_of(alone, label_colour("face"))
        assert ground.sum() > 800, "the tag is there as a whole"


def test_each_attribute_has_its_line() -> None:
    def height(count: int) -> int:
        words = {str(i): Attribute("man", 0.95) for i in range(count)}
        drawn = draw(plain(600, 600), [face(200, 300, 400, 500, attributes=words)])
        _, top, _, bottom = extent(changed(drawn[:298]))
        return bottom - top

    one, two, three = height(0), height(1), height(2)
    assert one < two < three
    assert three - two == two - one


def test_the_words_depend_on_what_was_found() -> None:
    def tag(label: str, confidence: float) -> Image:
        return draw(plain(300, 200), [face(50, 90, 250, 190, label=label, confidence=confidence)])

    assert (tag("face", 0.99) != tag("face", 0.98)).any()
    assert (tag("cat", 0.99) != tag("car", 0.99)).any()
    # To the nearest tenth of a percent, as in the playground.
    assert (tag("face", 0.996) != tag("face", 0.99)).any()
    assert (tag("face", 0.999) != tag("face", 1.0)).any()
    np.testing.assert_array_equal(tag("face", 0.9958), tag("face", 0.996))
    np.testing.assert_array_equal(tag("face", 0.9962), tag("face", 0.996))
    np.testing.assert_array_equal(tag("face", 0.9996), tag("face", 1.0))


def test_whole_picture_detections_are_listed_in_the_corner() -> None:
    found = [face(0, 0, 640, 480, label=name, confidence=0.3) for name in ("cat", "dog", "owl")]
    drawn = draw(plain(640, 480), found)
    x1, y1, x2, y2 = extent(changed(drawn))
    assert (x1, y1) == (0, 0)
    assert 40 < x2 < 320
    assert 30 < y2 < 160
    longer = draw(plain(640, 480), found * 2)
    assert extent(changed(longer))[3] > y2


def test_a_list_longer_than_the_picture_is_cut() -> None:
    found = [face(0, 0, 400, 100, label=f"label {i}") for i in range(50)]
    drawn = draw(plain(400, 100), found)
    assert extent(changed(drawn))[3] <= 100
    assert not changed(drawn)[:, 200:].any()


def test_tags_make_room_for_each_other() -> None:
    one, other = face(100, 100, 200, 200), face(100, 104, 200, 204)
    tags = [
        pixels_of(draw(plain(400, 400), chosen), label_colour("face")).sum()
        for chosen in ([one], [one, other])
    ]
    assert tags[1] > 1.5 * tags[0]


@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, 20, 20),
        (80, 80, 500, 500),
        (-1e9, 40, 1e9, 60),
        (10, 10, 10.4, 10.4),
        (99.5, 99.5, 100, 100),
        (500, 500, 600, 600),
        (0.2, 0.2, 99.9, 99.9),
    ],
)
def test_boxes_that_reach_out_or_are_tiny(box: tuple[float, float, float, float]) -> None:
    assert draw(plain(100, 100), [face(*box)]).shape == (100, 100, 3)


def test_a_box_wholly_outside_draws_nothing() -> None:
    drawn = draw(plain(100, 100), [face(500, 500, 600, 600)])
    np.testing.assert_array_equal(drawn, plain(100, 100))


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (2, 3), (24, 24), (1, 500), (500, 1), (3000, 8)]
)
def test_pictures_too_small_for_words(width: int, height: int) -> None:
    found = [face(0, 0, width, height), face(0, 0, max(1, width * 0.9), max(1, height * 0.9))]
    assert draw(plain(width, height), found).shape == (height, width, 3)


@pytest.mark.parametrize(
    "label",
    ["собака", "犬", "كلب", "😀", "a\nb\tc", "\0", "\ud800", "x" * 10_000, "e\u0301" * 40, " "],
)
def test_any_label_draws(label: str) -> None:
    found = [face(20, 50, 120, 140, label=label), face(0, 0, 200, 150, label=label)]
    drawn = draw(plain(200, 150), found)
    assert (drawn != GREY).any()


def test_landmarks_are_dotted_where_they_are() -> None:
    spots = ((100.0, 100.0), (140.0, 100.0), (1e9, 5.0), (-3.0, 5.0))
    drawn = draw(plain(300, 300), [face(60, 60, 200, 200, landmarks=spots)])
    assert pixels_of(drawn, label_colour("face"))[100, [100, 140]].all()


def test_colours_are_stable_and_from_a_palette_for_everyone() -> None:
    okabe_ito = {
        (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66),
        (0, 114, 178), (213, 94, 0), (204, 121, 167),
    }  # fmt: skip
    labels = [f"label {i}" for i in range(200)]
    assert {label_colour(label) for label in labels} == okabe_ito
    assert label_colour("face") == (240, 228, 66)
    assert label_colour("person") != label_colour("face")


def test_threads_draw_the_same() -> None:
    found = [face(i * 30, 60, i * 30 + 25, 100, label=f"l{i}", confidence=i / 10) for i in range(9)]
    alone = draw(plain(320, 200), found)
    with ThreadPoolExecutor(8) as pool:
        for drawn in pool.map(lambda _: draw(plain(320, 200), found), range(40)):
            np.testing.assert_array_equal(drawn, alone)


def test_encoders_keep_the_colours() -> None:
    image = plain(64, 48)
    image[:, :32] = (200, 30, 60)
    limits = Limits(10**6, 10**6)
    np.testing.assert_array_equal(decode(encode_png(image), limits).pixels, image)
    jpeg = decode(encode_jpeg(image), limits)
    assert jpeg.format == "JPEG"
    np.testing.assert_allclose(jpeg.pixels[24, 10], (200, 30, 60), atol=4)
    assert len(encode_jpeg(image, quality=20)) < len(encode_jpeg(image, quality=95))


def test_encoders_take_views() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    view = image[5:30, ::2]
    back = np.asarray(Pillow.open(io.BytesIO(encode_png(view))))
    np.testing.assert_array_equal(back, view)
    assert Pillow.open(io.BytesIO(encode_jpeg(view))).size == (30, 25)


@pytest.mark.parametrize("side", [8, 100, 3000])
@pytest.mark.parametrize("ground", [0, GREY, 255])
def test_regions_are_seen_through_and_on_every_ground(side: int, ground: int) -> None:
    image = np.full((side, side, 3), ground, np.uint8)
    triangle = Region(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)))
    drawn = draw(image, [], [triangle])
    touched = (drawn != ground).any(axis=2)
    near = 3 + side // 100
    assert touched[:near, side // 4 :].any()
    assert touched[side // 4 :, :near].any()
    assert not touched[side - 1, side - 1]
    # What lies behind still decides: dark stays darker than bright.
    brighter = draw(np.full_like(image, min(ground + 60, 255)), [], [triangle])
    assert (brighter >= drawn).all()
    assert (image == ground).all()


def test_boxes_lie_on_top_of_regions() -> None:
    on_edge = face(100, 50, 300, 150)
    with_region = draw(plain(400, 200), [on_edge], [Region.rectangle(0.25, 0.25, 0.75, 0.75)])
    colour = label_colour("face")
    plainly = pixels_of(draw(plain(400, 200), [on_edge]), colour)
    assert plainly.any()
    np.testing.assert_array_equal(pixels_of(with_region, colour), plainly)
