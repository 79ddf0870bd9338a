"""The fields of an account, as admins send them: read strictly, described for the specification."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any, cast

from visiongate.errors import FieldMissing, OptionInvalid, OptionUnknown
from visiongate.passwords import MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARACTERS
from visiongate.quotas import MAX_QUOTA
from visiongate.usernames import MAX_USERNAME_LENGTH
from visiongate.users import Changes
from visiongate.web.api import text

__all__ = ["CHANGEABLE", "CREATABLE", "field_schemas", "read_changes"]

CREATABLE = (
    "username",
    "password",
    "role",
    "detectors",
    "requests_per_day",
    "megapixels_per_day",
)
"""Fields that an account may be made with; the first two are required."""
CHANGEABLE = (
    "password",
    "disabled",
    "role",
    "detectors",
    "requests_per_day",
    "megapixels_per_day",
)
_ROLES = ("user", "admin")
_QUOTAS = ("requests_per_day", "megapixels_per_day")


def read_changes(
    body: dict[str, Any], allowed: Collection[str], detectors: Sequence[str]
) -> Changes:
    """Return what the JSON says of an account; ``detectors`` are those that exist.

    The name of a new account is left to ``text``.

    Raises:
        OptionUnknown: a field that is not ``allowed``; names the near ones.
        OptionInvalid: a value that does not fit.
        FieldMissing: nothing is said at all.
    """
    for name in body:
        if name not in allowed:
            raise _unknown(name, allowed)
    if not body:
        raise FieldMissing(f"Nothing is to change. There are: {', '.join(allowed)}.")
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name == "password":
            changes[name] = text(body, name)
        elif name == "role":
            changes[name] = _one_of(name, value, _ROLES)
        elif name == "disabled":
            changes[name] = _one_of(name, value, (True, False))
        elif name == "detectors":
            changes[name] = _detectors(value, detectors)
        elif name in _QUOTAS:
            changes[name] = _quota(name, value)
    return cast(Changes, changes)


def field_schemas(names: Sequence[str], detectors: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of each of these fields."""
    quota = {"type": ["integer", "null"], "minimum": 0, "maximum": MAX_QUOTA}
    schemas = {
        "username": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_USERNAME_LENGTH,
            "description": "Characters that print, no slash, no space at either end.",
        },
        "password": {
            "type": "string",
            "minLength": MIN_PASSWORD_CHARACTERS,
            "maxLength": MAX_PASSWORD_BYTES,
            "description": f"At least {MIN_PASSWORD_CHARACTERS} characters, at most "
            f"{MAX_PASSWORD_BYTES} bytes in UTF-8.",
        },
        "disabled": {"type": "boolean", "description": "Either way, the account's tokens end."},
        "role": {"type": "string", "enum": list(_ROLES)},
        "detectors": {
            "type": ["array", "null"],
            "items": {"type": "string", "enum": list(detectors)},
            "description": "What the account may call; `null` is all.",
        },
        "requests_per_day": {
            **quota,
            "description": "Pictures a day; `null` is the operator's setting, 0 no limit.",
        },
        "megapixels_per_day": {
            **quota,
            "description": "Megapixels a day; `null` is the operator's setting, 0 no limit.",
        },
    }
    return {name: schemas[name] for name in names}


def _one_of(name: str, value: object, choices: Sequence[object]) -> object:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    words = " or ".join(str(choice).lower() for choice in choices)
    raise _invalid(name, words, value)


def _detectors(value: object, known: Sequence[str]) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _invalid("detectors", 'a list of names such as ["face"], or null for all', value)
    for name in value:
        if name not in known:
            raise OptionInvalid(
                f"Field 'detectors': there is no {name[:64]!r}. There are: {', '.join(known)}.",
                extra={"field": "detectors"},
            )
    return frozenset(value)


def _quota(name: str, value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON Schema takes 5.0 for an integer
    if type(value) is not int or not 0 <= value <= MAX_QUOTA:
        raise _invalid(
            name, f"a whole number from 0 (no limit) to {MAX_QUOTA}, or null for the default", value
        )
    return value


def _invalid(name: str, expected: str, value: object) -> OptionInvalid:
    got = repr(value[:32] if isinstance(value, str) else value)[:64]
    return OptionInvalid(f"Field {name!r} must be {expected}, got {got}.", extra={"field": name})


def _unknown(name: str, allowed: Collection[str]) -> OptionUnknown:
    name = name[:64]
    near = difflib.get_close_matches(name, allowed, n=2)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    return OptionUnknown(
        f"Unknown field {name!r}.{hint} There are: {', '.join(allowed)}.",
        extra={"fields": list(allowed)},
    )
