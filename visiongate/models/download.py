"""Fetch one model over HTTP: bounded, checked, and in place only when whole and right.

pooch downloads to a temporary file, compares the SHA-256 and tries again; what is added here is a
limit on bytes and time, so that a hostile or broken server cannot fill the disk or hold us.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from visiongate.models.manifest import Model

__all__ = ["Failed", "Progress", "Unreachable", "download", "shown"]

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the bytes that have come and the bytes that are expected."""

_CONNECT_SECONDS = 3.0
_READ_SECONDS = 15.0
_CHUNK = 1 << 16
# A download slower than this for its whole length is given up.
_SLOWEST_BYTES_PER_SECOND = 20_000
_GRACE_SECONDS = 60.0


class Failed(Exception):
    """This address did not give the file; the message says why."""


class Unreachable(Failed):
    """Nobody answers at this address's host."""


def download(
    model: Model,
    address: str,
    target: Path,
    scratch: Path,
    *,
    retries: int = 0,
    progress: Progress | None = None,
) -> None:
    """Fetch ``model`` from ``address`` to ``target``, which then appears whole or not at all.

    ``scratch`` is a folder beside it of this download alone, held under a lock; what an earlier,
    interrupted one left there is removed. A refusal (4xx) is final; what may be an accident is
    tried again ``retries`` times.

    Raises:
        Failed: refused, too slow, or not the file that the manifest describes.
        Unreachable: there is no connection to be had.
        OSError: the file cannot be written.
    """
    import pooch
    from requests import ConnectionError as NoConnection
    from requests import RequestException

    pooch.get_logger().setLevel("ERROR")  # it speaks on stderr; what happens is told by our errors
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        fetcher = pooch.create(
            path=scratch,
            base_url="",
            registry={model.file: f"sha256:{model.sha256}"},
            urls={model.file: address},
            retry_if_failed=retries,
        )
        arrived = fetcher.fetch(model.file, downloader=_Downloader(model, progress))
        Path(arrived).replace(target)
    except RequestException as error:
        kind = Unreachable if isinstance(error, NoConnection) else Failed
        raise kind(f"{shown(address)}: {_reason(error)}") from error
    except ValueError as error:
        raise Failed(
            f"{shown(address)} gives another file: its SHA-256 or its size is not the manifest's"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def shown(address: str) -> str:
    """Return the address without the name and password that may be in it."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class _Downloader:
    """pooch's HTTP downloader, within limits."""

    def __init__(self, model: Model, progress: Progress | None) -> None:
        self._model = model
        self._progress = progress

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:  # noqa: ARG002 - pooch's signature
        from pooch import HTTPDownloader
        from requests import HTTPError

        fetch = HTTPDownloader(chunk_size=_CHUNK, timeout=(_CONNECT_SECONDS, _READ_SECONDS))
        with Path(output_file).open("wb") as stream:
            bounded = _Bounded(stream, self._model, self._progress, shown(url))
            try:
                fetch(url, bounded, pooch)
            except HTTPError as error:
                if error.response.status_code < 500:
                    raise Failed(f"{shown(url)}: {_reason(error)}") from error
                raise
            if bounded.written != self._model.bytes:
                raise ValueError("truncated")


class _Bounded:
    """A file that refuses more bytes, or more time, than the model takes."""

    def __init__(
        self, stream: IO[bytes], model: Model, progress: Progress | None, address: str
    ) -> None:
        self.written = 0
        self._stream = stream
        self._model = model
        self._progress = progress
        self._address = address
        self._until = time.monotonic() + _GRACE_SECONDS + model.bytes / _SLOWEST_BYTES_PER_SECOND

    def write(self, data: bytes) -> int:
        self.written += len(data)
        if self.written > self._model.bytes:
            raise Failed(
                f"{self._address} gives another file: more than {self._model.bytes:,} bytes"
            )
        if time.monotonic() > self._until:
            raise Failed(f"{self._address} is too slow: gave up after {self.written:,} bytes")
        if self._progress is not None:
            self._progress(self.written, self._model.bytes)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()


def _reason(error: Exception) -> str:
    """Say in a few words why a request failed; requests' own words run to several lines."""
    from requests import ConnectionError as NoConnection
    from requests import HTTPError, Timeout
    from requests.exceptions import ChunkedEncodingError

    if isinstance(error, HTTPError):
        return f"answered {error.response.status_code}"
    if isinstance(error, NoConnection):
        return "cannot be reached"
    if isinstance(error, Timeout):
        return "did not answer in time"
    if isinstance(error, ChunkedEncodingError):
        return "broke off in the middle"
    return type(error).__name__
