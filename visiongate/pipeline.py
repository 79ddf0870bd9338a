"""The way of one request: may they? -> decode once -> detectors -> report -> keep or not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from visiongate import annotate, face_crop
from visiongate.contracts import Detector, InferenceEngine, PictureStore
from visiongate.errors import (
    DeadlineExceeded,
    DetectorForbidden,
    DetectorUnavailable,
    StoreUnavailable,
    VisiongateError,
)
from visiongate.imaging import Limits, decode
from visiongate.registry import Entry, Registry
from visiongate.types import (
    Attribute,
    Box,
    Detection,
    DetectorReport,
    Failure,
    Image,
    Picture,
    PredictOptions,
    Report,
    Retained,
    User,
    best,
)

__all__ = ["FACE", "DetectRequest", "Outcome", "Pipeline"]

FACE = "face"
"""The detector whose finds are cropped for detectors that need faces."""

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
        deadline_seconds: how long a request may wait when it does not say so itself.
        describe_device: what the report calls the place where models run.
    """

    def __init__(
        self,
        registry: Registry,
        engine: InferenceEngine,
        limits: Limits,
        *,
        ready: Callable[[Entry], Detector],
        pictures: PictureStore | None,
        deadline_seconds: float,
        device: str,
    ) -> None:
        self._registry = registry
        self._engine = engine
        self._limits = limits
        self._ready = ready
        self._pictures = pictures
        self._deadline_seconds = deadline_seconds
        self._device = device

    def run(self, body: bytes, user: User, request: DetectRequest) -> Outcome:
        """Detect, report, and keep the picture unless told otherwise.

        Raises:
            DetectorUnknown, DetectorForbidden, DetectorDisabled: before anything is decoded.
            PictureEmpty, PictureCorrupt, PictureTooLarge, FormatUnsupported: from decoding.
            Overloaded, DeadlineExceeded: no place in time.
            DetectorUnavailable, ModelUnavailable: unless ``request.partial``.
        """
        entries = self._allowed(user, request.detectors)
        keep = self._pictures is not None and not request.delete
        deadline = request.deadline
        if deadline is None:
            deadline = time.monotonic() + self._deadline_seconds
        with self._engine.admit(deadline):
            picture = decode(body, self._limits)
            pass_ = _Pass(self, picture, request, deadline)
            reports = pass_.run(entries)
            drawn = None
            if request.annotate or keep:
                drawn = annotate.draw(picture.pixels, [d for r in reports for d in r.detections])
            copy = annotate.encode_jpeg(drawn) if keep and drawn is not None else None
        warnings = list(pass_.warnings)
        retained = self._keep(user, body, picture, copy, warnings) if keep else None
        report = Report(picture, reports, tuple(warnings), retained)
        return Outcome(report, drawn if request.annotate else None)

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

    def _keep(
        self,
        user: User,
        body: bytes,
        picture: Picture,
        copy: bytes | None,
        warnings: list[str],
    ) -> Retained | None:
        assert self._pictures is not None
        try:
            return self._pictures.keep(user.username, body, picture, copy)
        except StoreUnavailable as error:
            # The answer is worth more to the caller than the copy; the operator must still know.
            _log.error("a picture could not be kept: %s", error.detail)
            warnings.append(f"The picture was not kept: {error.detail}")
            return None


