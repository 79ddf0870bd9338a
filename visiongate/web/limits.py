"""How often logins may be tried, for one user name and from one address."""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import math
import threading
import time
import unicodedata
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, request
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError as LimitsConfigurationError
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from visiongate.contracts import AttemptStore
from visiongate.errors import ConfigurationError, TooManyRequests
from visiongate.web.limit_storage import SharedStorage

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["LoginLimits", "init_app", "login_limits"]

_SHARED = "file://"
_EXTENSION = "visiongate.login_limits"
_TRY_AGAIN_SECONDS = 5.0
"""How long a storage that failed is left alone: waiting for it may take each attempt seconds."""
_log = logging.getLogger(__name__)


class LoginLimits:
    """Counts login attempts. While its storage is out of reach it counts in memory instead.

    Args:
        storage: ``file://`` for ``attempts``, or an address that ``limits`` understands.

    Raises:
        ConfigurationError: a rate or the storage's address cannot be understood.
    """

    def __init__(
        self, *, per_user: str, per_address: str, storage: str, attempts: AttemptStore
    ) -> None:
        self._per_user = _rates("per_user", per_user)
        self._per_address = _rates("per_address", per_address)
        self.storage = _storage(storage, attempts)
        self._counter = FixedWindowRateLimiter(self.storage)
        self._in_memory = FixedWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._failed_until = -math.inf

    def count_address(self) -> None:
        """Count an attempt from this address. Raises: TooManyRequests."""
        self._count(self._per_address, _address(), "address", "from this address")

    def count_user(self, username: str) -> None:
        """Count an attempt for this name, known or not. Raises: TooManyRequests."""
        self._count(self._per_user, _digest(username), "user", "for this user")

    def _count(self, rates: list[RateLimitItem], key: str, kind: str, whose: str) -> None:
        # The shortest first; what is refused by one is not counted by those after it.
        for rate in rates:
            seconds = self._hit(rate, kind, key)
            if seconds is not None:
                raise TooManyRequests(
                    f"Too many login attempts {whose} ({rate}). Try again in {seconds} s.",
                    retry_after=seconds,
                )

    def _hit(self, rate: RateLimitItem, *key: str) -> int | None:
        """Count an attempt; return how many seconds to wait where it is one too many."""
        if self._is_its_turn():
            try:
                refused = not self._counter.hit(rate, *key)
            except Exception as error:  # noqa: BLE001 - the storage may be any, and so its errors
                self._turn_to_memory(error)
            else:
                self._failed_until = -math.inf
                return _seconds_left(self._counter, rate, *key) if refused else None
        refused = not self._in_memory.hit(rate, *key)
        return _seconds_left(self._in_memory, rate, *key) if refused else None

    def _is_its_turn(self) -> bool:
        """Tell whether to ask the storage: it has not failed, or this attempt is to try it again.

        Only one attempt is, since it may have to wait for it for seconds.
        """
        with self._lock:
            if self._failed_until == -math.inf:
                return True
            now = time.monotonic()
            if now < self._failed_until:
                return False
            self._failed_until = now + _TRY_AGAIN_SECONDS
            return True

    def _turn_to_memory(self, error: Exception) -> None:
        with self._lock:
            self._failed_until = time.monotonic() + _TRY_AGAIN_SECONDS
        _log.warning(
            "login attempts are counted in this process alone: the storage of "
            "VISIONGATE_RATE_LIMIT_STORAGE failed (%s); python -m visiongate.doctor tells more",
            type(error).__name__,
        )


def init_app(app: Flask, services: Services) -> None:
    """Count login attempts by the rates in the settings."""
    settings = services.settings
    app.extensions[_EXTENSION] = LoginLimits(
        per_user=settings.login_rate_per_user,
        per_address=settings.login_rate_per_address,
        storage=settings.rate_limit_storage,
        attempts=services.attempts,
    )


def login_limits() -> LoginLimits:
    """Return the limits of the app that handles this request."""
    return cast(LoginLimits, current_app.extensions[_EXTENSION])


def _storage(address: str, attempts: AttemptStore) -> Storage:
    if address == _SHARED:
        return SharedStorage(attempts)
    try:
        return cast(Storage, storage_from_string(address))
    except (LimitsConfigurationError, ValueError) as error:
        raise ConfigurationError(f"VISIONGATE_RATE_LIMIT_STORAGE: {error}") from error


def _rates(name: str, rates: str) -> list[RateLimitItem]:
    try:
        return sorted(parse_many(rates))
    except ValueError as error:
        raise ConfigurationError(
            f"VISIONGATE_LOGIN_RATE_{name.upper()}: {rates!r} is no rate; "
            'write, for example, "10 per minute" or "5/second;100/hour".'
        ) from error


def _seconds_left(counter: FixedWindowRateLimiter, rate: RateLimitItem, *key: str) -> int:
    whole = rate.get_expiry()
    try:
        left = int(counter.get_window_stats(rate, *key).reset_time - time.time()) + 1
    except Exception:  # noqa: BLE001 - the storage may be gone by now; the answer is 429 still
        return whole
    return left if 0 < left <= whole else whole


def _address() -> str:
    """Return the client's address; of IPv6 the first 64 bits, which one customer has whole."""
    address = request.remote_addr or "local"
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False).network_address)
    return address


def _digest(username: str) -> str:
    """Return a short key for the name, so that neither case nor form makes it another one."""
    name = unicodedata.normalize("NFKC", username).casefold().strip()
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
