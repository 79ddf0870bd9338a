"""The option ``regions``: where things are looked for, as DOODS' clients write it, and polygons."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from visiongate.errors import OptionInvalid
from visiongate.regions import MOST_POINTS, Region
from visiongate.types import Point
from visiongate.web.option_values import MOST_LABELS, Place, read_json, read_members, read_share

__all__ = ["EXAMPLE", "MOST_REGIONS", "SCHEMA", "read_regions"]

MOST_REGIONS = 32
_SIDES = {"left": 0.0, "top": 0.0, "right": 1.0, "bottom": 1.0}
_MEMBERS = (*_SIDES, "polygon", "covers", "labels", "detect")
_COORDINATE = "a number from 0 to 1, a share of the picture's width or height"

_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_LABEL = {"type": "string", "minLength": 1}
SCHEMA: Mapping[str, Any] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_REGIONS,
    "items": {
        "type": "object",
        "properties": {
            **dict.fromkeys(_SIDES, _SHARE),
            "polygon": {
                "type": "array",
                "items": {"type": "array", "items": _SHARE, "minItems": 2, "maxItems": 2},
                "minItems": 3,
                "maxItems": MOST_POINTS,
            },
            "covers": {"type": "boolean", "default": False},
            # More labels than are read would not fit into a query.
            "labels": {"type": "array", "items": _LABEL, "minItems": 1},
            "detect": {
                "type": "object",
                "propertyNames": _LABEL,
                "additionalProperties": _SHARE,
                "minProperties": 1,
            },
        },
        "minProperties": 1,
        "additionalProperties": False,
    },
}
EXAMPLE: list[dict[str, Any]] = [
    {"left": 0.5, "top": 0.2, "right": 1, "bottom": 1, "covers": True},
    {"polygon": [[0, 1], [0.4, 0.5], [0.4, 1]], "detect": {"*": 0.6}},
]


def read_regions(name: str, raw: object) -> tuple[Region, ...]:
    """Return the regions of a JSON list, given as text or already read.

    Raises:
        OptionInvalid: names the place in the JSON, and what may stand there.
    """
    if isinstance(raw, str):
        raw = read_json(name, raw)
    if type(raw) is not list or not 1 <= len(raw) <= MOST_REGIONS:
        expected = f"a JSON list of 1 to {MOST_REGIONS} regions, like "
        raise Place(name).invalid(expected + '[{"left": 0.5, "right": 1}]', raw)
    return tuple(_region(Place(name).item(index), one) for index, one in enumerate(raw))


def _region(place: Place, raw: object) -> Region:
    given: dict[str, Any] = {}
    for name, value in read_members(place, raw):
        if name not in _MEMBERS:
            raise _unknown(place, name)
        if value is not None:
            given[name] = value
    sides = [name for name in _SIDES if name in given]
    if "polygon" in given and sides:
        raise place.wrong(f"has a polygon, and {sides[0]} of a rectangle: name one of the two")
    if "labels" in given and "detect" in given:
        raise place.wrong("has labels and detect: name the labels in one of the two")
    covers = given.get("covers", False)
    if not isinstance(covers, bool):
        raise place.member("covers").invalid("true or false", covers)
    detect = _detect(place, given)
    try:
        if "polygon" in given:
            return Region(_polygon(place, given["polygon"]), covers, detect)
        return Region.rectangle(*_sides(place, given), covers=covers, detect=detect)
    except ValueError as error:
        where = place.member("polygon") if "polygon" in given else place
        raise where.wrong(f"cannot be used: {error}") from None


def _sides(place: Place, given: Mapping[str, object]) -> tuple[float, float, float, float]:
    left, top, right, bottom = (
        read_share(place.member(side), given.get(side, edge), _COORDINATE)
        for side, edge in _SIDES.items()
    )
    for low, high, names in ((left, right, "left, right"), (top, bottom, "top, bottom")):
        if low >= high:
            first, second = names.split(", ")
            raise place.wrong(f"needs {first} below {second}, got {low:g} and {high:g}")
    return left, top, right, bottom


def _polygon(place: Place, raw: object) -> tuple[Point, ...]:
    place = place.member("polygon")
    # One more: many programs end a polygon with its first point.
    if type(raw) is not list or not 3 <= len(raw) <= MOST_POINTS + 1:
        raise place.invalid(f"a list of 3 to {MOST_POINTS} points [x, y]", raw)
    points = []
    for index, one in enumerate(raw):
        if type(one) is not list or len(one) != 2:
            raise place.item(index).invalid("a point [x, y]", one)
        x, y = (read_share(place.item(index).item(i), v, _COORDINATE) for i, v in enumerate(one))
        points.append((x, y))
    return tuple(points[:-1] if len(points) > 3 and points[0] == points[-1] else points)


def _detect(place: Place, given: Mapping[str, object]) -> dict[str, float | None] | None:
    if "detect" in given:
        place = place.member("detect")
        members = read_members(place, given["detect"])
        return {label: read_share(place.member(label), value) for label, value in members}
    if "labels" not in given:
        return None
    place, labels = place.member("labels"), given["labels"]
    if type(labels) is not list or not 1 <= len(labels) <= MOST_LABELS:
        raise place.invalid('a list of labels, like ["person", "dog"]', labels)
    for index, label in enumerate(labels):
        if not isinstance(label, str) or not label:
            raise place.item(index).invalid("a label", label)
    return dict.fromkeys(labels)


def _unknown(place: Place, name: str) -> OptionInvalid:
    near = difflib.get_close_matches(name[:64], _MEMBERS, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return place.wrong(
        f"has an unknown member {name[:64]!r}.{hint} A region takes {', '.join(_MEMBERS)}"
    )