class _Pass:
    """One picture on its way through the detectors of one request."""

    def __init__(
        self, pipeline: Pipeline, picture: Picture, request: DetectRequest, deadline: float
    ) -> None:
        self._pipeline = pipeline
        self._picture = picture
        self._request = request
        self._deadline = deadline
        self.warnings: list[str] = []

    def run(self, entries: Sequence[Entry]) -> tuple[DetectorReport, ...]:
        """Run detectors of whole pictures, then those of faces on what ``face`` found."""
        on_faces = [e for e in entries if e.info is not None and e.info.needs == "faces"]
        reports = {e.name: self._whole(e) for e in entries if e not in on_faces}
        if on_faces:
            face = reports.get(FACE) or self._whole(self._pipeline._registry.get(FACE))
            face, judged = self._attributes(face, on_faces)
            reports.update(judged)
            # Faces carry the attributes, so they are reported even where only those were asked for.
            reports[FACE] = face
        names = dict.fromkeys(e.name for e in entries)
        if on_faces:
            names = dict.fromkeys((FACE, *names)) if FACE not in names else names
        return tuple(reports[name] for name in names)

    def _whole(self, entry: Entry) -> DetectorReport:
        picture = self._picture

        def work(detector: Detector) -> tuple[Detection, ...]:
            found = self._infer(detector, [picture.pixels])[0]
            return _tidy(found, picture, self._request.options, detector.info.default_confidence)

        return self._timed(entry, work)

    def _attributes(
        self, face: DetectorReport, entries: Sequence[Entry]
    ) -> tuple[DetectorReport, dict[str, DetectorReport]]:
        """Judge every face by every detector, all faces in one batch, and nest the answers."""
        faces = face.detections
        if not faces and face.failure is None and self._request.whole_picture_as_face:
            faces = (_whole_as_face(self._picture),)
            self.warnings.append("No face was found; the whole picture was judged as one.")
        crops: dict[int, list[Image]] = {}
        judged: dict[str, DetectorReport] = {}
        for entry in entries:

            def work(detector: Detector) -> tuple[Detection, ...]:
                nonlocal faces
                size = detector.info.crop_size
                if size not in crops:
                    crops[size] = [self._crop(f, size) for f in faces]
                answers = self._infer(detector, crops[size]) if faces else []
                faces = tuple(
                    _with_attribute(f, detector.info.name, best(a))
                    for f, a in zip(faces, answers, strict=True)
                )
                return ()

            if face.failure is not None:
                judged[entry.name] = DetectorReport(
                    entry.name, None, self._pipeline._device, 0.0, failure=face.failure
                )
            else:
                judged[entry.name] = self._timed(entry, work)
        return replace(face, detections=faces), judged

    def _crop(self, face: Detection, size: int) -> Image:
        if not face.landmarks and face.box == _whole_box(self._picture):
            framing = face_crop.WHOLE
        else:
            framing = face_crop.YUNET if face.landmarks else face_crop.SSD
        return face_crop.crop_face(
            self._picture.pixels, face.box.as_tuple(), face.landmarks or None, size, framing
        )

    def _infer(self, detector: Detector, images: Sequence[Image]) -> list[tuple[Detection, ...]]:
        options = self._request.options
        if detector.info.needs == "faces":
            # Thresholds and labels of the request choose faces, not what is said of them.
            options = PredictOptions(min_confidence=0.0, abstain_below=options.abstain_below)
        return self._pipeline._engine.infer(detector, images, options, self._deadline)

    def _timed(
        self, entry: Entry, work: Callable[[Detector], tuple[Detection, ...]]
    ) -> DetectorReport:
        begun = time.perf_counter()
        detector: Detector | None = None
        found: tuple[Detection, ...] = ()
        failure: Failure | None = None
        try:
            detector = self._pipeline._ready(entry)
            begun = time.perf_counter()
            found = work(detector)
        except DeadlineExceeded:
            raise
        except VisiongateError as error:
            if not self._request.partial:
                raise
            failure = Failure(error.code, error.detail)
        except Exception as error:
            _log.exception("detector %s failed on a picture", entry.name)
            problem = DetectorUnavailable(
                f"Detector {entry.name!r} failed on this picture ({type(error).__name__}). "
                "The log tells more under this request's id."
            )
            if not self._request.partial:
                raise problem from error
            failure = Failure(problem.code, problem.detail)
        milliseconds = (time.perf_counter() - begun) * 1000
        model = detector.model if detector is not None else None
        return DetectorReport(
            entry.name, model, self._pipeline._device, milliseconds, found, failure
        )


def _tidy(
    found: Sequence[Detection], picture: Picture, options: PredictOptions, default: float
) -> tuple[Detection, ...]:
    """Apply the options for detectors that do not, and clip boxes to the picture."""
    least = default if options.min_confidence is None else options.min_confidence
    kept = []
    for detection in found:
        if detection.confidence < least:
            continue
        if options.labels is not None and detection.label not in options.labels:
            continue
        box = detection.box.clipped(picture.width, picture.height)
        if box is None:
            continue
        kept.append(detection if box == detection.box else replace(detection, box=box))
    kept.sort(key=lambda d: -d.confidence)
    return tuple(kept[: options.max_detections])


def _with_attribute(face: Detection, name: str, answer: Detection | None) -> Detection:
    if answer is None:
        return face
    attribute = Attribute(answer.label, answer.confidence, answer.probabilities)
    attributes: Mapping[str, Attribute] = {**face.attributes, name: attribute}
    return replace(face, attributes=attributes)


def _whole_box(picture: Picture) -> Box:
    return Box(0.0, 0.0, float(picture.width), float(picture.height))


def _whole_as_face(picture: Picture) -> Detection:
    return Detection(FACE, 0.0, _whole_box(picture))
