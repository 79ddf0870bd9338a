"""Are the settings readable, free of contradictions, and sensible?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from visiongate.doctor.findings import Finding, fail, ok, warn
from visiongate.errors import ConfigurationError
from visiongate.registry import Registry
from visiongate.settings import PREFIX, Settings

__all__ = ["examine"]

_CHEAP_ROUNDS = 10  # below it, a stolen file of hashes is guessed through quickly
_A_DAY = 86_400
_COUNTED_IN = {"file": "the data folder", "memory": "memory"}


def examine(settings: Settings) -> Iterator[Finding]:
    yield ok("readable", f"Read from {_sources(settings)}.")
    yield _detectors(settings)
    yield from _tokens(settings)
    yield from _debugging(settings)
    yield _counting(settings)


def _sources(settings: Settings) -> str:
    """Name where the settings come from, never what they are: addresses can hold passwords."""
    number = sum(name.upper().startswith(PREFIX) for name in os.environ)
    files = [str(path) for path in (Path(".env"), settings.config) if path.is_file()]
    return ", ".join([f"the environment ({PREFIX}...: {number})", *files, "the defaults"])


def _detectors(settings: Settings) -> Finding:
    try:
        registry = Registry.discover(settings.detectors, settings.detectors_disabled)
    except ConfigurationError as error:
        return fail("detectors", error.detail, "Correct it; the gateway does not start otherwise.")
    off = settings.detectors_disabled
    enabled = [name for name in registry.names() if name not in off]
    if not enabled:
        return fail(
            "detectors",
            "Every detector is switched off, so nothing can be detected.",
            f"Take at least one out of {PREFIX}DETECTORS_DISABLED.",
        )
    return ok("detectors", f"Enabled: {', '.join(enabled)}; off: {', '.join(off) or 'none'}.")


def _tokens(settings: Settings) -> Iterator[Finding]:
    if settings.bcrypt_rounds < _CHEAP_ROUNDS:
        yield warn(
            "passwords",
            f"Hashes cost 2^{settings.bcrypt_rounds}, which a thief of users.json guesses through.",
            f"Leave {PREFIX}BCRYPT_ROUNDS at its default; hashes are made anew at each login.",
        )
    else:
        yield ok("passwords", f"New hashes cost 2^{settings.bcrypt_rounds}.")
    if settings.access_token_seconds > _A_DAY:
        yield warn(
            "tokens",
            f"An access token lives {settings.access_token_seconds / _A_DAY:.1f} days; whoever "
            "finds one may use it for as long.",
            f"Lower {PREFIX}ACCESS_TOKEN_SECONDS; clients renew with the refresh token.",
        )
    else:
        yield ok("tokens", f"Access tokens live {settings.access_token_seconds} s.")


def _debugging(settings: Settings) -> Iterator[Finding]:
    if settings.debug:
        yield warn(
            "debug",
            "Debug mode is on, which reloads on every change of the code.",
            f"Unset {PREFIX}DEBUG and FLASK_DEBUG wherever others use the gateway.",
        )


def _counting(settings: Settings) -> Finding:
    """Are login attempts counted for all processes together?"""
    storage = settings.rate_limit_storage
    scheme = storage.partition("://")[0]
    if scheme.startswith("redis") and find_spec("redis") is None:
        return fail(
            "login attempts",
            "They are to be counted in Redis, whose Python package is not installed.",
            "python -m pip install redis",
        )
    if scheme == "memory" and settings.workers > 1:
        return warn(
            "login attempts",
            f"Each of the {settings.workers} workers counts login attempts for itself, so that "
            f"{settings.workers} times as many may be made.",
            f"Count them together: {PREFIX}RATE_LIMIT_STORAGE=file://",
        )
    return ok(
        "login attempts",
        f"{settings.login_rate_per_user} for a name, {settings.login_rate_per_address} from an "
        f"address, counted in {_COUNTED_IN.get(scheme, scheme)}.",
    )
