"""How much of a box lies in a polygon, against other ways to tell; and which polygons are none."""

from __future__ import annotations

import math
from contextlib import nullcontext

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from visiongate.regions import MOST_POINTS, Region, share_inside

Points = list[tuple[float, float]]

shares = st.floats(0, 1)
# Coordinates on a coarse grid meet each other and the boxes' sides far more often than chance.
coarse = st.integers(0, 8).map(lambda i: i / 8)
coordinates = st.one_of(shares, coarse)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    (x1, x2), (y1, y2) = (sorted((draw(coordinates), draw(coordinates))) for _ in range(2))
    assume(x2 - x1 > 1e-3 and y2 - y1 > 1e-3)
    return x1, y1, x2, y2


@st.composite
def stars(draw: st.DrawFn) -> Points:
    """A polygon around a middle, seen from which its points come one after the other: simple."""
    count = draw(st.integers(3, 12))
    # No gap between neighbours reaches half a turn, or the middle would lie outside.
    steps = draw(st.lists(st.floats(1, 1.3), min_size=count, max_size=count))
    radii = draw(st.lists(st.floats(0.1, 0.5), min_size=count, max_size=count))
    angles = np.cumsum(steps) / sum(steps) * 2 * math.pi
    points = [
        (0.5 + r * math.cos(a), 0.5 + r * math.sin(a)) for a, r in zip(angles, radii, strict=True)
    ]
    return points if draw(st.booleans()) else points[::-1]


def share(box: tuple[float, ...], points: Points) -> float:
    return float(share_inside(np.array([box], float), np.array(points))[0])


def area(points: Points) -> float:
    following = points[1:] + points[:1]
    return abs(sum(x * b - a * y for (x, y), (a, b) in zip(points, following, strict=True))) / 2


def cut(points: Points, axis: int, at: float, sign: int) -> Points:
    """Cut off what lies beyond a line, as Sutherland and Hodgman do (1974)."""
    kept: Points = []
    for p, q in zip(points, points[1:] + points[:1], strict=True):
        p_in, q_in = (sign * (c[axis] - at) <= 0 for c in (p, q))
        if p_in:
            kept.append(p)
        if p_in != q_in:
            t = (at - p[axis]) / (q[axis] - p[axis])
            kept.append((p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1])))
    return kept


@given(boxes(), stars())
def test_equals_the_area_of_the_polygon_cut_at_the_boxs_sides(
    box: tuple[float, float, float, float], points: Points
) -> None:
    x1, y1, x2, y2 = box
    inside = points
    for axis, at, sign in ((0, x1, -1), (0, x2, 1), (1, y1, -1), (1, y2, 1)):
        inside = cut(inside, axis, at, sign)
    assert share(box, points) == pytest.approx(area(inside) / ((x2 - x1) * (y2 - y1)), abs=1e-9)


@given(boxes(), boxes())
def test_of_rectangles_it_is_the_overlap(
    box: tuple[float, float, float, float], region: tuple[float, float, float, float]
) -> None:
    width = min(box[2], region[2]) - max(box[0], region[0])
    height = min(box[3], region[3]) - max(box[1], region[1])
    overlap = max(width, 0) * max(height, 0)
    points = Region.rectangle(*region).points
    whole = (box[2] - box[0]) * (box[3] - box[1])
    assert share(box, list(points)) == pytest.approx(overlap / whole, abs=1e-9)


@given(boxes(), stars(), st.integers(0, 11))
def test_where_a_polygon_begins_and_which_way_it_goes_is_the_same(
    box: tuple[float, float, float, float], points: Points, first: int
) -> None:
    first %= len(points)
    turned = points[first:] + points[:first]
    assert share(box, turned[::-1]) == pytest.approx(share(box, points), abs=1e-9)


@given(boxes(), stars(), st.floats(0.01, 0.99))
def test_halves_of_a_box_add_up(
    box: tuple[float, float, float, float], points: Points, at: float
) -> None:
    x1, y1, x2, y2 = box
    middle = x1 + at * (x2 - x1)
    halves = at * share((x1, y1, middle, y2), points)
    halves += (1 - at) * share((middle, y1, x2, y2), points)
    assert halves == pytest.approx(share(box, points), abs=1e-9)


def test_a_concave_polygon_takes_nothing_of_what_lies_in_its_mouth() -> None:
    horseshoe = [(0.0, 0.0), (1, 0), (1, 1), (0.6, 1), (0.6, 0.4), (0.4, 0.4), (0.4, 1), (0, 1)]
    assert share((0.4, 0.4, 0.6, 1.0), horseshoe) == 0.0
    assert share((0.3, 0.5, 0.7, 0.9), horseshoe) == pytest.approx(0.5)
    region = Region(tuple(horseshoe))
    covers = Region(tuple(horseshoe), covers=True)
    in_mouth, across, in_arm = (0.4, 0.4, 0.6, 1.0), (0.3, 0.5, 0.7, 0.9), (0.0, 0.4, 0.4, 1.0)
    three = np.array([in_mouth, across, in_arm])
    assert region.takes(three).tolist() == [False, True, True]
    assert covers.takes(three).tolist() == [False, False, True]


