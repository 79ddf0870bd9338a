"""How often logins may be tried, for one user name and from one address."""

from __future__ import annotations

import hashlib
import ipaddress
import time
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import parse_many
from limits.errors import ConfigurationError as LimitsConfigurationError
from limits.storage import Storage

from visiongate.errors import ConfigurationError, TooManyRequests

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["LoginLimits", "init_app", "login_limits"]

_EXTENSION = "visiongate.login_limits"


class LoginLimits:
    """Counts login attempts. While its storage is out of reach it counts in memory instead.

    Raises:
        ConfigurationError: a rate or the storage's address cannot be understood.
    """

    def __init__(self, app: Flask, *, per_user: str, per_address: str, storage: str) -> None:
        for name, rate in (("per_user", per_user), ("per_address", per_address)):
            try:
                parse_many(rate)
            except ValueError as error:
                raise ConfigurationError(
                    f"VISIONGATE_LOGIN_RATE_{name.upper()}: {rate!r} is no rate; "
                    'write, for example, "10 per minute" or "5/second;100/hour".'
                ) from error
        self._limiter = Limiter(
            _address, storage_uri=storage, in_memory_fallback_enabled=True, swallow_errors=True
        )
        try:
            self._limiter.init_app(app)
        except (LimitsConfigurationError, ValueError) as error:
            raise ConfigurationError(f"VISIONGATE_RATE_LIMIT_STORAGE: {error}") from error

        # The key comes from the request, so that one decorated function serves them all.
        @self._limiter.limit(per_user, key_func=lambda: cast(str, g.login_name))
        def count_user() -> None:
            """Count an attempt for the name in ``g.login_name``."""

        @self._limiter.limit(per_address, key_func=_address)
        def count_address() -> None:
            """Count an attempt from the request's address."""

        self._count_user = count_user
        self._count_address = count_address

    @property
    def storage(self) -> Storage:
        """Where attempts are counted."""
        return self._limiter.storage

    def count_address(self) -> None:
        """Count an attempt from this address. Raises: TooManyRequests."""
        self._count(self._count_address, "from this address")

    def count_user(self, username: str) -> None:
        """Count an attempt for this name, known or not. Raises: TooManyRequests."""
        g.login_name = _digest(username)
        self._count(self._count_user, "for this user")

    def _count(self, count: Callable[[], None], whose: str) -> None:
        try:
            count()
        except RateLimitExceeded as breach:
            seconds = self._seconds_left(breach)
            raise TooManyRequests(
                f"Too many login attempts {whose} ({breach.description}). "
                f"Try again in {seconds} s.",
                retry_after=seconds,
            ) from None

    def _seconds_left(self, breach: RateLimitExceeded) -> int:
        limit = self._limiter.current_limit
        try:
            reset = limit.reset_at if limit is not None else 0
        except Exception:  # noqa: BLE001 - the storage may be any, and gone; the answer is 429 still
            reset = 0
        whole = breach.limit.limit.get_expiry()
        left = int(reset - time.time()) + 1
        return left if 0 < left <= whole else whole


def init_app(app: Flask, services: Services) -> None:
    """Count login attempts by the rates in the settings."""
    settings = services.settings
    app.extensions[_EXTENSION] = LoginLimits(
        app,
        per_user=settings.login_rate_per_user,
        per_address=settings.login_rate_per_address,
        storage=settings.rate_limit_storage,
    )


def login_limits() -> LoginLimits:
    """Return the limits of the app that handles this request."""
    return cast(LoginLimits, current_app.extensions[_EXTENSION])


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
