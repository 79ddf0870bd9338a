"""Read a request's options, wherever they came: query, form fields, JSON members, headers.

An option may come twice only if both say the same. What is unknown or malformed is refused by
name, never ignored: a misspelt ``min_confidence`` would otherwise change every answer silently.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Request

from visiongate.errors import OptionInvalid, OptionUnknown
from visiongate.regions import ANY
from visiongate.selection import Selection
from visiongate.types import PredictOptions
from visiongate.web.option_table import OPTIONS, read_boolean

__all__ = [
    "DetectOptions",
    "picture_type",
    "read_choice",
    "read_deadline",
    "read_options",
    "read_switch",
]


_ANY_OR_JSON = frozenset({"*/*", "application/json"})
"""What nearly every client says that it accepts."""


@dataclass(frozen=True, slots=True)
class DetectOptions:
    """The options of one request, checked.

    ``annotate`` None leaves the choice to the Accept header; ``detectors`` is empty where none
    was named. ``type`` and ``gender`` are mlapi's own.
    """

    predict: PredictOptions = field(default_factory=PredictOptions)
    selection: Selection = field(default_factory=Selection)
    delete: bool = False
    annotate: bool | None = None
    detectors: tuple[str, ...] = ()
    type: str = ""
    gender: bool = False


def read_options(given: Iterable[tuple[str, object]], allowed: Collection[str]) -> DetectOptions:
    """Check the given (name, value) pairs against the options that this route takes.

    JSON may give values in their own types, and null for an option that is not given.

    Raises:
        OptionUnknown: names the near ones.
        OptionInvalid: malformed, out of range, or given twice with different values.
    """
    values: dict[str, Any] = {}
    for name, raw in given:
        if name not in allowed:
            raise _unknown(str(name), allowed)
        if raw is None:
            continue
        value = OPTIONS[name].parse(name, raw)
        if values.setdefault(name, value) != value:
            raise OptionInvalid(f"Option {name!r} is given twice, with different values.")
    confidences = dict(values.get("min_confidence", {}))
    predict = PredictOptions(
        min_confidence=confidences.pop(ANY, None),
        labels=values.get("labels"),
        max_detections=values.get("max_detections", PredictOptions().max_detections),
        abstain_below=values.get("abstain_below"),
    )
    try:
        selection = Selection(
            confidences,
            **{name: values[name] for name in ("regions", "min_box", "max_box") if name in values},
        )
    except ValueError as error:
        raise OptionInvalid(
            f"Options 'min_box' and 'max_box' rule each other out: {error}."
        ) from None
    return DetectOptions(
        predict,
        selection,
        delete=values.get("delete", False),
        annotate=values.get("annotate"),
        detectors=values.get("detectors", ()),
        type=values.get("type", ""),
        gender=values.get("gender", False),
    )


def read_deadline(request: Request, longest_ms: int, now: float) -> float | None:
    """Return the ``time.monotonic()`` that X-Deadline-Ms asks for; it only ever shortens.

    Raises:
        OptionInvalid: not a whole number of milliseconds, or zero.
    """
    text = request.headers.get("X-Deadline-Ms")
    if text is None:
        return None
    digits = text.strip().lstrip("0")
    if not (digits.isascii() and digits.isdigit()):
        raise OptionInvalid(
            f"Header X-Deadline-Ms must be a positive whole number, got {text[:32]!r}."
        )
    asked = int(digits[:12])  # enough for any deadline; Python refuses to read 4,300 digits
    return now + min(asked, longest_ms) / 1000


def read_switch(request: Request, name: str) -> bool:
    """Return the one option that a route takes in its query, true or false (the default).

    Raises:
        OptionUnknown, OptionInvalid: as ``read_options``.
    """
    values = set()
    for given, raw in request.args.items(multi=True):
        if given != name:
            raise _unknown(given, (name,))
        values.add(read_boolean(name, raw))
    if len(values) > 1:
        raise OptionInvalid(f"Option {name!r} is given twice, with different values.")
    return True in values


def read_choice(request: Request, name: str, choices: Sequence[str]) -> str | None:
    """Return the one option that a route takes in its query, one of ``choices``; None if absent.

    Raises:
        OptionUnknown, OptionInvalid: as ``read_options``.
    """
    values = set()
    for given, raw in request.args.items(multi=True):
        if given != name:
            raise _unknown(given, (name,))
        if raw not in choices:
            raise OptionInvalid(
                f"Option {name!r} must be {' or '.join(choices)}, got {raw[:32]!r}."
            )
        values.add(raw)
    if len(values) > 1:
        raise OptionInvalid(f"Option {name!r} is given twice, with different values.")
    return values.pop() if values else None


def picture_type(request: Request, annotate: bool | None) -> str | None:
    """Return the media type of the picture that the caller wants for an answer; None: JSON."""
    pictures = ("image/jpeg", "image/png")
    if annotate is False:
        return None
    if annotate:
        return request.accept_mimetypes.best_match(pictures, "image/jpeg")
    if request.headers.get("Accept", "*/*") in _ANY_OR_JSON:
        return None
    best = request.accept_mimetypes.best_match(("application/json", *pictures))
    return best if best in pictures else None


def _unknown(name: str, allowed: Collection[str]) -> OptionUnknown:
    name = name[:64]
    near = difflib.get_close_matches(name, allowed, n=2)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return OptionUnknown(
        f"Unknown option {name!r}.{hint} This route takes: {', '.join(allowed)}.",
        extra={"options": list(allowed)},
    )
