"""Quotas: how many pictures, and how many megapixels, a user may have looked at in a day.

A day is one of UTC. Each picture counts as one request, however many of them came together, and
is charged once its size is known from its header, before the work of decoding it begins. Users
without a limit are not counted, and cost nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from visiongate.audit import Audit, EventName
from visiongate.contracts import UsageStore
from visiongate.errors import QuotaExceeded, StoreUnavailable, Unavailable
from visiongate.types import Usage, User

__all__ = [
    "DAY_SECONDS",
    "MAX_QUOTA",
    "Allowance",
    "Charge",
    "Limits",
    "Quotas",
    "Standing",
]

Charge: TypeAlias = Callable[[int, int], None]
"""Charges for a picture of this width and height. Raises: QuotaExceeded, StoreUnavailable."""

DAY_SECONDS = 86_400
MAX_QUOTA = 1_000_000_000
"""Largest number that can be set; as megapixels, its pixels still fit into 64 bits."""
_MEGA = 1_000_000
_log = logging.getLogger(__name__)


class Limits(NamedTuple):
    """A user's limits for a day; 0 is no limit."""

    requests: int
    megapixels: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """One quota: its limit, what is used of it, and what is left, never below zero."""

    limit: int
    used: float

    @property
    def left(self) -> float:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a user stands today; None where there is no limit.

    ``resets`` is when the counts begin anew, in Unix seconds, ``resets_in`` in seconds from now.
    """

    requests: Allowance | None
    megapixels: Allowance | None
    resets: float
    resets_in: float


class Quotas:
    """The quotas of all users. Methods raise StoreUnavailable if the store cannot be used.

    ``requests_per_day`` and ``megapixels_per_day`` hold for users who have none of their own;
    0 is no limit. ``clock`` gives Unix seconds.
    """

    def __init__(
        self,
        store: UsageStore,
        *,
        requests_per_day: int = 0,
        megapixels_per_day: int = 0,
        audit: Audit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._audit = audit
        self._default = Limits(requests_per_day, megapixels_per_day)
        self._clock = clock

    def limits(self, user: User) -> Limits:
        """Return the limits that hold for this user."""
        requests, megapixels = user.requests_per_day, user.megapixels_per_day
        return Limits(
            self._default.requests if requests is None else requests,
            self._default.megapixels if megapixels is None else megapixels,
        )

    @contextmanager
    def metered(self, user: User) -> Iterator[Charge | None]:
        """Give what charges this user for one picture; None where there is no limit.

        What was charged is given back if the ``with`` block ends because something was not
        available: that is the gateway's fault. Refusals are recorded.

        Raises:
            QuotaExceeded: at once if nothing is left, or from the charge.
        """
        limits = self.limits(user)
        if not any(limits):
            yield None
            return
        charged: list[tuple[int, int]] = []

        def charge(width: int, height: int) -> None:
            pixels = width * height
            charged.append((self._charge(user.username, limits, pixels), pixels))

        try:
            self._check(user.username, limits)
            yield charge
        except QuotaExceeded as error:
            if self._audit is not None:
                self._audit.record_refusal(EventName.QUOTA_EXCEEDED, error.code, error.extra)
            raise
        except Unavailable:
            for day, pixels in charged:
                self._give_back(user.username, day, pixels)
            raise

    def standing(self, user: User) -> Standing:
        """Tell what is left for this user today."""
        limits = self.limits(user)
        today = self._today()
        used = self._store.used(user.username, today) if any(limits) else Usage(today)
        resets = float((used.day + 1) * DAY_SECONDS)
        return Standing(
            Allowance(limits.requests, used.requests) if limits.requests else None,
            Allowance(limits.megapixels, used.pixels / _MEGA) if limits.megapixels else None,
            resets,
            resets - self._clock(),
        )

    def close(self) -> None:
        """Give back what is held open."""
        self._store.close()

    def _check(self, username: str, limits: Limits) -> None:
        used = self._store.used(username, self._today())
        if limits.requests and used.requests >= limits.requests:
            raise self._exceeded("requests", limits, used)
        if limits.megapixels and used.pixels >= limits.megapixels * _MEGA:
            raise self._exceeded("megapixels", limits, used)

    def _charge(self, username: str, limits: Limits, pixels: int) -> int:
        """Charge one picture; return the day that it was charged to. Raises: QuotaExceeded."""
        granted, used = self._store.charge(
            username,
            self._today(),
            pixels,
            most_requests=limits.requests or None,
            most_pixels=limits.megapixels * _MEGA or None,
        )
        if granted:
            return used.day
        if limits.requests and used.requests >= limits.requests:
            raise self._exceeded("requests", limits, used)
        raise self._exceeded("megapixels", limits, used, pixels)

    def _give_back(self, username: str, day: int, pixels: int) -> None:
        """Undo a charge, for work that the gateway could not do."""
        try:
            self._store.give_back(username, day, pixels)
        except StoreUnavailable as error:
            # The failure that leads here is the one that the caller must hear of.
            _log.warning("a charge to %r could not be given back: %s", username, error.detail)

    def _today(self) -> int:
        return int(self._clock() // DAY_SECONDS)

    def _exceeded(
        self,
        which: Literal["requests", "megapixels"],
        limits: Limits,
        used: Usage,
        pixels: int = 0,
    ) -> QuotaExceeded:
        limit = getattr(limits, which)
        now = used.requests if which == "requests" else round(used.pixels / _MEGA, 1)
        resets = (used.day + 1) * DAY_SECONDS
        seconds = math.ceil(resets - self._clock())
        extra = {"quota": which, "limit": limit, "used": now, "resets_in": seconds}
        if pixels > limit * _MEGA and which == "megapixels":
            return QuotaExceeded(
                f"This picture has {pixels / _MEGA:.1f} megapixels, more than the {limit} that "
                "you may send in a whole day. Send a smaller one.",
                extra=extra,
            )
        this = f", and this picture has {pixels / _MEGA:.1f}" if pixels else ""
        what = "pictures" if which == "requests" else "megapixels"
        return QuotaExceeded(
            f"You may send {limit} {what} a day; {now} are used{this}. The count begins anew at "
            f"midnight UTC, in {_in_words(seconds)}. An admin can raise it.",
            retry_after=seconds,
            extra=extra,
        )


def _in_words(seconds: int) -> str:
    """Return how long that is, no shorter: in minutes and hours where it is long."""
    if seconds <= 60:
        return f"{seconds} s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
