"""One picture on its way through the detectors of one request, each failing alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from visiongate import face_crop
from visiongate.contracts import Detector, InferenceEngine
from visiongate.errors import DeadlineExceeded, DetectorUnavailable, VisiongateError
from visiongate.registry import Entry
from visiongate.selection import Selection
from visiongate.types import (
    Attribute,
    Box,
    Detection,
    DetectorReport,
    Failure,
    Image,
    Picture,
    PredictOptions,
    best,
)

__all__ = ["FACE", "DetectionPass"]

FACE = "face"
"""The detector whose finds are cropped for detectors that need faces."""

_log = logging.getLogger(__name__)


class DetectionPass:
    """One picture, and what its request asks of every detector.

    Args:
        ready: returns an entry's detector, loaded; raises as ``Entry.ready`` does.
        face: the entry that finds faces; asked for only where a detector needs faces.
        device: what the report calls the place where models run.
        partial: report a detector's failure beside the others' answers instead of raising it.
        whole_picture_as_face: judge the whole picture where no face is found in it.
    """

    def __init__(
        self,
        picture: Picture,
        options: PredictOptions,
        selection: Selection,
        deadline: float,
        *,
        engine: InferenceEngine,
        ready: Callable[[Entry], Detector],
        face: Callable[[], Entry],
        device: str,
        partial: bool,
        whole_picture_as_face: bool,
    ) -> None:
        self._picture = picture
        self._options = options
        self._selection = selection
        self._deadline = deadline
        self._engine = engine
        self._ready = ready
        self._face = face
        self._device = device
        self._partial = partial
        self._whole_picture_as_face = whole_picture_as_face
        self.warnings: list[str] = []

    def run(self, entries: Sequence[Entry]) -> tuple[DetectorReport, ...]:
        """Run detectors of whole pictures, then those of faces on what ``face`` found.

        Faces carry what is said of them, so ``face`` is reported also where it was not asked for.

        Raises:
            DeadlineExceeded: before a detector could begin.
            DetectorUnavailable, ModelUnavailable: unless ``partial``.
        """
        on_faces = [e for e in entries if e.info is not None and e.info.needs == "faces"]
        reports = {e.name: self._whole(e) for e in entries if e not in on_faces}
        if on_faces:
            face = reports.get(FACE) or self._whole(self._face())
            reports[FACE], judged = self._attributes(face, on_faces)
            reports.update(judged)
        names = [e.name for e in entries]
        if on_faces and FACE not in names:
            names.insert(0, FACE)
        return tuple(reports[name] for name in names)

    def _whole(self, entry: Entry) -> DetectorReport:
        picture = self._picture

        def work(detector: Detector) -> tuple[Detection, ...]:
            found = self._infer(detector, [picture.pixels])[0]
            size = picture.width, picture.height
            if picture.size is not None:
                seen: tuple[int, int] = (picture.pixels.shape[1], picture.pixels.shape[0])
                found = tuple(one.scaled(size, seen) for one in found)
            return self._selection.chosen(found, size, self._options, detector.info)

        return self._timed(entry, work)

    def _attributes(
        self, face: DetectorReport, entries: Sequence[Entry]
    ) -> tuple[DetectorReport, dict[str, DetectorReport]]:
        """Judge every face by every detector, all faces in one batch, and nest the answers."""
        faces = face.detections
        if not faces and face.failure is None and self._whole_picture_as_face:
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
                    entry.name, None, self._device, 0.0, failure=face.failure
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
        if detector.info.needs == "faces":
            # Thresholds and labels of the request choose faces, not what is said of them.
            options = PredictOptions(min_confidence=0.0, abstain_below=self._options.abstain_below)
        else:
            options = self._selection.asked(self._options, detector.info)
        return self._engine.infer(detector, images, options, self._deadline)

    def _timed(
        self, entry: Entry, work: Callable[[Detector], tuple[Detection, ...]]
    ) -> DetectorReport:
        begun = time.perf_counter()
        detector: Detector | None = None
        found: tuple[Detection, ...] = ()
        failure: Failure | None = None
        try:
            detector = self._ready(entry)
            begun = time.perf_counter()
            found = work(detector)
        except DeadlineExceeded:
            raise
        except VisiongateError as error:
            if not self._partial:
                raise
            failure = Failure(error.code, error.detail)
        except Exception as error:
            _log.exception("detector %s failed on a picture", entry.name)
            problem = DetectorUnavailable(
                f"Detector {entry.name!r} failed on this picture ({type(error).__name__}). "
                "The log tells more under this request's id."
            )
            if not self._partial:
                raise problem from error
            failure = Failure(problem.code, problem.detail)
        milliseconds = (time.perf_counter() - begun) * 1000
        model = detector.model if detector is not None else None
        return DetectorReport(entry.name, model, self._device, milliseconds, found, failure)


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
