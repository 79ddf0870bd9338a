"""The composition root: the one file that names concrete classes and wires them.

Concrete classes are imported where they are made, so that the command line for users loads
neither pictures nor detectors.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from visiongate.errors import DetectorDisabled, VisiongateError
from visiongate.settings import Settings
from visiongate.types import DetectorState, Device

if TYPE_CHECKING:
    from visiongate.audit import Audit
    from visiongate.contracts import (
        AttemptStore,
        Detector,
        InferenceEngine,
        ModelStore,
        PictureStore,
        RevocationStore,
        UserStore,
    )
    from visiongate.fetching.fetcher import Fetcher
    from visiongate.keys import KeyRing
    from visiongate.models.store import FileModelStore
    from visiongate.pipeline import Pipeline
    from visiongate.quotas import Quotas
    from visiongate.registry import Entry, Registry
    from visiongate.retention import FilePictureStore, Sweeper
    from visiongate.types import Image
    from visiongate.users import Users

__all__ = [
    "Readiness",
    "Services",
    "build_fetcher",
    "build_models",
    "build_services",
    "build_users",
    "cores",
    "cores_each",
    "places",
]

_PROBE = Path(__file__).with_name("probe.jpg")
_SECONDS_A_DAY = 86_400.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether every enabled detector has answered the probe; why not, for each that has not.

    ``without_model`` names those whose weights are not on this machine: they answer 503 until
    somebody fetches them, and the others are no less ready for that.
    """

    detectors: Mapping[str, str | None]
    without_model: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return bool(self.detectors) and all(reason is None for reason in self.detectors.values())


@dataclass
class Services:
    """Everything that a request may need. Made by ``build_services``; closed once, at the end."""

    settings: Settings
    users: Users
    user_store: UserStore
    revocations: RevocationStore
    attempts: AttemptStore
    quotas: Quotas
    audit: Audit
    keys: KeyRing
    pictures: PictureStore | None
    models: ModelStore
    registry: Registry
    engine: InferenceEngine
    pipeline: Pipeline
    device: Device
    probe: Image
    fetcher: Fetcher
    _sweeper: Sweeper | None = None
    _loader: threading.Thread | None = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def detector(self, entry: Entry) -> Detector:
        """Return the entry's detector, loaded. Raises as ``Entry.ready`` does."""
        return entry.ready(self.models, self.device, self.probe)

    def start(self) -> None:
        """Start what runs in the background: sweeping, and loading where that is asked for."""
        if self._sweeper is not None:
            self._sweeper.start()
        if self.settings.preload:
            self.preload()

    def preload(self) -> None:
        """Load every enabled detector in the background, once; failures stay with entries."""
        with self._lock:
            if self._loader is None:
                self._loader = threading.Thread(target=self._load_all, name="load", daemon=True)
                self._loader.start()

    def readiness(self) -> Readiness:
        """Tell which enabled detectors have answered a picture of known content."""
        self.preload()
        reasons: dict[str, str | None] = {}
        missing = []
        for entry in self.registry:
            if entry.state is DetectorState.READY:
                reasons[entry.name] = None
            elif entry.lacks_model:
                missing.append(entry.name)
            elif entry.state is not DetectorState.DISABLED:
                reasons[entry.name] = entry.reason or "still loading"
        return Readiness(reasons, tuple(missing))

    def close(self) -> None:
        """Let what runs finish, then stop."""
        self.engine.close()
        if self._sweeper is not None:
            self._sweeper.stop()
        self.fetcher.close()
        self.users.close()
        self.revocations.close()
        self.attempts.close()
        self.quotas.close()
        self.audit.close()

    def _load_all(self) -> None:
        # Compiling a network keeps one core busy: as many at once as there are cores.
        with ThreadPoolExecutor(self.device.threads, "load") as pool:
            for _ in pool.map(self._load, self.registry):
                pass

    def _load(self, entry: Entry) -> None:
        try:
            self.detector(entry)
        except DetectorDisabled:
            return
        except VisiongateError as error:
            _log.warning("detector %s is not available: %s", entry.name, error.detail)


