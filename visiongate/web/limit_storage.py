"""Login attempts that all processes of a machine count together, as ``limits`` wants them kept."""

from __future__ import annotations

from limits.storage import Storage

from visiongate.contracts import AttemptStore
from visiongate.errors import StoreUnavailable

__all__ = ["SharedStorage"]


class SharedStorage(Storage):
    """Counts in fixed windows, in an AttemptStore."""

    STORAGE_SCHEME = None  # made here alone, not by an address

    def __init__(self, attempts: AttemptStore) -> None:
        super().__init__()
        self._attempts = attempts

    @property
    def base_exceptions(self) -> type[Exception]:
        return StoreUnavailable

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return self._attempts.count(key, expiry, amount)

    def get(self, key: str) -> int:
        return self._attempts.window(key)[0]

    def get_expiry(self, key: str) -> float:
        return self._attempts.window(key)[1]

    def check(self) -> bool:
        """Tell whether attempts can be counted."""
        try:
            self._attempts.window("")
        except StoreUnavailable:
            return False
        return True

    def reset(self) -> int | None:
        self._attempts.forget()
        return None

    def clear(self, key: str) -> None:
        self._attempts.forget(key)
