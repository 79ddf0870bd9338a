"""One crop for training and serving: the same face, whatever the path, the size and the place."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from visiongate.face_crop import SSD, TEMPLATE, WHOLE, YUNET, Framing, crop_face, face_square

Pixels = NDArray[np.uint8]


def _face(size: int = 240) -> Pixels:
    """Draw a face of smooth shapes, its landmarks at the template's places, colours by side."""
    picture = np.full((size, size, 3), (40, 90, 140), np.uint8)
    cv2.ellipse(
        picture, (size // 2, size // 2), (size // 3, size // 2), 0, 0, 360, (200, 150, 120), -1
    )
    for (x, y), colour in zip(
        TEMPLATE, ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)), strict=True
    ):
        cv2.circle(picture, (round(x * size), round(y * size)), size // 12, colour, -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), size / 80), np.uint8)


def _landmarks(size: float, left: float = 0.0, top: float = 0.0) -> list[tuple[float, float]]:
    return [(left + x * size, top + y * size) for x, y in TEMPLATE]


def _difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_a_whole_portrait_at_its_own_size_is_left_as_it_is() -> None:
    picture = _face(112)
    assert np.array_equal(crop_face(picture, (0, 0, 112, 112), None, 112, WHOLE), picture)


def test_landmarks_in_their_places_cut_what_the_box_cuts() -> None:
    picture = _face()
    box = (0.0, 0.0, 240.0, 240.0)
    by_box = crop_face(picture, box, None, 112, WHOLE)
    by_landmarks = crop_face(picture, box, _landmarks(240), 112, WHOLE)
    assert _difference(by_box, by_landmarks) < 0.5


@pytest.mark.parametrize("degrees", [-40, -15, 10, 90])
def test_a_turned_face_comes_out_upright(degrees: float) -> None:
    face = _face()
    canvas = np.full((600, 600, 3), (40, 90, 140), np.uint8)
    canvas[180:420, 180:420] = face
    turn = cv2.getRotationMatrix2D((299.5, 299.5), degrees, 1.0)
    turned = np.asarray(
        cv2.warpAffine(canvas, turn, (600, 600), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    points = [
        (float(x), float(y))
        for x, y in np.array(_landmarks(240, 180, 180)) @ turn[:, :2].T + turn[:, 2]
    ]
    upright = crop_face(canvas, (180, 180, 420, 420), _landmarks(240, 180, 180), 112, WHOLE)
    assert _difference(crop_face(turned, (180, 180, 420, 420), points, 112, WHOLE), upright) < 3


@pytest.mark.parametrize("scale", [0.5, 2, 3.3, 8])
def test_the_same_face_in_a_photo_of_another_size_gives_the_same_crop(scale: float) -> None:
    small = _face(160)
    size = round(160 * scale)
    large = np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC), np.uint8)
    for landmarks in (False, True):
        one = crop_face(small, (0, 0, 160, 160), _landmarks(160) if landmarks else None, 96, WHOLE)
        two = crop_face(
            large, (0, 0, size, size), _landmarks(size) if landmarks else None, 96, WHOLE
        )
        assert _difference(one, two) < 2


def test_a_large_face_is_averaged_not_sampled() -> None:
    stripes = np.zeros((1600, 1600, 3), np.uint8)
    stripes[:, ::2] = 255
    for landmarks in (None, _landmarks(1600)):
        crop = crop_face(stripes, (0, 0, 1600, 1600), landmarks, 100, WHOLE)
        assert abs(crop.astype(int) - 127).max() <= 24


def test_serving_cuts_a_face_from_a_photo_as_training_cuts_it_from_its_own_file() -> None:
    """The training files are the framed square at 160 pixels; serving sees the whole photo."""
    photo = np.full((700, 900, 3), (40, 90, 140), np.uint8)
    photo[150:550, 300:700] = _face(400)
    width = 400 / YUNET.width
    top = 350 - YUNET.down * 400 - width / 2
    box = (500 - width / 2, top, 500 + width / 2, top + width)
    left, upper, side = face_square(box)
    assert (left, upper, side) == pytest.approx((300, 150, 400))
    stored = np.asarray(
        cv2.resize(photo[150:550, 300:700], (160, 160), interpolation=cv2.INTER_AREA), np.uint8
    )
    for aligned in (True, False):
        serving = crop_face(photo, box, _landmarks(400, 300, 150) if aligned else None, 112)
        training = crop_face(
            stored, (0, 0, 160, 160), _landmarks(160) if aligned else None, 112, WHOLE
        )
        assert _difference(serving, training) < 2


def test_training_reads_its_pictures_through_this_very_function() -> None:
    augment = pytest.importorskip("training.augment")
    picture = _face(160)
    points = np.array(_landmarks(160), np.float32)
    face = augment.Face((0.0, 0.0, 160.0, 160.0), points)
    expected = crop_face(
        picture, (0, 0, 160, 160), [(float(x), float(y)) for x, y in points], 97, WHOLE
    )
    assert augment.crop_face is crop_face
    assert np.array_equal(augment.plain_crop(picture, face, 97), expected)


@pytest.mark.parametrize("framing", [YUNET, SSD, WHOLE])
@pytest.mark.parametrize("box", [(-50, -60, 40, 30), (190, 200, 300, 330), (-100, -100, 400, 400)])
def test_a_box_over_the_border_repeats_it(framing: Framing, box: tuple[float, ...]) -> None:
    x1, y1, x2, y2 = box
    crop = crop_face(_face(), (x1, y1, x2, y2), None, 64, framing)
    assert crop.shape == (64, 64, 3)
    corner = crop[-1, -1] if x1 > 0 else crop[0, 0]
    assert corner.tolist() == [40, 90, 140]


@pytest.mark.parametrize(
    "box",
    [
        (10, 10, 10, 50),
        (50, 10, 10, 50),
        (10, 10, 50, math.nan),
        (0, 0, math.inf, 9),
        (10, 50, 50, 10),
    ],
)
def test_an_empty_box_is_an_error(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="box"):
        crop_face(_face(), box)


def test_a_box_outside_the_picture_is_an_error() -> None:
    with pytest.raises(ValueError, match="outside the picture of 240x240"):
        crop_face(_face(), (1000, 1000, 1100, 1100))


@pytest.mark.parametrize(
    "picture",
    [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3), np.float32)],
)
def test_what_is_no_picture_is_an_error(picture: Pixels) -> None:
    with pytest.raises(ValueError, match="need a picture"):
        crop_face(picture, (0, 0, 5, 5))


