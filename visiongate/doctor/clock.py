"""Does the clock go right? Tokens, sweeping and limits go by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timezone

from visiongate.doctor.findings import Finding, fail, ok, warn
from visiongate.doctor.stores import keys_of
from visiongate.errors import ConfigurationError
from visiongate.settings import Settings

__all__ = ["examine"]

_BEFORE_ALL_THIS = datetime(2025, 1, 1, tzinfo=timezone.utc).timestamp()
_SLACK_SECONDS = 60.0
_DO = "Set it by the network: timedatectl set-ntp true (and date -u shows what it says now)."


def examine(settings: Settings) -> Iterator[Finding]:
    now = time.time()
    if now < _BEFORE_ALL_THIS:
        yield fail("time", f"The clock says {_utc(now)}, before this program was written.", _DO)
        return
    yield ok("time", f"The clock says {_utc(now)}.")
    ahead = [(when, what) for when, what in _made(settings) if when > now + _SLACK_SECONDS]
    if not ahead:
        yield ok("order", "Nothing kept here was made in the future.")
        return
    when, what = max(ahead)
    yield warn(
        "order",
        f"{what} was made in the future, at {_utc(when)}: the clock was ahead then, or is behind "
        "now. Tokens made then are refused until it has caught up.",
        _DO,
    )


def _made(settings: Settings) -> Iterator[tuple[float, str]]:
    for name in ("users.json", "keys.json", "revoked.db"):
        path = settings.data_dir / name
        try:
            yield path.stat().st_mtime, str(path)
        except OSError:
            continue
    try:
        for key in keys_of(settings.data_dir / "keys.json"):
            yield key.made, f"The signing key {key.kid}"
    except (OSError, ConfigurationError):
        return  # what is wrong with it, is said under stores


def _utc(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):
        return f"{seconds:g} s after 1970"
