"""The options of the detect routes: how each is read, and how it is described.

One table, so that the parser and the specification cannot disagree.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from visiongate.errors import OptionInvalid
from visiongate.types import PredictOptions

__all__ = ["ANNOTATED", "BY_DETECTOR", "COMMON", "MANY", "OPTIONS", "Option", "read_boolean"]

COMMON = ("min_confidence", "labels", "max_detections", "abstain_below", "delete", "annotate")
"""Options of every detect route."""
MANY = ("detectors",)
"""Options of the route that asks several detectors, beside the common ones."""
BY_DETECTOR: Mapping[str, tuple[str, ...]] = {"object": ("type", "gender"), "face": ("gender",)}
"""Options of mlapi's own, by the detector whose route takes them."""

_MOST_DETECTIONS = 1000
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its parser takes the name and the raw value, and raises OptionInvalid.

    ``schema`` is the JSON Schema of its value in a query, where lists are joined by commas;
    ``example`` a value as a client's program would have it.
    """

    parse: Callable[[str, object], Any]
    schema: Mapping[str, Any]
    description: str
    example: Any


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
    value = math.nan
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        value = raw
    elif isinstance(raw, str) and raw.isascii() and "_" not in raw:
        with contextlib.suppress(ValueError):
            value = float(raw)
    if not 0.0 <= value <= 1.0:  # false for NaN too
        raise _invalid(name, "a number from 0 to 1 (0.6 for 60 %)", raw)
    return float(value)


def _count(name: str, raw: object) -> int:
    value = 0
    if isinstance(raw, int) and not isinstance(raw, bool):
        value = raw
    elif isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 9:
        value = int(raw)
    if not 1 <= value <= _MOST_DETECTIONS:
        raise _invalid(name, f"a whole number from 1 to {_MOST_DETECTIONS}", raw)
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
    got = repr(raw[:32] if isinstance(raw, str) else raw)[:64]
    return OptionInvalid(f"Option {name!r} must be {expected}, got {got}.")


_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_SWITCH = {"type": "boolean", "default": False}
_LIST = {
    "type": "array",
    "items": {"type": "string", "pattern": r"^[^,\s]([^,]*[^,\s])?$"},
    "minItems": 1,
}

OPTIONS: Mapping[str, Option] = {
    "min_confidence": Option(
        _number,
        _SHARE,
        "Leave out what is less certain. Unless given, each detector's own default.",
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
            "maximum": _MOST_DETECTIONS,
            "default": PredictOptions().max_detections,
        },
        "The most confident ones, at most so many.",
        50,
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
