"""Answer the clients of four earlier services, each in its own shape; keep nothing, ever.

These routes need a token unless the operator lists them in the setting ``open_routes``. Their
errors, those of the login included, have the shapes that those services' clients read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from visiongate.errors import (
    DetectorUnavailable,
    FormatUnsupported,
    NotBuilt,
    PictureMissing,
    VisiongateError,
)
from visiongate.pipeline import DetectRequest
from visiongate.types import Attribute, Detection, PredictOptions, Report
from visiongate.web.answers import json_response
from visiongate.web.api import current_services
from visiongate.web.auth import optional_login
from visiongate.web.compat_types import (
    ClassifyAnswer,
    GenderAnswer,
    GenderChance,
    PredictAnswer,
    UploadAnswer,
    UploadPrediction,
)
from visiongate.web.errors import as_error, problem
from visiongate.web.metrics import observe_report
from visiongate.web.reading import Upload, read_upload

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["ROUTES", "init_app"]

_GENDERS = ("female", "male")
"""Labels of /api/gender by their number."""
_JPEG_NAMES = (".jpg", ".jpeg")
_JPEG_MAGIC = b"\xff\xd8\xff"


@dataclass(frozen=True, slots=True)
class _Face:
    """The face that a route answers for, and what was said of it."""

    said: Attribute
    face: Detection
    report: Report


def classify() -> Response:
    """``{"success", "gender", "confidence"}`` of the largest face."""
    judged = _judge(_read("Image data is required"), "gender")
    answer: ClassifyAnswer = {
        "success": True,
        "gender": judged.said.label,
        "confidence": round(judged.said.confidence, 4),
    }
    return json_response(_with_warnings(answer, judged.report))


def gender() -> Response:
    """Both classes with their probabilities, of the largest face."""
    judged = _judge(_read("No image provided"), "gender")
    said, model = judged.said, judged.report.detectors[-1].model
    chances = said.probabilities or {
        name: said.confidence if name == said.label else 1 - said.confidence for name in _GENDERS
    }
    predictions: list[GenderChance] = [
        {"class": name, "label": number, "probability": round(chances.get(name, 0.0), 6)}
        for number, name in enumerate(_GENDERS)
    ]
    answer: GenderAnswer = {
        "predictions": {
            "class": said.label,
            "label": _GENDERS.index(said.label) if said.label in _GENDERS else None,
            "meta": {
                "model": model.name if model else None,
                "box": list(judged.face.box.as_pixels()),
                "width": judged.report.picture.width,
                "height": judged.report.picture.height,
            },
            "predictions": predictions,
            "probability": round(said.confidence, 6),
        },
        "success": True,
    }
    return json_response(_with_warnings(answer, judged.report))


def predict() -> Response:
    """``{"ethnicity", "confidence"}`` of the largest face; JPEG alone, as it always was."""
    upload = _read("No image provided")
    name = (upload.filename or "").lower()
    if ("." in name and not name.endswith(_JPEG_NAMES)) or not upload.picture.startswith(
        _JPEG_MAGIC
    ):
        raise FormatUnsupported("Only JPG/JPEG images are allowed")
    judged = _judge(upload, "ethnicity")
    answer: PredictAnswer = {
        "ethnicity": judged.said.label,
        "confidence": round(judged.said.confidence, 4),
    }
    return json_response(_with_warnings(answer, judged.report))


def upload() -> Response:
    """The three likeliest classes, as ``prediction_1`` to ``prediction_3``."""
    options = PredictOptions(min_confidence=0.0, max_detections=3)
    report = _run(_read("No image provided"), "classify", options)
    likeliest: list[UploadPrediction] = [
        {"confidence_level": round(one.confidence, 5), "predicted_label": one.label}
        for one in report.detections
    ]
    answer = {f"prediction_{rank}": one for rank, one in enumerate(likeliest[:3], start=1)}
    return json_response(cast(UploadAnswer, answer))


ROUTES: dict[str, tuple[Callable[[], Response], bool]] = {
    "/classify": (classify, True),
    "/api/gender": (gender, True),
    "/predict": (predict, False),
    "/upload": (upload, False),
}
"""Each route, its view, and whether its errors say ``"success": false`` besides ``"error"``."""


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Add the compatibility routes to ``app``."""
    for route, (view, success) in ROUTES.items():
        guarded = _in_own_shape(optional_login(route)(view), {"success": False} if success else {})
        app.add_url_rule(route, f"compat_{view.__name__}", guarded, methods=["POST"])


def _in_own_shape(view: Callable[[], Response], failed: dict[str, Any]) -> Callable[[], Response]:
    """Answer the view's errors as ``{**failed, "error": detail}``."""

    @wraps(view)
    def shaped() -> Response:
        try:
            return view()
        except (VisiongateError, HTTPException) as exception:
            error = as_error(exception)
            # What does not decode was a 400 (or, by mistake, a 500) of those services.
            status = 400 if isinstance(error, FormatUnsupported) else error.status
            # The problem document's headers (Retry-After, WWW-Authenticate) belong here too.
            response = problem(error, status)
            response.data = json.dumps({**failed, "error": error.detail}) + "\n"
            response.mimetype = "application/json"
            return response

    return shaped


def _read(missing: str) -> Upload:
    try:
        return read_upload(current_services().settings.max_upload_bytes)
    except PictureMissing:
        raise PictureMissing(missing) from None


def _run(sent: Upload, name: str, options: PredictOptions) -> Report:
    services = current_services()
    if name not in services.registry:
        raise NotBuilt(f"There is no detector {name!r} in this installation.")
    asked = DetectRequest((name,), options, delete=True, whole_picture_as_face=True)
    report = services.pipeline.run(sent.picture, g.user, asked).report
    observe_report(report)
    return report


def _judge(sent: Upload, name: str) -> _Face:
    """Return what detector ``name`` says of the largest face, or of the whole picture."""
    report = _run(sent, name, PredictOptions())
    faces = [one for one in report.detections if name in one.attributes]
    if not faces:
        raise DetectorUnavailable(f"Detector {name!r} said nothing of this picture.")
    face = max(faces, key=lambda one: one.box.area)
    return _Face(face.attributes[name], face, report)


def _with_warnings(answer: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    return {**answer, "warnings": list(report.warnings)} if report.warnings else answer
