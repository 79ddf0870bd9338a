"""What is recorded: the events' stable names, and one event as a line of JSON.

A line holds nothing that its reader did not ask for: strings are cut to a length, whatever is
not plain ASCII is escaped, and there is exactly one line end, its last byte.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Literal, TypeAlias, get_args

__all__ = ["MAX_LINE_BYTES", "Event", "EventName", "Outcome", "Via", "event_line"]

Outcome: TypeAlias = Literal["ok", "failed", "refused"]
Via: TypeAlias = Literal["http", "command line"]

OUTCOMES: tuple[str, ...] = get_args(Outcome)

MAX_LINE_BYTES = 4096
"""Longest line, its end included."""
_MAX_TEXT = 200
_MAX_MEMBERS = 20
_MAX_NUMBER = 2**63


class EventName(str, Enum):
    """What can be recorded. Names stay: whoever searches or alerts depends on them."""

    LOGIN_OK = "login.ok"
    LOGIN_FAILED = "login.failed"
    LOGIN_LIMITED = "login.limited"
    LOGOUT = "logout"
    REQUEST_REFUSED = "request.refused"
    QUOTA_EXCEEDED = "quota.exceeded"
    USER_CREATED = "user.created"
    USER_CHANGED = "user.changed"
    USER_REMOVED = "user.removed"
    KEYS_ROTATED = "keys.rotated"
    SENSITIVE_USE = "detector.sensitive"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    ``user`` is the account that it is about, ``actor`` who did it, ``reason`` the code of an
    error. ``via`` tells whether ``actor`` is an account of the gateway or one of the machine.
    """

    name: EventName
    time: float
    via: Via
    user: str | None = None
    actor: str | None = None
    address: str | None = None
    outcome: Outcome = "ok"
    reason: str | None = None
    request_id: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


def event_line(event: Event) -> bytes:
    """Return the event as one line, of at most ``MAX_LINE_BYTES``."""
    moment = datetime.fromtimestamp(event.time, timezone.utc)
    document: dict[str, Any] = {
        "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event": event.name.value,
        "outcome": event.outcome,
        "reason": _short(event.reason),
        "user": _short(event.user),
        "actor": _short(event.actor),
        "via": event.via,
        "address": _short(event.address),
        "request_id": _short(event.request_id),
        "detail": _short(event.detail),
    }
    line = _written(document)
    if len(line) > MAX_LINE_BYTES:
        line = _written({**document, "detail": {"left_out": "too long"}})
    return line


def _written(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode("ascii") + b"\n"


def _short(value: object, depth: int = 2) -> Any:
    """Return ``value`` as JSON can carry it, cut to a bounded size."""
    if isinstance(value, str):
        return value if len(value) <= _MAX_TEXT else f"{value[:_MAX_TEXT]}…"
    if value is None or isinstance(value, (bool, int, float)):
        # JSON has no infinity, and Python writes no integer of thousands of digits.
        return value if value is None or -_MAX_NUMBER <= value <= _MAX_NUMBER else "?"
    if isinstance(value, Mapping) and depth:
        members = list(value.items())[:_MAX_MEMBERS]
        return {_short(str(name)): _short(one, depth - 1) for name, one in members}
    if isinstance(value, (list, tuple)) and depth:
        return [_short(one, depth - 1) for one in value[:_MAX_MEMBERS]]
    return _short(str(value))