def build_services(settings: Settings) -> Services:
    """Wire the gateway for these settings; loads no model and opens no port.

    Raises:
        ConfigurationError: the settings contradict what is installed.
        StoreUnavailable: the data folder cannot be used.
    """
    from db.attempts import SQLiteAttemptStore
    from db.revocations import SQLiteRevocationStore
    from db.usage import SQLiteUsageStore
    from visiongate.audit import open_audit
    from visiongate.engines.local import LocalEngine
    from visiongate.imaging import Limits, decode
    from visiongate.keys import KeyRing
    from visiongate.pipeline import Pipeline
    from visiongate.quotas import Quotas
    from visiongate.registry import Registry
    from visiongate.retention import Sweeper
    from visiongate.runtimes.openvino import forbid_reports

    # Here, so that it also holds for plugins that import OpenVINO by themselves.
    forbid_reports()
    # Before any part makes it with the usual, wider mode; a folder that cannot be made is
    # reported by the store that needs it.
    with suppress(OSError):
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    concurrency = places(settings)
    own = cores_each(settings)
    device = Device(settings.device, threads=own, streams=min(concurrency, own))
    limits = Limits(settings.max_upload_bytes, settings.max_pixels)
    audit = open_audit(settings)
    store, users = build_users(settings, audit)
    quotas = Quotas(
        SQLiteUsageStore(settings.data_dir / "usage.db"),
        requests_per_day=settings.requests_per_day,
        megapixels_per_day=settings.megapixels_per_day,
        audit=audit,
    )
    kept = _build_pictures(settings)
    pictures = kept if settings.retention == "on" else None
    registry = Registry.discover(settings.detectors, settings.detectors_disabled)
    engine = LocalEngine(concurrency, settings.max_waiting)
    models = build_models(settings)
    probe = decode(_PROBE.read_bytes(), Limits(1_000_000, 1_000_000)).pixels
    return Services(
        settings=settings,
        users=users,
        user_store=store,
        revocations=SQLiteRevocationStore(settings.data_dir / "revoked.db"),
        attempts=SQLiteAttemptStore(settings.data_dir / "attempts.db"),
        quotas=quotas,
        audit=audit,
        keys=KeyRing(settings.data_dir / "keys.json"),
        pictures=pictures,
        models=models,
        registry=registry,
        engine=engine,
        pipeline=Pipeline(
            registry,
            engine,
            limits,
            ready=lambda entry: entry.ready(models, device, probe),
            pictures=pictures,
            is_current=users.is_current,
            deadline_seconds=settings.deadline_ms / 1000,
            device=device.name,
            shrink=settings.jpeg_decoding == "scaled",
            quotas=quotas,
            audit=audit,
        ),
        device=device,
        probe=probe,
        fetcher=build_fetcher(settings),
        # Also with retention off: what was kept before it was switched off still gets old.
        _sweeper=Sweeper(kept, settings.sweep_seconds, lambda: kept.is_filling),
    )


def build_users(settings: Settings, audit: Audit | None = None) -> tuple[UserStore, Users]:
    """Wire the accounts alone, for the command line: no detector, no picture."""
    from db.tinydb_store import TinyDBUserStore
    from visiongate.audit import open_audit
    from visiongate.users import Users

    store = TinyDBUserStore(settings.data_dir / "users.json")
    users = Users(
        store,
        bcrypt_rounds=settings.bcrypt_rounds,
        audit=audit or open_audit(settings),
        forget=lambda username: _forget_pictures(settings, username),
    )
    return store, users


def _forget_pictures(settings: Settings, username: str) -> int:
    # Also with retention off: pictures may be left of a time when it was on. Where none was ever
    # kept, the command line is spared what it takes to read one.
    return _build_pictures(settings).forget(username) if settings.images_dir.exists() else 0


def _build_pictures(settings: Settings) -> FilePictureStore:
    from visiongate.retention import FilePictureStore

    return FilePictureStore(
        settings.images_dir,
        max_age_seconds=settings.retention_days * _SECONDS_A_DAY,
        max_bytes=settings.retention_max_bytes,
    )


def build_models(settings: Settings) -> FileModelStore:
    """Wire the models alone, for the command line."""
    from visiongate.models.store import FileModelStore

    return FileModelStore(
        settings.data_dir / "models", mirror=settings.model_mirror, offline=settings.offline
    )


def build_fetcher(settings: Settings) -> Fetcher:
    """Wire what fetches pictures from addresses."""
    from visiongate.fetching.fetcher import Fetcher

    return Fetcher(
        settings.url_hosts,
        settings.url_private_hosts,
        max_bytes=settings.max_upload_bytes,
        seconds=settings.url_seconds,
    )


def places(settings: Settings) -> int:
    """Return how many requests may be decoded and judged at once; networks run one a core.

    Two a core by default: while one request waits for Python's interpreter lock, another keeps the
    core busy. Measured with ``make bench``, that gained a tenth at saturation, and more nothing.
    """
    return settings.concurrency or 2 * cores_each(settings)


def cores_each(settings: Settings) -> int:
    """Return how many cores one worker plans with: several share them out.

    A worker cannot know whether the others are idle. Each that planned with all cores would hold
    its networks once for every core, and would get in the others' way.
    """
    workers = 1 if sys.platform == "win32" else settings.workers
    return -(-cores() // workers)


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
