"""Box arithmetic agrees with the one-box definitions in ``visiongate.types`` and a naive NMS."""

from __future__ import annotations

import numpy as np
import pytest

from visiongate import boxes as bx
from visiongate.types import Box


def random_boxes(count: int, seed: int = 0) -> bx.Boxes:
    rng = np.random.default_rng(seed)
    low = rng.uniform(-40, 90, (count, 2))
    return np.concatenate([low, low + rng.uniform(1, 60, (count, 2))], axis=1)


def naive_nms(boxes, scores, threshold, classes):  # type: ignore[no-untyped-def]
    """Compare every pair, one by one."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(
            classes[i] != classes[k] or Box(*boxes[i]).iou(Box(*boxes[k])) <= threshold
            for k in kept
        ):
            kept.append(i)
    return kept


def test_iou_equals_the_iou_of_single_boxes() -> None:
    a, b = random_boxes(30, 1), random_boxes(20, 2)
    expected = [[Box(*p).iou(Box(*q)) for q in b] for p in a]
    np.testing.assert_allclose(bx.iou(a, b), expected, atol=1e-12)


def test_boxes_without_area_overlap_nothing() -> None:
    flat = np.array([[5.0, 5, 5, 9], [9, 9, 5, 5]])
    assert not bx.iou(flat, flat).any()
    assert not bx.area(flat).any()


def test_clip_and_visible_equal_clipping_single_boxes() -> None:
    boxes = random_boxes(200, 3)
    clipped, seen = bx.clip(boxes, 64, 48), bx.visible(boxes, 64, 48)
    assert seen.any()
    assert not seen.all()
    for row, cut, keep in zip(boxes, clipped, seen, strict=True):
        expected = Box(*row).clipped(64, 48)
        assert keep == (expected is not None)
        if expected is not None:
            assert tuple(cut) == expected.as_tuple()


def test_a_box_with_a_coordinate_that_is_no_number_is_not_visible() -> None:
    boxes = np.array([[0.0, 0, np.nan, 9], [0, 0, 9, 9]])
    assert bx.visible(boxes, 64, 48).tolist() == [False, True]


def test_an_endless_box_is_cut_to_the_picture() -> None:
    boxes = np.array([[-np.inf, -np.inf, np.inf, np.inf]])
    assert bx.clip(boxes, 64, 48).tolist() == [[0, 0, 64, 48]]


def test_from_centre_gives_corners() -> None:
    boxes = bx.from_centre(np.array([[10.0, 20]]), np.array([[4.0, 6]]))
    assert boxes.tolist() == [[8, 17, 12, 23]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.7])
def test_nms_keeps_what_the_naive_way_keeps(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    boxes = random_boxes(150, seed)
    scores, classes = rng.random(150), rng.integers(0, 3, 150)
    kept = bx.nms(boxes, scores, threshold, classes=classes)
    assert kept.tolist() == naive_nms(boxes, scores, threshold, classes)
    one_class = bx.nms(boxes, scores, threshold)
    assert one_class.tolist() == naive_nms(boxes, scores, threshold, np.zeros(150))


def test_nms_prefers_the_earlier_of_equal_scores() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    assert bx.nms(boxes, np.array([0.5, 0.5, 0.5]), 0.5).tolist() == [0, 2]


def test_nms_stops_at_the_limit_with_the_best() -> None:
    boxes = np.array([[0.0, 0, 1, 1], [2, 2, 3, 3], [4, 4, 5, 5]])
    assert bx.nms(boxes, np.array([0.1, 0.9, 0.5]), 0.5, limit=2).tolist() == [1, 2]


def test_nms_of_nothing_is_nothing() -> None:
    assert bx.nms(np.zeros((0, 4)), np.zeros(0), 0.5).size == 0


@pytest.mark.parametrize(
    ("boxes", "scores", "classes"),
    [
        (np.zeros((2, 5)), np.zeros(2), None),
        (np.zeros((2, 4)), np.zeros(3), None),
        (np.zeros((2, 4)), np.zeros(2), np.zeros(1, dtype=int)),
        (np.zeros((2, 4)), np.array([0.5, np.nan]), None),
    ],
)
def test_nms_refuses_what_does_not_fit(boxes, scores, classes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"need|not a number"):
        bx.nms(boxes, scores, 0.5, classes=classes)
