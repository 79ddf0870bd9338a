"""Find detectors, load each once, and know how each one stands.

Built-in detectors are listed here by name, because a bare checkout has no entry-point
metadata; those of other packages come from the entry-point group ``visiongate.detectors``.
Both are made and used in the same way.
"""

from __future__ import annotations

import importlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any

from visiongate.contracts import Detector, ModelStore
from visiongate.errors import (
    ConfigurationError,
    DetectorDisabled,
    DetectorUnavailable,
    DetectorUnknown,
    ModelUnavailable,
    VisiongateError,
)
from visiongate.types import DetectorInfo, DetectorState, Device, Image, PredictOptions

__all__ = ["BUILTIN", "GROUP", "Entry", "Registry"]

GROUP = "visiongate.detectors"

BUILTIN: Mapping[str, str] = {
    "face": "detectors.face:FaceDetector",
    "object": "detectors.object:ObjectDetector",
    "classify": "detectors.classify:ClassifyDetector",
    "gender": "detectors.gender:GenderDetector",
    "ethnicity": "detectors.ethnicity:EthnicityDetector",
}

_log = logging.getLogger(__name__)


class Entry:
    """One detector, and where it stands. Thread-safe."""

    def __init__(self, name: str, source: str, factory: Callable[[], Detector]) -> None:
        self.name = name
        self.source = source
        self.state = DetectorState.REGISTERED
        self.reason: str | None = None
        self.lacks_model = False
        self.detector: Detector | None = None
        self.options: Mapping[str, Any] = {}
        self._lock = threading.Lock()
        try:
            self.detector = factory()
            self.info: DetectorInfo | None = self.detector.info
            if self.info.name != name:
                raise ValueError(f"it calls itself {self.info.name!r}")
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - one broken plugin must not take the others along
            self.info = None
            self.detector = None
            self._break(f"cannot be made: {type(error).__name__}: {error}")

    def ready(self, models: ModelStore, device: Device, probe: Image) -> Detector:
        """Return the detector, loaded and proven on a picture of known content.

        The first caller loads; others wait for it. A model that was missing is looked for again
        at the next call, since it may have been fetched meanwhile; a broken plugin stays broken.

        Raises:
            DetectorDisabled, DetectorUnavailable, ModelUnavailable.
        """
        if self.state is DetectorState.READY and self.detector is not None:
            return self.detector
        with self._lock:
            self.check_enabled()
            if self.detector is None:
                raise DetectorUnavailable(f"Detector {self.name!r} {self.reason}")
            if self.state is not DetectorState.READY:
                self._load(self.detector, models, device, probe)
            return self.detector

    @property
    def is_loading(self) -> bool:
        """Whether somebody loads it, so that others who want it wait."""
        return self._lock.locked()

    def disable(self) -> None:
        self.state = DetectorState.DISABLED

    def check_enabled(self) -> None:
        """Raises: DetectorDisabled, when the operator has switched it off."""
        if self.state is DetectorState.DISABLED:
            raise DetectorDisabled(
                f"The operator has switched detector {self.name!r} off (detectors_disabled)."
            )

    def _load(self, detector: Detector, models: ModelStore, device: Device, probe: Image) -> None:
        try:
            detector.load(models, device)
            self._prove(detector, probe)
        except ModelUnavailable as error:
            self.lacks_model = True
            self._break(error.detail)
            raise
        except Exception as error:
            detail = error.detail if isinstance(error, VisiongateError) else str(error)
            self.detector = None
            self._break(f"cannot be loaded: {type(error).__name__}: {detail}")
            _log.exception("detector %s cannot be loaded", self.name)
            raise DetectorUnavailable(f"Detector {self.name!r} {self.reason}") from error
        self.info = detector.info
        self.reason = None
        self.lacks_model = False
        self.state = DetectorState.READY

    def _prove(self, detector: Detector, probe: Image) -> None:
        """Have the detector answer a picture of known content, also to warm it up."""
        expected = detector.info.probe_label
        found = detector.predict([probe], PredictOptions())[0]
        if expected is not None and all(d.label != expected for d in found):
            labels = ", ".join(sorted({d.label for d in found})) or "nothing"
            raise DetectorUnavailable(
                f"it answered {labels} for a picture that shows {expected!r}: wrong weights?"
            )

    def _break(self, reason: str) -> None:
        if self.state is not DetectorState.DISABLED:
            self.state = DetectorState.UNAVAILABLE
        self.reason = reason


class Registry:
    """All detectors by name, built-in ones first."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.name: entry for entry in entries}

    @classmethod
    def discover(
        cls,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        disabled: Iterable[str] = (),
    ) -> Registry:
        """Make every built-in and installed detector, with the options configured for it.

        Raises:
            ConfigurationError: two plugins of one name, or a name in the configuration that no
                detector has.
        """
        options = options or {}
        sources = dict.fromkeys(BUILTIN, "built in")
        targets: dict[str, Callable[[], Any]] = {
            name: lambda path=path: _import(path)  # type: ignore[misc]
            for name, path in BUILTIN.items()
        }
        for point in metadata.entry_points(group=GROUP):
            source = f"package {point.dist.name}" if point.dist else "an installed package"
            if point.name in sources:
                raise ConfigurationError(
                    f"Two detectors are called {point.name!r}: one is {sources[point.name]}, the "
                    f"other comes from {source}. Uninstall or rename one."
                )
            sources[point.name] = source
            targets[point.name] = point.load
        for name in (*options, *disabled):
            if name not in sources:
                raise ConfigurationError(
                    f"The configuration speaks of detector {name!r}; "
                    f"there are: {', '.join(sources)}."
                )
        entries = []
        for name, target in targets.items():
            chosen = dict(options.get(name, {}))
            entry = Entry(name, sources[name], lambda t=target, c=chosen: t()(**c))  # type: ignore[misc]
            entry.options = chosen
            if name in disabled:
                entry.disable()
            entries.append(entry)
        return cls(entries)

    def read_ahead(self, models: ModelStore) -> None:
        """Have the enabled detectors read what processes forked from this one will share.

        What fails is not told here: it fails again, and is told, when the detector is loaded.
        """
        for entry in self:
            read = getattr(entry.detector, "read_ahead", None)
            if read is not None and entry.state is DetectorState.REGISTERED:
                try:
                    read(models)
                except Exception as error:  # noqa: BLE001 - whatever it is, it must not end the start
                    _log.debug("detector %s: nothing is read ahead: %s", entry.name, error)

    def names(self) -> tuple[str, ...]:
        return tuple(self._entries)

    @property
    def is_loading(self) -> bool:
        """Whether any of them is being loaded now."""
        return any(entry.is_loading for entry in self)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def get(self, name: str) -> Entry:
        """Return the entry of that name. Raises: DetectorUnknown, listing those that exist."""
        try:
            return self._entries[name]
        except KeyError:
            raise DetectorUnknown(
                f"No detector is called {name!r}. There are: {', '.join(self._entries)}.",
                extra={"detectors": list(self._entries)},
            ) from None


def _import(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
