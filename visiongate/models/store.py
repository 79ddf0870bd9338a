"""Weights by name: in the cache, in a mirror, or fetched; always the bytes that the manifest names.

A file is used only when its size and SHA-256 are right. Downloads are locked across processes and
moved into place when complete. The cache uses the manifest's file names, so that the cache of a
machine with a network is a mirror for one without.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.models.background import FAILURE_LASTS_SECONDS, BackgroundFetch
from visiongate.models.download import Failed, Progress, Unreachable, download, shown
from visiongate.models.manifest import Manifest, Model, get_model, load_manifest

__all__ = ["FileModelStore"]

_WAIT_SECONDS = 8.0
_LOCK_SECONDS = 600.0
_BLOCK = 1 << 20
_OFFLINE = "fetching is switched off (VISIONGATE_OFFLINE)"


class FileModelStore:
    """Models in a folder, ``cache``; what is missing comes from ``mirror``, then the manifest.

    ``mirror`` is a folder, whose files are used where they lie, or an http(s) address, to which
    the file's name is added. With ``offline`` nothing is fetched, from an http mirror neither.
    ``wait_seconds`` is how long ``path`` waits for a download that goes on in the background.
    """

    def __init__(
        self,
        cache: Path,
        *,
        mirror: str = "",
        offline: bool = False,
        manifest: Manifest | None = None,
        wait_seconds: float = _WAIT_SECONDS,
    ) -> None:
        self._cache = cache
        self._address = mirror if mirror.startswith(("http://", "https://")) else ""
        self._folder = Path(mirror).expanduser() if mirror and not self._address else None
        self._offline = offline
        self._manifest = load_manifest() if manifest is None else manifest
        self._wait_seconds = wait_seconds
        self._fetches: dict[str, BackgroundFetch] = {}
        self._checked: dict[tuple[Path, int, int, int], bool] = {}
        self._silent_hosts: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def cache_dir(self) -> Path:
        folder = self._cache / "derived"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelUnavailable(f"The folder {folder} cannot be made: {error}") from error
        return folder

    def path(self, name: str) -> Path:
        """Return the file, fetched first if need be.

        A download goes on in the background; while it does, and for a minute after it failed,
        callers are answered without starting another.

        Raises:
            ModelUnavailable: unknown, absent, damaged or still on its way (with ``retry_after``).
        """
        model = get_model(name, self._manifest)
        found = self.find(name)
        if found is not None:
            return found
        if self._offline:
            raise self._missing(model, [_OFFLINE])
        with self._lock:
            fetch = self._fetches.get(name)
            if fetch is None or fetch.is_over():
                fetch = self._fetches[name] = BackgroundFetch(
                    lambda note: self.fetch(name, progress=note), model
                )
        return fetch.wait(self._wait_seconds)

    def present_only(self) -> ModelStore:
        """Return a view of this store that never fetches, for a start that must not wait."""
        return _PresentOnly(self)

    def find(self, name: str) -> Path | None:
        """Return the file if it is here and right, in the cache or a mirror folder; else None."""
        model = get_model(name, self._manifest)
        for path in self._places(model):
            if self._problem(path, model) is None:
                return path
        return None

    def damage(self, name: str) -> list[str]:
        """Say of each file of that name that is here and wrong what is wrong with it."""
        model = get_model(name, self._manifest)
        problems = [self._problem(path, model) for path in self._places(model) if path.exists()]
        return [problem for problem in problems if problem is not None]

    def absence(self, name: str) -> ModelUnavailable:
        """Return the error that says how to get what is missing."""
        return self._missing(get_model(name, self._manifest), [])

    def fetch(self, name: str, *, retries: int = 0, progress: Progress | None = None) -> Path:
        """Get the file into the cache, from the mirror or the manifest's addresses, and wait.

        Raises:
            ModelUnavailable: no source gave the right file; says what each answered.
        """
        model = get_model(name, self._manifest)
        target = self._cache / model.file
        scratch = self._cache / f".{model.file}.part"
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            with FileLock(scratch.with_suffix(".lock"), timeout=_LOCK_SECONDS, poll_interval=0.1):
                if self._problem(target, model) is None:
                    return target
                return self._fetch(model, target, scratch, retries, progress)
        except Timeout:
            raise self._missing(
                model, ["another process has been fetching it for too long"]
            ) from None
        except OSError as error:
            raise self._missing(model, [f"{target} cannot be written: {error}"]) from error

    def _fetch(
        self, model: Model, target: Path, scratch: Path, retries: int, progress: Progress | None
    ) -> Path:
        mirrored = self.find(model.name)
        if mirrored is not None:
            scratch.mkdir(exist_ok=True)
            shutil.copyfile(mirrored, scratch / model.file)
            (scratch / model.file).replace(target)
            shutil.rmtree(scratch, ignore_errors=True)
            return target
        if self._offline:
            raise self._missing(model, [_OFFLINE])
        addresses = model.addresses
        if self._address:
            addresses = (f"{self._address.rstrip('/')}/{model.file}", *addresses)
        failures = []
        for address in addresses:
            # Where the network is closed, one model's wait for a host is enough for all.
            host = urlsplit(address).netloc
            if time.monotonic() < self._silent_hosts.get(host, 0.0):
                failures.append(f"{shown(address)}: its host could not be reached a moment ago")
                continue
            try:
                download(model, address, target, scratch, retries=retries, progress=progress)
            except Failed as failure:
                failures.append(str(failure))
                if isinstance(failure, Unreachable):
                    self._silent_hosts[host] = time.monotonic() + FAILURE_LASTS_SECONDS
            else:
                return target
        raise self._missing(model, failures)

    def _places(self, model: Model) -> list[Path]:
        folders = [self._cache] if self._folder is None else [self._cache, self._folder]
        return [folder / model.file for folder in folders]

    def _problem(self, path: Path, model: Model) -> str | None:
        """Say why ``path`` is not the model; None if it is. Hashes a file once until it changes."""
        try:
            stat = path.stat()
            if not path.is_file():
                return f"{path} is not a file"
            if stat.st_size != model.bytes:
                return f"{path} has {stat.st_size:,} bytes, not {model.bytes:,}"
            key = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns)
            if key not in self._checked:
                self._checked[key] = _sha256(path) == model.sha256
        except FileNotFoundError:
            return f"{path} is not there"
        except OSError as error:
            return f"{path} cannot be read: {error.strerror}"
        return None if self._checked[key] else f"{path} has another SHA-256 than the manifest"

    def _missing(self, model: Model, reasons: list[str]) -> ModelUnavailable:
        why = "; ".join([*self.damage(model.name), *reasons]) or "nothing has fetched it yet"
        mirror = self._folder or (shown(self._address) if self._address else None)
        elsewhere = (
            f"put {model.file} into the mirror, {mirror}"
            if mirror
            else f"name a folder or address that has {model.file} as VISIONGATE_MODEL_MIRROR"
        )
        return ModelUnavailable(
            f"The weights of {model.name} ({model.size}) are not on this machine: "
            f"{why}. Run `python -m visiongate.models pull {model.name}` with a network, "
            f"or {elsewhere}.",
            extra={"model": model.name},
        )


class _PresentOnly:
    """A store's files that are here already."""

    def __init__(self, store: FileModelStore) -> None:
        self._store = store

    def path(self, name: str) -> Path:
        found = self._store.find(name)
        if found is None:
            raise self._store.absence(name)
        return found

    def find(self, name: str) -> Path | None:
        return self._store.find(name)

    def cache_dir(self) -> Path:
        return self._store.cache_dir()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
