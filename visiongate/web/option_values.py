"""Values of options, as deep as they are nested: each is right, or the error says where not."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visiongate.errors import OptionInvalid
from visiongate.regions import ANY
from visiongate.web.reading import Members

__all__ = [
    "MOST_LABELS",
    "Place",
    "read_box_size",
    "read_confidences",
    "read_json",
    "read_members",
    "read_share",
]

MOST_LABELS = 1000
_SHARE = "a number from 0 to 1 (0.6 for 60 %)"
_LONGEST_JSON = 200_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: an option, and the way to it inside that option's JSON."""

    option: str
    path: str = ""

    def item(self, index: int) -> Place:
        return Place(self.option, f"{self.path}[{index}]")

    def member(self, name: str) -> Place:
        return Place(self.option, f"{self.path}.{name[:64]}" if self.path else name[:64])

    def invalid(self, expected: str, raw: object) -> OptionInvalid:
        """Return the error that says what was expected here, and what came."""
        got = repr(raw[:32] if isinstance(raw, str) else raw)[:64]
        return self.wrong(f"must be {expected}, got {got}")

    def wrong(self, what: str) -> OptionInvalid:
        """Return the error that says what is wrong here."""
        where = f", at {self.path}," if self.path else ""
        return OptionInvalid(f"Option {self.option!r}{where} {what}.")


def read_share(place: Place, raw: object, expected: str = _SHARE) -> float:
    """Return a number from 0 to 1, given as one or in words. Raises: OptionInvalid."""
    value = math.nan
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        value = raw
    elif isinstance(raw, str) and raw.isascii() and "_" not in raw:
        with contextlib.suppress(ValueError):
            value = float(raw)
    if not 0.0 <= value <= 1.0:  # false for NaN too
        raise place.invalid(expected, raw)
    return float(value)


def read_confidences(name: str, raw: object) -> Mapping[str, float]:
    """Return the least confidence by label; what holds for the others stands under ``ANY``.

    One number is for all. In text, labels are named as in ``person:0.6,car:0.4,*:0.5``; labels
    with commas need JSON. Raises: OptionInvalid.
    """
    place = Place(name)
    if isinstance(raw, str) and raw.lstrip().startswith("{"):
        raw = read_json(name, raw)
    if isinstance(raw, Members):
        return {
            label: read_share(place.member(label), value)
            for label, value in read_members(place, raw)
        }
    if not (isinstance(raw, str) and ":" in raw):
        return {ANY: read_share(place, raw, f"{_SHARE} or person:0.6,*:0.5")}
    read: dict[str, float] = {}
    for part in raw.split(","):
        label, _, value = (piece.strip() for piece in part.rpartition(":"))
        if not label:
            raise place.invalid("a number, or a list like person:0.6,car:0.4,*:0.5", part)
        share = read_share(place.member(label), value)
        if read.setdefault(label, share) != share:
            raise place.member(label).wrong("is given twice, with different values")
        if len(read) > MOST_LABELS:
            raise place.wrong(f"may name {MOST_LABELS} labels")
    return read


def read_box_size(name: str, raw: object) -> tuple[float, float]:
    """Return a box's (width, height) in shares of the picture's; one number is for both."""
    place = Place(name)
    expected = "one or two numbers from 0 to 1, like 0.05 or 0.05,0.1 (width, height)"
    parts: Sequence[object] = [raw]
    if isinstance(raw, str):
        parts = raw.split(",")
    elif type(raw) is list:
        parts = raw
    if not 1 <= len(parts) <= 2:
        raise place.invalid(expected, raw)
    sides = [read_share(place, part, expected) for part in parts]
    return sides[0], sides[-1]


def read_json(name: str, text: str) -> object:
    """Return what JSON text says, objects as ``Members``. Raises: OptionInvalid."""
    if len(text) > _LONGEST_JSON:
        raise Place(name).wrong(f"has {len(text)} characters, of {_LONGEST_JSON} that are read")
    try:
        document: object = json.loads(text, object_pairs_hook=Members)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise Place(name).wrong(f"is not JSON: {reason}") from None
    return document


def read_members(place: Place, raw: object) -> Members:
    """Return the members of a JSON object, at least one, none twice. Raises: OptionInvalid."""
    if not isinstance(raw, Members) or not raw:
        raise place.invalid("a JSON object", raw)
    if len(raw) > MOST_LABELS:
        raise place.wrong(f"has {len(raw)} members, of {MOST_LABELS} that are read")
    seen: set[str] = set()
    for name, _ in raw:
        if name in seen:
            raise place.member(name).wrong("is given twice")
        if not name:
            raise place.wrong("has a member without a name")
        seen.add(name)
    return raw
