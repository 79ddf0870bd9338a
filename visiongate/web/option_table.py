"""The options of the detect routes: how each is read, and how it is described.

One table, so that the parser and the specification cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from visiongate.errors import OptionInvalid
from visiongate.selection import MOST_DETECTIONS
from visiongate.types import PredictOptions
from visiongate.web import region_option
from visiongate.web.option_values import Place, read_box_size, read_confidences, read_share

__all__ = ["ANNOTATED", "BY_DETECTOR", "COMMON", "MANY", "OPTIONS", "Option", "read_boolean"]

COMMON = (
    *("min_confidence", "labels", "max_detections", "regions", "min_box", "max_box"),
    *("abstain_below", "delete", "annotate"),
)
"""Options of every detect route."""
MANY = ("detectors",)
"""Options of the route that asks several detectors, beside the common ones."""
BY_DETECTOR: Mapping[str, tuple[str, ...]] = {"object": ("type", "gender"), "face": ("gender",)}
"""Options of mlapi's own, by the detector whose route takes them."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its parser takes the name and the raw value, and raises OptionInvalid.

    ``schema`` is the JSON Schema of its value in a query, where lists are joined by commas, or
    written as JSON with ``as_json``; ``example`` a value as a client's program would have it.
    """

    parse: Callable[[str, object], Any]
    schema: Mapping[str, Any]
    description: str
    example: Any
    as_json: bool = False


def read_boolean(name: str, raw: object) -> bool:
    """Return what a switch is set to. Raises: OptionInvalid."""
    if isinstance(raw, bool):
        return raw
    text = str(raw).lower() if isinstance(raw, (str, int)) else ""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise _invalid(name, "true or false", raw)


def _number(name: str, raw: object) -> float:
    return read_share(Place(name), raw)


def _count(name: str, raw: object) -> int:
    value = 0
    if isinstance(raw, int) and not isinstance(raw, bool):
        value = raw
    elif isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 9:
        value = int(raw)
    if not 1 <= value <= MOST_DETECTIONS:
        raise _invalid(name, f"a whole number from 1 to {MOST_DETECTIONS}", raw)
    return value


def _names(name: str, raw: object) -> tuple[str, ...]:
    parts: list[object] = []
    if isinstance(raw, str):
        parts = [part.strip() for part in raw.split(",")]
    elif type(raw) is list:
        parts = raw
    texts = tuple(part for part in parts if isinstance(part, str) and part)
    if not texts or len(texts) != len(parts):
        raise _invalid(name, "a list like face,object", raw)
    return tuple(dict.fromkeys(texts))


def _labels(name: str, raw: object) -> frozenset[str]:
    return frozenset(_names(name, raw))


def _type(name: str, raw: object) -> str:
    if raw not in ("face", "object"):
        raise _invalid(name, "face or object", raw)
    return str(raw)


def _invalid(name: str, expected: str, raw: object) -> OptionInvalid:
    return Place(name).invalid(expected, raw)


_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_SWITCH = {"type": "boolean", "default": False}
_LIST = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[^,\s]([^,]*[^,\s])?$"},
    "minItems": 1,
}
_BOX_SIZE = {"type": "array", "items": _SHARE, "minItems": 1, "maxItems": 2}
_BY_LABEL = r"^[^:,\s]+:(0(\.\d+)?|1(\.0+)?)(,[^:,\s]+:(0(\.\d+)?|1(\.0+)?))*$"

OPTIONS: Mapping[str, Option] = {
    "min_confidence": Option(
        read_confidences,
        {**_SHARE, "type": ["number", "string"], "pattern": _BY_LABEL},
        "Leave out what is less certain. Unless given, each detector's own default. A number for "
        "all, or one for each label, `*` standing for the others: `person:0.6,car:0.4,*:0.5`.",
        0.6,
    ),
    "labels": Option(
        _labels,
        _LIST,
        "Find only these labels; `GET /api/v1/detectors` lists those of each detector. "
        "One that none of the asked detectors can find is refused.",
        ["person", "dog"],
    ),
    "max_detections": Option(
        _count,
        {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_DETECTIONS,
            "default": PredictOptions().max_detections,
        },
        "The most confident ones, at most so many.",
        50,
    ),
    "regions": Option(
        region_option.read_regions,
        region_option.SCHEMA,
        "Answer only what lies in one of these, in shares of the picture's width and height: "
        "rectangles, whose sides are the picture's where they are not given, or polygons. With "
        "`covers` a box must lie inside wholly, else any part of it will do. `labels` names what "
        "is looked for there; `detect` also how certain it must be, `*` standing for the others.",
        region_option.EXAMPLE,
        as_json=True,
    ),
    "min_box": Option(
        read_box_size,
        _BOX_SIZE,
        "Leave out boxes that are narrower or lower: shares of the picture's width and height, "
        "one number for both or two.",
        [0.05, 0.1],
    ),
    "max_box": Option(
        read_box_size,
        _BOX_SIZE,
        "Leave out boxes that are wider or higher, in the same way.",
        [0.8],
    ),
    "abstain_below": Option(
        _number,
        _SHARE,
        "Judgements of faces that are less certain are answered `unknown`. Unless given, the "
        "operator's choice.",
        0.8,
    ),
    "delete": Option(read_boolean, _SWITCH, "Do not keep the picture.", True),
    "annotate": Option(
        read_boolean,
        {"type": "boolean"},
        "Answer the picture with its boxes drawn: PNG if `Accept` prefers it, else JPEG; with "
        "`false`, JSON. Unless given, `Accept` decides.",
        False,
    ),
    "detectors": Option(
        _names,
        _LIST,
        "Which detectors to ask. Required, here or beside the picture.",
        ["face", "object"],
    ),
    "type": Option(
        _type,
        {"type": "string", "enum": ["face", "object"], "default": "object"},
        "As in mlapi: `face` finds faces instead of objects.",
        "object",
    ),
    "gender": Option(
        read_boolean,
        _SWITCH,
        "As in mlapi: the apparent gender of each face. It says nothing of objects.",
        True,
    ),
}

ANNOTATED = Option(read_boolean, _SWITCH, "The copy with its boxes drawn.", True)
"""The one option of kept pictures."""
