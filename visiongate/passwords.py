"""Hash and check passwords with bcrypt, off to the side so that detection keeps the processors."""

from __future__ import annotations

import math
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import bcrypt

from visiongate.errors import Overloaded, PasswordInvalid

__all__ = [
    "MAX_PASSWORD_BYTES",
    "MIN_PASSWORD_CHARACTERS",
    "PasswordHasher",
    "check_new_password",
    "encode_password",
    "is_hash",
]

T = TypeVar("T")

MAX_PASSWORD_BYTES = 72
"""bcrypt reads no more; version 5 of the library refuses what is longer."""
MIN_PASSWORD_CHARACTERS = 8
"""Of new passwords (NIST SP 800-63B); whoever has a shorter one from earlier still gets in."""

_NICENESS = 10  # under CFS about a tenth of the share that a thread of niceness 0 gets
_FASTEST = 4  # bcrypt's least cost
# The last character of the salt carries 2 bits, so only four of the 64 are canonical there.
_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z\d]{21}[.Oeu][./A-Za-z\d]{31}", re.A)


def encode_password(password: str) -> bytes:
    """Return the bytes that are hashed: UTF-8 of the NFC form (RFC 8265, OpaqueString).

    Raises:
        PasswordInvalid: empty, over 72 bytes, or with a character that cannot be kept.
    """
    try:
        encoded = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        raise PasswordInvalid(
            "The password has half of a surrogate pair in it, which is no character."
        ) from None
    if not encoded:
        raise PasswordInvalid("The password is empty.")
    if b"\0" in encoded:
        raise PasswordInvalid("The password has a NUL character in it, where others would cut it.")
    if len(encoded) > MAX_PASSWORD_BYTES:
        raise PasswordInvalid(
            f"The password is {len(encoded)} bytes long in UTF-8; bcrypt takes at most "
            f"{MAX_PASSWORD_BYTES} bytes (a letter such as é counts as 2, most emoji as 4). "
            "Choose a shorter one."
        )
    return encoded


def check_new_password(password: str) -> str:
    """Return the password, which somebody is about to have.

    Raises:
        PasswordInvalid: as ``encode_password`` does, and where it is under 8 characters.
    """
    encode_password(password)
    length = len(unicodedata.normalize("NFC", password))
    if length < MIN_PASSWORD_CHARACTERS:
        raise PasswordInvalid(
            f"The password is too short: it has {length} "
            f"character{'s' * (length != 1)}, and must have at least {MIN_PASSWORD_CHARACTERS}."
        )
    return password


def is_hash(text: str) -> bool:
    """Tell whether this is a hash as bcrypt writes it, one that a password can be checked by."""
    return _HASH.fullmatch(text) is not None


class PasswordHasher:
    """bcrypt at a cost of 2^``rounds``, on few threads of low priority.

    By default one thread for every four processors. At most ``max_waiting`` callers wait for one:
    fewer than the server has threads, so that a flood of logins cannot hold them all.
    """

    def __init__(self, rounds: int, *, workers: int | None = None, max_waiting: int = 16) -> None:
        self._rounds = rounds
        self._stand_in = _stand_in(rounds)
        self._workers = workers or max(1, _processors() // 4)
        self._places = threading.BoundedSemaphore(self._workers + max_waiting)
        self._full_line = self._workers + max_waiting
        self._seconds = 0.25  # of one job; replaced by what the last one took
        self._executor = ThreadPoolExecutor(
            self._workers, thread_name_prefix="password", initializer=_step_back
        )

    def hash(self, password: str) -> str:
        """Return bcrypt's string for a new password. Raises: PasswordInvalid, Overloaded."""
        encoded = encode_password(password)
        return self._run(lambda: bcrypt.hashpw(encoded, bcrypt.gensalt(self._rounds)).decode())

    def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password made the hash, always with the work of 2^``rounds``.

        A password that no hash can be of, and None or a damaged string in place of a hash, are
        answered False after the same work. A hash of a lower cost is topped up to it; one of a
        higher cost takes longer (see ``outdated``).

        Raises:
            Overloaded: too many are waiting; says when to come back.
        """
        try:
            encoded, possible = encode_password(password), True
        except PasswordInvalid:
            encoded, possible = b"not this one", False
        given = self._stand_in if password_hash is None else password_hash
        if not is_hash(given):  # asked of every one, so that none takes longer
            given = self._stand_in
        possible = possible and given is not self._stand_in
        return self._run(lambda: self._check(encoded, given)) and possible

    def outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made at another cost than the one now configured."""
        return _cost(password_hash) != self._rounds

    def close(self) -> None:
        """Finish what waits; take nothing more."""
        self._executor.shutdown()

    def _check(self, encoded: bytes, password_hash: str) -> bool:
        good = bcrypt.checkpw(encoded, password_hash.encode())
        # 2^c + (2^c + 2^(c+1) + ... + 2^(rounds-1)) = 2^rounds
        for cost in range(_cost(password_hash), self._rounds):
            bcrypt.checkpw(encoded, _stand_in(cost).encode())
        return good

    def _run(self, job: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            line = self._full_line * self._seconds / self._workers
            raise Overloaded(
                "Too many logins are waiting for their password to be checked.",
                retry_after=max(1, math.ceil(line)),
            )
        try:
            return self._executor.submit(self._timed, job).result()
        finally:
            self._places.release()

    def _timed(self, job: Callable[[], T]) -> T:
        begun = time.monotonic()
        try:
            return job()
        finally:
            self._seconds = time.monotonic() - begun


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cost(password_hash: str) -> int:
    return int(password_hash[4:6])


def _stand_in(cost: int) -> str:
    """Return a hash that checking against is real work of the given cost, and nobody's.

    Not one made by chance: 53 characters drawn one by one take long enough (70 us) for the time
    of a refused login to tell that its name does not exist.
    """
    return f"$2b${max(cost, _FASTEST):02d}${'.' * 53}"


def _step_back() -> None:
    """Lower the priority of this thread alone; on Linux each thread has its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with suppress(OSError):  # a sandbox may forbid it; then hashing competes as others do
            niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
            os.setpriority(os.PRIO_PROCESS, thread, min(niceness, 19))
