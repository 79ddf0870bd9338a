"""A download that goes on while those who asked for it are told how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from visiongate.errors import ModelUnavailable
from visiongate.models.download import Progress
from visiongate.models.manifest import Model

__all__ = ["FAILURE_LASTS_SECONDS", "BackgroundFetch"]

FAILURE_LASTS_SECONDS = 60.0
"""So long a failure stands before the next request tries again."""


class BackgroundFetch:
    """One download in the background, and what became of it."""

    def __init__(self, fetch: Callable[[Progress], Path], model: Model) -> None:
        self._fetch = fetch
        self._model = model
        self._done = threading.Event()
        self._progress = (0, model.bytes)
        self._path: Path | None = None
        self._error: ModelUnavailable | None = None
        self._ended = 0.0
        # A daemon: a gateway told to stop must not wait for a slow server; the part file stays
        # behind and the next fetch removes it.
        threading.Thread(target=self._run, name=f"fetch {model.name}", daemon=True).start()

    def is_over(self) -> bool:
        """Tell whether what became of it no longer counts."""
        if not self._done.is_set():
            return False
        return self._path is not None or self._remaining() <= 0

    def wait(self, seconds: float) -> Path:
        """Return the file once it is there. Raises: ModelUnavailable, also when it takes longer."""
        if not self._done.wait(seconds):
            done, total = self._progress
            raise ModelUnavailable(
                f"The weights of {self._model.name} are being fetched: {done / 1e6:.1f} of "
                f"{total / 1e6:.1f} MB so far. Try again in a moment.",
                retry_after=5.0,
                extra={"model": self._model.name},
            )
        if self._path is not None:
            return self._path
        assert self._error is not None
        raise ModelUnavailable(
            self._error.detail, retry_after=max(1.0, self._remaining()), extra=self._error.extra
        )

    def _remaining(self) -> float:
        return self._ended + FAILURE_LASTS_SECONDS - time.monotonic()

    def _run(self) -> None:
        try:
            self._path = self._fetch(self._note)
        except ModelUnavailable as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - whoever waits must be told, whatever it was
            self._error = ModelUnavailable(
                f"Fetching {self._model.name} failed: {type(error).__name__}: {error}"
            )
        finally:
            self._ended = time.monotonic()
            self._done.set()

    def _note(self, done: int, total: int) -> None:
        self._progress = (done, total)
