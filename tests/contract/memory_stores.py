"""Stores that forget: the contracts' shortest implementations, for tests that need any store."""

from __future__ import annotations

import builtins
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from visiongate.errors import UserExists, UserNotFound
from visiongate.types import Usage, User


class MemoryUserStore:
    def __init__(self) -> None:
        self._users: dict[str, User] = {}
        self._lock = threading.Lock()

    def get(self, username: str) -> User:
        try:
            return self._users[username]
        except KeyError:
            raise UserNotFound(username) from None

    def add(self, user: User) -> None:
        with self._lock:
            if user.username in self._users:
                raise UserExists(user.username)
            self._users[user.username] = user

    def update(self, user: User) -> None:
        self.modify(user.username, lambda _: user)

    def modify(self, username: str, change: Callable[[User], User]) -> User:
        with self._lock:
            after = change(self.get(username))
            if after.username != username:
                raise ValueError("a change may not rename")
            self._users[username] = after
        return after

    def remove(self, username: str, allow: Callable[[User], None] | None = None) -> None:
        with self._lock:
            user = self.get(username)
            if allow is not None:
                allow(user)
            del self._users[username]

    def list(self) -> builtins.list[User]:
        return [user for _, user in sorted(self._users.items())]

    def page(self, after: str, limit: int) -> builtins.list[User]:
        return [user for user in self.list() if user.username > after][:limit]


class MemoryRevocationStore:
    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._untils: dict[str, float] = {}
        self._lock = threading.Lock()

    def revoke(self, ids: Iterable[str], until: float) -> bool:
        wanted = set(ids)
        if until <= self._clock():
            return False
        with self._lock:
            good = not any(self.is_revoked(id_) for id_ in wanted)
            for id_ in wanted:
                self._untils[id_] = max(until, self._untils.get(id_, until))
        return good

    def is_revoked(self, *ids: str) -> bool:
        return any(self._untils.get(id_, 0) > self._clock() for id_ in ids)

    def close(self) -> None:
        """Nothing is held."""


class MemoryAttemptStore:
    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def count(self, key: str, seconds: float, attempts: int = 1) -> int:
        with self._lock:
            counted, until = self.window(key)
            end = self._clock() + seconds
            self._windows[key] = (counted + attempts, min(until, end) if counted else end)
            return counted + attempts

    def window(self, key: str) -> tuple[int, float]:
        found = self._windows.get(key)
        now = self._clock()
        return found if found is not None and found[1] > now else (0, now)

    def forget(self, key: str | None = None) -> None:
        with self._lock:
            if key is None:
                self._windows.clear()
            else:
                self._windows.pop(key, None)

    def close(self) -> None:
        """Nothing is held."""


class MemoryUsageStore:
    def __init__(self) -> None:
        self._usage: dict[str, Usage] = {}
        self._lock = threading.Lock()

    def used(self, username: str, day: int) -> Usage:
        usage = self._usage.get(username)
        if usage is None or usage.day < day:
            return Usage(day)
        return usage if usage.day == day + 1 else replace(usage, day=day)

    def charge(
        self,
        username: str,
        day: int,
        pixels: int,
        *,
        most_requests: int | None,
        most_pixels: int | None,
    ) -> tuple[bool, Usage]:
        with self._lock:
            before = self.used(username, day)
            after = Usage(before.day, before.requests + 1, before.pixels + pixels)
            for used, most in ((after.requests, most_requests), (after.pixels, most_pixels)):
                if most is not None and used > most:
                    return False, before
            self._usage[username] = after
            return True, after

    def give_back(self, username: str, day: int, pixels: int) -> None:
        with self._lock:
            now = self.used(username, day)
            self._usage[username] = Usage(
                now.day, max(0, now.requests - 1), max(0, now.pixels - pixels)
            )

    def close(self) -> None:
        """Nothing is held."""
