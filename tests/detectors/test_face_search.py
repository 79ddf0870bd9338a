"""The search of large pictures, with a network whose finds are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detectors._search import LONGEST, Found, resized, search
from visiongate.types import Image


class Dots:
    """A network that takes each red square for a face, if it is not too small.

    It is the surer the larger, and of one that is cut off it sees what is left.
    """

    def __init__(self) -> None:
        self.shapes: list[tuple[int, int]] = []

    def __call__(self, image: Image, least: float) -> Found:
        assert max(image.shape[:2]) <= LONGEST
        self.shapes.append((image.shape[0], image.shape[1]))
        red = (image[:, :, 0] > 120).astype(np.uint8)
        _count, _labels, stats, _centres = cv2.connectedComponentsWithStats(red)
        corners = stats[1:, :2].astype(float)
        sides = stats[1:, 2:4].astype(float)
        scores = 0.81 + sides.max(axis=1, initial=0) / 5000
        points = np.repeat((corners + sides / 2)[:, None], 5, axis=1)
        found = Found(np.hstack([corners, corners + sides]), scores, points)
        return found.take((sides.max(axis=1, initial=0) >= 10) & (scores >= least))


def dot(picture: Image, x: int, y: int, size: int) -> None:
    half = size // 2
    picture[y - half : y + half, x - half : x + half, 0] = 255


def canvas(width: int, height: int) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def places(found: Found) -> list[tuple[int, int]]:
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    return sorted((round(x), round(y)) for x, y in middle.tolist())


def near(places: list[tuple[int, int]], expected: list[tuple[int, int]], within: int) -> bool:
    return len(places) == len(expected) and all(
        abs(x - a) <= within and abs(y - b) <= within
        for (x, y), (a, b) in zip(places, sorted(expected), strict=True)
    )


def test_a_small_picture_takes_one_look() -> None:
    look = Dots()
    picture = canvas(640, 400)
    dot(picture, 300, 200, 40)
    assert near(places(search(look, picture, 0.5, 2048)), [(300, 200)], 1)
    assert look.shapes == [(400, 640)]


def test_a_tiny_picture_is_enlarged() -> None:
    look = Dots()
    picture = canvas(32, 24)
    dot(picture, 10, 12, 8)
    found = search(look, picture, 0.5, 2048)
    assert look.shapes == [(240, 320)]
    assert near(places(found), [(10, 12)], 1)
    assert found.boxes[0] == pytest.approx([6, 8, 14, 16], abs=1)
    assert found.landmarks[0, 0] == pytest.approx([10, 12], abs=1)


@pytest.mark.parametrize("size", [20, 60, 90, 200, 700])
def test_each_face_of_a_large_picture_is_found_once_whatever_its_size_and_place(size: int) -> None:
    rng = np.random.default_rng(size)
    for width, height in ((2048, 922), (922, 2048), (1400, 1400), (2048, 300), (3000, 4000)):
        shrink = min(1.0, 2048 / max(width, height))
        if size > 0.4 * min(width, height):
            continue
        for _ in range(4):
            picture = canvas(width, height)
            margin = size // 2 + 2
            x = int(rng.integers(margin, width - margin))
            y = int(rng.integers(margin, height - margin))
            dot(picture, x, y, size)
            found = search(Dots(), picture, 0.5, 2048)
            assert near(places(found), [(x, y)], round(4 / shrink)), (width, height, x, y)
            assert found.boxes[0, 2] - found.boxes[0, 0] == pytest.approx(size, rel=0.3)


def test_faces_on_the_seams_of_tiles_are_found_once() -> None:
    expected = [(x, 400) for x in range(60, 2000, 70)]
    for shift in range(0, 70, 10):
        picture = canvas(2048, 900)
        for x, y in expected:
            dot(picture, x + shift, y, 30)
        found = search(Dots(), picture, 0.5, 2048)
        assert near(places(found), [(x + shift, y) for x, y in expected], 4)


def test_a_larger_picture_is_shrunk_to_the_side_that_is_searched() -> None:
    picture = canvas(4000, 1000)
    dot(picture, 2000, 500, 60)
    for side, tiles in ((1280, 0), (2048, 4), (4096, 16)):
        look = Dots()
        search(look, picture, 0.5, side)
        assert len(look.shapes) == 1 + tiles


class Unsure(Dots):
    """Is sure only of what is over 30 pixels large."""

    def __call__(self, image: Image, least: float) -> Found:
        found = super().__call__(image, 0.0)
        large = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1, initial=0) > 30
        scores = np.where(large, 0.9, 0.3)
        return Found(found.boxes, scores, found.landmarks).take(scores >= least)


def test_a_doubtful_small_face_gets_a_second_look_enlarged() -> None:
    picture = canvas(2048, 900)
    for x in (500, 540, 1500):
        dot(picture, x, 300, 20)
    look = Unsure()
    found = search(look, picture, 0.65, 2048)
    assert near(places(found), [(500, 300), (540, 300), (1500, 300)], 1)
    assert found.scores.tolist() == [0.9] * 3
    # Neighbours share a window: two windows for three faces.
    assert look.shapes.count((320, 320)) == 2


def test_what_the_second_look_sees_cut_off_does_not_count() -> None:
    picture = canvas(2048, 900)
    dot(picture, 500, 300, 20)
    # Reaches 16 pixels into the window around the other.
    dot(picture, 594, 300, 60)
    found = search(Unsure(), picture, 0.65, 2048)
    assert near(places(found), [(500, 300), (594, 300)], 1)


def test_where_nothing_is_there_is_no_second_look() -> None:
    look = Dots()
    assert len(search(look, canvas(2048, 922), 0.65, 2048).boxes) == 0
    assert len(look.shapes) == 1 + 8


def test_a_spot_within_a_large_face_is_no_face() -> None:
    class Freckled(Dots):
        """Sees one large face in the whole picture, and a small one in each tile and window."""

        def __call__(self, image: Image, least: float) -> Found:
            whole = not self.shapes
            self.shapes.append((image.shape[0], image.shape[1]))
            box = [20, 20, 600, 270] if whole else [300, 100, 330, 130]
            points = np.zeros((1, 5, 2))
            return Found(np.array([box], float), np.array([0.9]), points)

    found = search(Freckled(), canvas(2048, 922), 0.65, 2048)
    assert (found.boxes[:, 2] - found.boxes[:, 0]).tolist() == pytest.approx([580 * 3.2])


def test_a_picture_that_looks_like_faces_all_over_is_answered_soon() -> None:
    looks = 0

    def everywhere(image: Image, least: float) -> Found:
        nonlocal looks
        looks += 1
        low = np.random.default_rng(looks).uniform(0, 600, (8400, 2))
        boxes = np.hstack([low, low + 9.0])
        return Found(boxes, np.full(8400, 0.5), np.zeros((8400, 5, 2)))

    found = search(everywhere, canvas(2048, 2048), 0.0, 2048)
    assert 0 < len(found.boxes) <= 1000
    assert looks <= 1 + 16 + 48


def test_found_checks_that_its_parts_fit() -> None:
    with pytest.raises(ValueError, match="of one number, got 2, 1, 2"):
        Found(np.zeros((2, 4)), np.zeros(1), np.zeros((2, 5, 2)))


def test_resized_never_makes_an_empty_picture() -> None:
    assert resized(canvas(5000, 1), 0.1).shape == (1, 500, 3)
    picture = canvas(5, 5)
    assert resized(picture, 1.0) is picture
