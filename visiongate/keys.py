"""The keys that sign tokens: made on first use, rotated, shared by every process.

``python -m visiongate.keys list|rotate`` is the operator's door; it never shows a secret.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

from visiongate.errors import ConfigurationError, StoreUnavailable, VisiongateError
from visiongate.files import FileView, explain, locked, read_stamped, write_private

__all__ = ["Key", "KeyRing", "read_keys"]

_SECRET_BYTES = 32  # 256 bits, what RFC 7518 asks of a key for HS256
_LEEWAY_SECONDS = 60.0  # a token may be signed a moment after its key was rotated out
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key. ``made`` and ``until`` are Unix seconds; ``until`` None: it signs."""

    kid: str
    secret: str = field(repr=False)
    made: float = 0.0
    until: float | None = None


class _Ring(NamedTuple):
    by_kid: dict[str, Key]
    signing: Key


class KeyRing:
    """The keys in a JSON file of mode 0600, of which one signs and those before it verify.

    The file is made at the first question, by exactly one of the processes that ask, and read
    again whenever it has changed. Every method raises StoreUnavailable if it cannot be used.
    ``clock`` gives Unix seconds.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = Path(path).resolve()
        self._clock = clock
        self._view = FileView(self._path, self._derive)

    def signing(self) -> Key:
        """Return the key to sign with."""
        return self._ring().signing

    def get(self, kid: str) -> Key | None:
        """Return the key to verify with; None if it is not ours or has had its time."""
        key = self._ring().by_kid.get(kid)
        if key is None or (key.until is not None and key.until <= self._clock()):
            return None
        return key

    def list(self) -> list[Key]:
        """Return every key that still verifies, the newest first."""
        now = self._clock()
        keys = [k for k in self._ring().by_kid.values() if k.until is None or k.until > now]
        return sorted(keys, key=lambda key: (key.until is None, key.made), reverse=True)

    def rotate(self, keep_seconds: float) -> Key:
        """Sign with a new key from now on, and return it.

        The key before it verifies for ``keep_seconds`` more (the longest life of a token); 0 ends
        every token at once, for when a key has leaked.
        """
        try:
            with locked(self._path):
                now = self._clock()
                ring = self._view.get()
                keys = list(ring.by_kid.values()) if ring else []
                if keep_seconds > 0:
                    end = now + keep_seconds + _LEEWAY_SECONDS
                    keys = [replace(key, until=end) if key.until is None else key for key in keys]
                    keys = [key for key in keys if key.until is not None and key.until > now]
                else:
                    keys = []
                new = _new_key(now)
                self._write([*keys, new])
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error
        return new

    def _ring(self) -> _Ring:
        try:
            ring = self._view.get()
            if ring is None:
                with locked(self._path):
                    # Another process may have been first.
                    if read_stamped(self._path)[0] is None:
                        self._write([_new_key(self._clock())])
                ring = self._view.get()
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error
        if ring is None:
            raise StoreUnavailable(f"{self._path} was removed while it was being made.")
        return ring

    def _write(self, keys: Sequence[Key]) -> None:
        # No backup: what has been rotated out because it leaked should not lie about.
        document = {
            "keys": [
                {"kid": k.kid, "secret": k.secret, "made": k.made, "until": k.until} for k in keys
            ]
        }
        write_private(self._path, json.dumps(document, indent=1).encode())

    def _derive(self, content: bytes | None) -> _Ring | None:
        if content is None:
            return None
        self._make_private()
        try:
            keys = read_keys(content, self._path)
        except ConfigurationError as error:
            raise StoreUnavailable(error.detail) from error
        signing = next(key for key in keys if key.until is None)
        return _Ring({key.kid: key for key in keys}, signing)

    def _make_private(self) -> None:
        """Close a file that others may read, and say so.

        A restored backup or a copy is how it happens, and refusing to start (or, worse, refusing
        every request when it happens at run time) helps nobody; whether the key leaked only the
        operator can judge.
        """
        if os.name == "nt" or not self._path.stat().st_mode & 0o077:
            return
        try:
            self._path.chmod(0o600)
            done = "It is private again"
        except OSError as error:
            done = f"It could not be made private ({error.strerror})"
        _log.warning(
            "Other accounts could read the signing keys in %s. %s; if somebody may have read "
            "them, run: python -m visiongate.keys rotate --at-once",
            self._path,
            done,
        )


def read_keys(content: bytes, path: Path) -> list[Key]:
    """Return the keys that the file's content holds, of which exactly one signs.

    Raises:
        ConfigurationError: it is damaged; names ``path``, never a secret.
    """
    try:
        keys = [_to_key(item) for item in json.loads(content)["keys"]]
        (_signing,) = (key for key in keys if key.until is None)
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"{path} is damaged ({type(error).__name__}: {error}). Restore it from a "
            "backup, or delete it: a new key is made then, and everybody logs in again."
        ) from None
    return keys


def _new_key(now: float) -> Key:
    return Key(kid=secrets.token_hex(8), secret=secrets.token_urlsafe(_SECRET_BYTES), made=now)


def _to_key(item: dict[str, Any]) -> Key:
    kid, secret, made, until = item["kid"], item["secret"], item["made"], item["until"]
    if not (isinstance(kid, str) and kid and isinstance(secret, str)):
        raise TypeError("kid and secret must be strings")
    if len(secret) < _SECRET_BYTES:
        raise ValueError(f"the secret of {kid!r} is shorter than {_SECRET_BYTES} characters")
    return Key(kid, secret, float(made), None if until is None else float(until))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m visiongate.keys",
        description="The keys that sign tokens. A running gateway follows at its next request.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show which keys there are (never a secret)")
    rotate = commands.add_parser("rotate", help="sign with a new key; the old ones verify on")
    rotate.add_argument(
        "--at-once",
        action="store_true",
        help="for a key that leaked: the old keys end now, and everybody logs in again",
    )
    options = parser.parse_args(arguments)
    # Only the command line reads settings; whoever has a path needs none.
    from visiongate.audit import EventName, open_audit
    from visiongate.settings import load_settings

    try:
        settings = load_settings()
        ring = KeyRing(settings.data_dir / "keys.json")
        if options.command == "rotate":
            life = max(settings.access_token_seconds, settings.refresh_token_seconds)
            key = ring.rotate(0 if options.at_once else life)
            detail = {"kid": key.kid, "at_once": options.at_once}
            open_audit(settings).record(EventName.KEYS_ROTATED, detail=detail)
        _show(ring.list())
    except VisiongateError as error:
        sys.stderr.write(f"{error.detail}\n")
        return 1
    return 0


def _show(keys: Sequence[Key]) -> None:
    sys.stdout.write(f"{'kid':<16}  {'made':<20}  verifies until\n")
    for key in keys:
        until = "(signs)" if key.until is None else _utc(key.until)
        sys.stdout.write(f"{key.kid:<16}  {_utc(key.made):<20}  {until}\n")


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    raise SystemExit(main())