def test_wrong_sizes_are_errors() -> None:
    with pytest.raises(ValueError, match="at least 1 pixel"):
        crop_face(_face(), (0, 0, 5, 5), size=0)
    with pytest.raises(ValueError, match="5 landmarks"):
        crop_face(_face(), (0, 0, 50, 50), [(1.0, 2.0)])
    with pytest.raises(ValueError, match="has a side"):
        Framing(0, 0, 0)


@pytest.mark.parametrize("point", [(math.nan, 0.0), (20.0, 20.0)])
def test_landmarks_that_fit_no_face_are_ignored(point: tuple[float, float]) -> None:
    picture = _face()
    expected = crop_face(picture, (20, 20, 200, 200))
    assert np.array_equal(crop_face(picture, (20, 20, 200, 200), [point] * 5), expected)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.floats(-300, 300)] * 2),
    st.tuples(*[st.floats(0.5, 500)] * 2),
    st.integers(1, 130),
)
def test_every_box_gives_a_crop_or_says_why(
    corner: tuple[float, float], extent: tuple[float, float], size: int
) -> None:
    x, y = corner
    try:
        crop = crop_face(_face(120), (x, y, x + extent[0], y + extent[1]), None, size)
    except ValueError as error:
        assert "outside the picture" in str(error)  # noqa: PT017
    else:
        assert crop.shape == (size, size, 3)


def test_real_faces_are_framed_alike_with_and_without_landmarks(
    photos: Path, weights: Path
) -> None:
    """On real photos with YuNet: the landmarks' square lies on the box's, eyes at their place."""
    model = weights / "face_detection_yunet_2026may.onnx"
    for name in ("astronaut.png", "hopper_128.jpg", "man_obama.jpg"):
        bgr = cv2.imread(str(photos / name))
        assert bgr is not None
        detector = cv2.FaceDetectorYN.create(str(model), "", (bgr.shape[1], bgr.shape[0]), 0.7)
        row = detector.detect(bgr)[1][0]
        x, y, width, height = (float(value) for value in row[:4])
        image = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        points = [(float(a), float(b)) for a, b in row[4:14].reshape(5, 2)]
        box = (x, y, x + width, y + height)
        aligned, plain = crop_face(image, box, points), crop_face(image, box)
        assert aligned.shape == plain.shape == (112, 112, 3)
        left, top, side = face_square(box)
        middle = np.mean(points[:2], axis=0)
        assert (middle[0] - left) / side == pytest.approx(0.5, abs=0.08)
        assert (middle[1] - top) / side == pytest.approx(TEMPLATE[0][1], abs=0.08)