def test_many_boxes_at_once_are_each_as_alone() -> None:
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 0.9, (200, 2))
    many = np.concatenate([low, low + rng.uniform(0.01, 0.1, (200, 2))], axis=1)
    points = [(0.1, 0.2), (0.9, 0.1), (0.5, 0.5), (0.8, 0.9), (0.2, 0.7)]
    np.testing.assert_allclose(
        share_inside(many, np.array(points)), [share(tuple(one), points) for one in many]
    )
    assert share_inside(np.empty((0, 4)), np.array(points)).shape == (0,)


@given(stars())
def test_a_simple_polygon_is_taken_whichever_way_it_goes(points: Points) -> None:
    assume(all(0 <= c <= 1 for p in points for c in p))
    assert Region(tuple(points)).takes(np.array([[0.0, 0, 1, 1]])).all()


def segments_meet(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> bool:
    """Solve for where the lines cross, exactly, in whole numbers."""

    def turn(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> int:
        return int((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    def between(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> bool:
        return turn(a, b, c) == 0 and bool(
            ((c >= np.minimum(a, b)) & (c <= np.maximum(a, b))).all()
        )

    proper = turn(p, q, r) * turn(p, q, s) < 0 and turn(r, s, p) * turn(r, s, q) < 0
    return proper or any((between(p, q, r), between(p, q, s), between(r, s, p), between(r, s, q)))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=8))
def test_a_polygon_is_refused_exactly_if_its_edges_meet(grid: list[tuple[int, int]]) -> None:
    points = np.array(grid)
    ends = np.roll(points, -1, axis=0)
    count = len(points)
    meet = any(
        segments_meet(points[i], ends[i], points[j], ends[j])
        for i in range(count)
        for j in range(i + 2, count)
        if (i, j) != (0, count - 1)
    )
    # Neighbours meet in more than a point if one lies on the other.
    for i in range(count):
        a, b, c = points[i], ends[i], ends[(i + 1) % count]
        back = np.cross(np.append(b - a, 0), np.append(c - b, 0))[2] == 0
        meet |= bool(back and (b - a) @ (c - b) <= 0)
    refused = pytest.raises(ValueError, match="meets") if meet else nullcontext()
    with refused:
        Region(tuple((x / 8, y / 8) for x, y in grid))


@pytest.mark.parametrize(
    ("points", "why"),
    [
        ([(0.0, 0.0), (1.0, 1.0)], "2 points"),
        ([(i / MOST_POINTS, (i % 2) / 2) for i in range(MOST_POINTS + 1)], "65 points"),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], "edge 0 meets edge 2"),
        ([(0, 0), (1, 0), (1, 1), (0.5, 0), (0, 1)], "edge 0 meets edge 2"),
        ([(0, 0), (1, 0), (0.5, 0)], "meets"),
        ([(0, 0), (0, 0), (1, 0), (1, 1)], "meets"),
        ([(0, 0), (1e-4, 0), (1e-4, 1e-4)], "millionth"),
        ([(0, 0), (1.0001, 0), (1, 1)], "outside"),
        ([(0, 0), (math.nan, 0), (1, 1)], "outside"),
        ([(0, 0), (math.inf, 0), (1, 1)], "outside"),
    ],
)
def test_what_is_no_region(points: Points, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Region(tuple(points))


@pytest.mark.parametrize("x", [5e-324, 1e-300, 1e-17])
def test_edges_that_are_almost_upright(x: float) -> None:
    points = [(0.0, 0.0), (0.5, 0.0), (0.5 + x, 1.0), (x, 1.0)]
    assert share((0.0, 0.0, 1.0, 1.0), points) == pytest.approx(0.5)
    assert share((0.0, 0.0, 0.5, 1.0), points) == pytest.approx(1.0)


def test_touching_is_not_lying_in() -> None:
    region = Region.rectangle(0.25, 0.25, 0.75, 0.75)
    beside = np.array([[0.75, 0.25, 1, 0.75], [0, 0, 0.25, 0.25], [0.25, 0, 0.75, 0.25]])
    assert not region.takes(beside).any()
    assert Region(region.points, covers=True).takes(np.array([[0.25, 0.25, 0.75, 0.75]])).all()


def test_what_is_looked_for() -> None:
    box = Region.rectangle(0, 0, 1, 1).points
    assert Region(box).least("dog", 0.5) == 0.5
    some = Region(box, detect={"dog": 0.2, "cat": None})
    assert (some.least("dog", 0.5), some.least("cat", 0.5)) == (0.2, 0.5)
    assert some.least("cow", 0.5) is None
    assert Region(box, detect={"*": 0.9, "dog": None}).least("cow", 0.5) == 0.9
    assert Region(box, detect={"*": 0.9, "dog": None}).least("dog", 0.5) == 0.5
