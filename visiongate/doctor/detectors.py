"""Does each enabled detector answer rightly, of pictures whose content is known?

The pictures are the portrait that comes with the gateway, its mirror image, and an empty one:
plain gray. What must be found in them is said in ``_KNOWN``; of a detector that has no line there
only what it says itself is asked (``probe_label``), and that it answers at all.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from visiongate.boxes import iou
from visiongate.contracts import Detector, ModelStore
from visiongate.doctor.findings import Finding, fail, ok, warn
from visiongate.errors import ConfigurationError, VisiongateError
from visiongate.face_crop import SSD, crop_face
from visiongate.imaging import Limits, decode
from visiongate.registry import Entry, Registry
from visiongate.services import build_models, cores
from visiongate.settings import PREFIX, Settings
from visiongate.types import Box, Detection, Device, Image, PredictOptions

__all__ = ["examine"]

_PORTRAIT = Path(__file__).parents[1] / "probe.jpg"
_FACE = Box(112.0, 38.0, 168.0, 109.0)
"""Where the face is in it: what two different networks agree on."""
_KNOWN: Mapping[str, str] = {"gender": "female"}
"""What attributes must say of the face in the portrait. Of ethnicity we claim nothing."""
_LEAST_OVERLAP = 0.5
_ALIKE = 0.005
_EVERYTHING = PredictOptions(min_confidence=0.0, abstain_below=0.0)


class _Weights:
    """The models that are here; what detectors derive from them goes into a scratch folder."""

    def __init__(self, settings: Settings, scratch: Path) -> None:
        self._present = build_models(settings).present_only()
        self._scratch = scratch
        for file in (settings.data_dir / "models" / "derived").glob("*.*"):
            if file.suffix != ".lock":
                (scratch / file.name).symlink_to(file.absolute())

    def path(self, name: str) -> Path:
        return self._present.path(name)

    def find(self, name: str) -> Path | None:
        return self._present.find(name)

    def present_only(self) -> ModelStore:
        return self

    def cache_dir(self) -> Path:
        return self._scratch


def examine(settings: Settings) -> Iterator[Finding]:
    from visiongate.runtimes.openvino import forbid_reports

    forbid_reports()
    portrait = decode(_PORTRAIT.read_bytes(), Limits(1_000_000, 1_000_000)).pixels
    device = Device(settings.device, threads=cores(), streams=1)
    try:
        registry = Registry.discover(settings.detectors, settings.detectors_disabled)
    except ConfigurationError as error:
        yield fail("configured", error.detail, "Correct the settings.")
        return
    with tempfile.TemporaryDirectory(prefix="visiongate-doctor-") as scratch:
        weights = _Weights(settings, Path(scratch))
        for entry in registry:
            if entry.name in settings.detectors_disabled:
                yield ok(entry.name, "Switched off.")
            else:
                yield from _one(entry, weights, device, portrait)


def _one(entry: Entry, weights: ModelStore, device: Device, portrait: Image) -> Iterator[Finding]:
    begun = time.perf_counter()
    try:
        detector = entry.ready(weights, device, portrait)
        seconds = time.perf_counter() - begun
        yield from _judged(entry, detector, portrait, seconds)
    except VisiongateError as error:
        if entry.lacks_model:
            yield warn(entry.name, error.detail, "Fetch its weights as said, or switch it off.")
            return
        yield fail(entry.name, error.detail, _off(entry.name))
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        problem = f"It fails on a picture: {type(error).__name__}: {error}"
        yield fail(entry.name, problem, _off(entry.name))


def _judged(entry: Entry, detector: Detector, portrait: Image, seconds: float) -> Iterator[Finding]:
    info = detector.info
    own = "model" in entry.options
    problem = {
        "detection": _problem_of_detection,
        "attribute": _problem_of_judgement,
        "classification": _problem_of_judgement,
    }[info.task](detector, portrait)
    use = detector.model
    model = f"{use.name} ({use.runtime or 'runtime not stated'})" if use else "no model"
    if problem is None:
        content = _content(detector)
        yield ok(entry.name, f"{model}, loaded in {seconds:.1f} s, {content}.")
    elif own:
        check = f"python -m visiongate.models check {entry.name}"
        yield warn(entry.name, f"{model}: {problem}", f"See what may be wrong with it: {check}")
    else:
        yield fail(entry.name, f"{model}: {problem}", _off(entry.name))


def _content(detector: Detector) -> str:
    if detector.info.name == "face":
        return "finds the face in the portrait and its mirror image, and none in an empty picture"
    if detector.info.task == "detection":
        sought = detector.info.probe_label
        known = f"finds {sought} in the portrait" if sought else "answers (no picture that it must"
        known += "" if sought else " know comes with the gateway)"
        return f"{known}, and finds nothing in an empty picture"
    return "answers, and tells the portrait from an empty picture"


def _problem_of_detection(detector: Detector, portrait: Image) -> str | None:
    empty = np.full_like(portrait, 128)
    found = detector.predict(
        [portrait, np.ascontiguousarray(portrait[:, ::-1]), empty], PredictOptions()
    )
    if found[2]:
        return f"it finds {_labels(found[2])} in an empty picture."
    if detector.info.name == "face":
        width = portrait.shape[1]
        mirrored = Box(width - _FACE.x2, _FACE.y1, width - _FACE.x1, _FACE.y2)
        for expected, detections, where in (
            (_FACE, found[0], "portrait"),
            (mirrored, found[1], "mirrored portrait"),
        ):
            if not any(_overlap(one.box, expected) >= _LEAST_OVERLAP for one in detections):
                return f"it does not find the face where it is in the {where}."
    return None


def _problem_of_judgement(detector: Detector, portrait: Image) -> str | None:
    info = detector.info
    seen = portrait
    if info.needs == "faces":
        corners = (_FACE.x1, _FACE.y1, _FACE.x2, _FACE.y2)
        seen = crop_face(portrait, corners, size=info.crop_size, framing=SSD)
    answers = detector.predict([seen, np.full_like(seen, 128)], _EVERYTHING)
    if not all(answers):
        return "it answers nothing where it must always answer."
    portraits, empties = ({d.label: d.confidence for d in one} for one in answers)
    if all(
        abs(portraits.get(k, 0.0) - empties.get(k, 0.0)) < _ALIKE for k in {*portraits, *empties}
    ):
        return "it judges the portrait and an empty picture alike, so it does not look at them."
    expected = _KNOWN.get(info.name)
    said = answers[0][0].label
    if expected in info.labels and said != expected:
        return f"it says {said} of the portrait, which shows {expected}."
    return None


def _labels(found: tuple[Detection, ...]) -> str:
    return ", ".join(sorted({one.label for one in found}))


def _overlap(a: Box, b: Box) -> float:
    first, second = (np.array([[box.x1, box.y1, box.x2, box.y2]]) for box in (a, b))
    return float(iou(first, second)[0, 0])


def _off(name: str) -> str:
    return (
        f"Look at its options under [detectors.{name}] and at the examination of models; to go on "
        f"without it: {PREFIX}DETECTORS_DISABLED={name}"
    )
