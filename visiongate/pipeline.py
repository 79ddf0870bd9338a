"""The way of one request: may they? -> decode once -> detectors -> report -> keep or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import reduce

from visiongate import annotate
from visiongate.audit import Audit
from visiongate.contracts import Detector, InferenceEngine, PictureStore
from visiongate.detection_pass import FACE, DetectionPass
from visiongate.errors import DetectorForbidden, PictureUnknown, StoreUnavailable, VisiongateError
from visiongate.imaging import Limits, decode
from visiongate.quotas import Charge, Quotas
from visiongate.registry import Entry, Registry
from visiongate.selection import Selection
from visiongate.types import (
    DetectorReport,
    DetectorState,
    Enough,
    Image,
    Picture,
    PredictOptions,
    Report,
    Retained,
    User,
)

__all__ = ["FACE", "DetectRequest", "Outcome", "Pipeline"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetectRequest:
    """What one request asks for.

    ``deadline`` is a reading of ``time.monotonic()``; None gives the configured one. ``partial``
    reports a detector's failure beside the others' answers instead of failing the request.
    ``whole_picture_as_face`` lets face attributes be judged on the whole picture when no face is
    found in it (tight portraits), with a warning in the report.
    """

    detectors: tuple[str, ...]
    options: PredictOptions = field(default_factory=PredictOptions)
    selection: Selection = field(default_factory=Selection)
    delete: bool = False
    annotate: bool = False
    deadline: float | None = None
    partial: bool = False
    whole_picture_as_face: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """The report and, where it was asked for, the picture with its boxes drawn (RGB)."""

    report: Report
    annotated: Image | None = None


class Pipeline:
    """Take a request's bytes all the way to its report. Thread-safe.

    Args:
        ready: returns an entry's detector, loaded; raises as ``Entry.ready`` does.
        pictures: where pictures are kept; None keeps none.
        is_current: tells whether an account is still there, and no later one of its name.
        deadline_seconds: how long a request may wait when it does not say so itself.
        device: what the report calls the place where models run.
        shrink: decode JPEGs no larger than the detectors asked need them.
        quotas: what users may have looked at in a day; None sets no limit.
        audit: where uses of sensitive detectors are recorded, if anywhere.
    """

    def __init__(
        self,
        registry: Registry,
        engine: InferenceEngine,
        limits: Limits,
        *,
        ready: Callable[[Entry], Detector],
        pictures: PictureStore | None,
        is_current: Callable[[User], bool] = lambda _: True,
        deadline_seconds: float,
        device: str,
        shrink: bool = True,
        quotas: Quotas | None = None,
        audit: Audit | None = None,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._limits = limits
        self._ready = ready
        self._pictures = pictures
        self._is_current = is_current
        self._deadline_seconds = deadline_seconds
        self._device = device
        self._shrink = shrink
        self._quotas = quotas
        self._audit = audit

    @property
    def keeps(self) -> bool:
        """Whether pictures are kept unless a request says otherwise."""
        return self._pictures is not None

    def run(self, body: bytes, user: User, request: DetectRequest) -> Outcome:
        """Detect, report, and keep the picture unless told otherwise.

        Raises:
            DetectorUnknown, DetectorForbidden, DetectorDisabled: before anything is decoded.
            PictureEmpty, PictureCorrupt, PictureTooLarge, FormatUnsupported: from decoding.
            QuotaExceeded: of the user; told before decoding, once the picture's size is known.
            Overloaded, DeadlineExceeded: no place in time.
            DetectorUnavailable, ModelUnavailable: unless ``request.partial``.
            AuditUnavailable: a use of a sensitive detector could not be recorded, and must be.
        """
        entries = self._allowed(user, request.detectors)
        keep = self._pictures is not None and not request.delete
        deadline = request.deadline
        if deadline is None:
            deadline = time.monotonic() + self._deadline_seconds
        self._load(entries)
        with self._metered(user) as charge, self._engine.admit(deadline):
            # What is drawn into, or has faces cut from it, is needed whole.
            whole = not self._shrink or keep or request.annotate
            picture = decode(body, self._limits, charge, None if whole else _enough(entries))
            detection = DetectionPass(
                picture,
                request.options,
                request.selection,
                deadline,
                engine=self._engine,
                ready=self._ready,
                face=lambda: self._registry.get(FACE),
                device=self._device,
                partial=request.partial,
                whole_picture_as_face=request.whole_picture_as_face,
            )
            reports = detection.run(entries)
            self._record(user, reports)
            drawn = None
            if request.annotate or keep:
                found = [d for r in reports for d in r.detections]
                drawn = annotate.draw(picture.pixels, found, request.selection.regions)
            copy = annotate.encode_jpeg(drawn) if keep and drawn is not None else None
        warnings = list(detection.warnings)
        retained = self._keep(user, body, picture, copy, warnings) if keep else None
        report = Report(picture, reports, tuple(warnings), retained)
        return Outcome(report, drawn if request.annotate else None)

    def check(self, user: User, names: Sequence[str]) -> None:
        """Tell before a picture is there what of ``run``'s errors no picture can change.

        Raises:
            DetectorUnknown, DetectorForbidden, DetectorDisabled: as ``run``.
        """
        self._allowed(user, names)

    def _allowed(self, user: User, names: Sequence[str]) -> list[Entry]:
        entries = [self._registry.get(name) for name in dict.fromkeys(names)]
        for entry in entries:
            if not user.may_use(entry.name):
                allowed = ", ".join(sorted(user.detectors or ())) or "none"
                raise DetectorForbidden(
                    f"User {user.username!r} may not call {entry.name!r}; allowed: {allowed}. "
                    "An admin can change that with adduser.py --detectors."
                )
            entry.check_enabled()
        return entries

    def _metered(self, user: User) -> AbstractContextManager[Charge | None]:
        if self._quotas is None or not any(self._quotas.limits(user)):
            return nullcontext()
        return self._quotas.metered(user)

    def _record(self, user: User, reports: Sequence[DetectorReport]) -> None:
        """Record which sensitive detectors have judged how many faces, or found how much."""
        if self._audit is None:
            return
        judged = {}
        for report in reports:
            info = self._registry.get(report.name).info
            if report.failure is not None or info is None or not info.sensitive:
                continue
            if info.needs == "faces":
                found = (d for one in reports for d in one.detections)
                judged[report.name] = sum(report.name in d.attributes for d in found)
            else:
                judged[report.name] = len(report.detections)
        if judged:
            self._audit.record_sensitive(user.username, judged)

    def _load(self, entries: Sequence[Entry]) -> None:
        """Load what has not been loaded yet before a place is taken, which others could use."""
        for entry in entries:
            if entry.state is not DetectorState.READY:
                with suppress(VisiongateError):  # raised again, and reported, in its turn
                    self._ready(entry)

    def _keep(
        self,
        user: User,
        body: bytes,
        picture: Picture,
        copy: bytes | None,
        warnings: list[str],
    ) -> Retained | None:
        assert self._pictures is not None
        retained = None
        try:
            retained = self._pictures.keep(user.username, body, picture, copy)
            # Asked afterwards: a removal deletes what is kept until then, and what comes later
            # would be whose the name is given to next.
            if self._is_current(user):
                return retained
            reason = "the account has been removed."
        except StoreUnavailable as error:
            # The answer is worth more to the caller than the copy; the operator must still know.
            _log.error("a picture could not be kept: %s", error.detail)
            reason = error.detail
        if retained is not None:
            with suppress(PictureUnknown, StoreUnavailable):
                self._pictures.delete(retained.id)
        warnings.append(f"The picture was not kept: {reason}")
        return None


def _enough(entries: Sequence[Entry]) -> Enough | None:
    """Return what is enough for all of them; None where one needs the whole picture."""
    # Asked of the detector, not of its entry: ``face`` may have changed its network since.
    needs = [entry.detector.info.enough if entry.detector else None for entry in entries]
    known = [need for need in needs if need is not None]
    return reduce(Enough.both, known) if known and len(known) == len(needs) else None
