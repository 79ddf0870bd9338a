"""The values that travel: what they refuse, and the arithmetic of boxes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiongate.types import (
    Attribute,
    Box,
    Detection,
    DetectorInfo,
    DetectorReport,
    Picture,
    Report,
    User,
    best,
)

coordinates = st.floats(-1e4, 1e4, allow_nan=False)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x1, y1 = draw(coordinates), draw(coordinates)
    return Box(x1, y1, x1 + draw(st.floats(0.5, 1e4)), y1 + draw(st.floats(0.5, 1e4)))


def pixels(height: int = 4, width: int = 6) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "corners", [(1, 1, 1, 2), (1, 1, 2, 1), (2, 1, 1, 2), (0, 0, 0, 0), (0, 3, 5, 2)]
)
def test_a_box_has_an_inside(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="box is empty"):
        Box(*corners)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(4))
def test_a_box_has_finite_corners(value: float, place: int) -> None:
    corners = [0.0, 0.0, 1.0, 1.0]
    corners[place] = value
    with pytest.raises(ValueError, match="not finite"):
        Box(*corners)


def test_size_of_a_box() -> None:
    box = Box(1, 2, 4, 8)
    assert (box.width, box.height, box.area) == (3, 6, 18)


@given(boxes())
def test_whole_pixels_never_make_an_empty_box(box: Box) -> None:
    x1, y1, x2, y2 = box.as_pixels()
    assert x1 < x2
    assert y1 < y2
    assert abs(x1 - box.x1) <= 0.5
    assert abs(y1 - box.y1) <= 0.5


@given(boxes(), st.integers(1, 5000), st.integers(1, 5000))
def test_a_clipped_box_lies_in_box_and_picture(box: Box, width: int, height: int) -> None:
    part = box.clipped(width, height)
    if part is None:
        shown_width = min(box.x2, width) - max(box.x1, 0)
        shown_height = min(box.y2, height) - max(box.y1, 0)
        assert min(shown_width, shown_height) < 1
    else:
        assert max(box.x1, 0) == part.x1
        assert max(box.y1, 0) == part.y1
        assert min(box.x2, width) == part.x2
        assert min(box.y2, height) == part.y2


@pytest.mark.parametrize("corners", [(-9, 0, -1, 5), (20, 0, 30, 5), (0, 9.5, 5, 30)])
def test_a_box_outside_clips_to_nothing(corners: tuple[float, float, float, float]) -> None:
    assert Box(*corners).clipped(10, 10) is None


def test_iou_of_known_boxes() -> None:
    box = Box(0, 0, 10, 10)
    assert box.iou(box) == 1.0
    assert box.iou(Box(5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert box.iou(Box(10, 0, 20, 10)) == 0.0
    assert box.iou(Box(2, 2, 4, 4)) == pytest.approx(0.04)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_a_share(one: Box, other: Box) -> None:
    assert 0.0 <= one.iou(other) <= 1.0
    assert one.iou(other) == pytest.approx(other.iou(one))


@pytest.mark.parametrize("confidence", [-0.01, 1.01, math.nan])
def test_confidence_lies_between_0_and_1(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence must lie in"):
        Detection("face", confidence, Box(0, 0, 1, 1))
    with pytest.raises(ValueError, match="confidence must lie in"):
        Attribute("male", confidence)


def test_a_detection_needs_a_label() -> None:
    with pytest.raises(ValueError, match="needs a label"):
        Detection("", 0.5, Box(0, 0, 1, 1))


@pytest.mark.parametrize("name", ["Face", "face detector", "", "2faces", "../face", "face-2"])
def test_a_detector_s_name_is_an_identifier(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case identifier"):
        DetectorInfo(name, "detection", ("face",))


def test_a_detector_of_faces_states_its_crop() -> None:
    with pytest.raises(ValueError, match="must state crop_size"):
        DetectorInfo("gender", "attribute", ("male", "female"), needs="faces")


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 6), np.uint8),
        np.zeros((4, 6, 4), np.uint8),
        np.zeros((4, 6, 3), np.float32),
        np.zeros((1, 4, 6, 3), np.uint8),
    ],
)
def test_a_picture_s_pixels_have_one_shape(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"uint8 of shape \(H, W, 3\), got") as caught:
        Picture(array, "PNG")
    assert str(array.shape) in str(caught.value)


def test_a_picture_knows_its_size() -> None:
    picture = Picture(pixels(height=4, width=6), "PNG")
    assert (picture.width, picture.height) == (6, 4)


def test_a_report_gathers_the_detections_in_order() -> None:
    face, person = (Detection(name, 0.5, Box(0, 0, 1, 1)) for name in ("face", "person"))
    report = Report(
        Picture(pixels(), "PNG"),
        (
            DetectorReport("face", None, "CPU", 1.0, (face,)),
            DetectorReport("object", None, "CPU", 1.0, (person,)),
        ),
    )
    assert report.detections == (face, person)


def test_best_is_the_most_confident() -> None:
    low, high = (Detection("face", confidence, Box(0, 0, 1, 1)) for confidence in (0.2, 0.9))
    assert best([low, high]) is high
    assert best([]) is None


def test_a_user_may_use_all_some_or_none() -> None:
    assert User("ann", "hash").may_use("face")
    assert User("ann", "hash", detectors=frozenset({"face"})).may_use("face")
    assert not User("ann", "hash", detectors=frozenset({"face"})).may_use("object")
    assert not User("ann", "hash", detectors=frozenset()).may_use("face")


def test_a_user_s_hash_is_not_shown() -> None:
    assert "secret-hash" not in repr(User("ann", "secret-hash"))


def test_every_value_is_frozen() -> None:
    values: list[object] = [
        Box(0, 0, 1, 1),
        Attribute("male", 0.5),
        Detection("face", 0.5, Box(0, 0, 1, 1)),
        Picture(pixels(), "PNG"),
        User("ann", "hash"),
    ]
    for value in values:
        assert dataclasses.is_dataclass(value)
        first = dataclasses.fields(value)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, first, None)
