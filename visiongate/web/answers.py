"""Write what the gateway answers, in the shapes of ``answer_types``.

Building is plain dictionaries: an answer is on the way of every request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, cast

from flask import Response

from visiongate.types import Attribute, Detection, DetectorReport, ModelUse, Report, Retained
from visiongate.web.answer_types import (
    AttributeAnswer,
    DetectionAnswer,
    DetectorAnswer,
    ListItem,
    ModelAnswer,
    ReportAnswer,
    RetainedAnswer,
)

__all__ = [
    "detection_list",
    "json_response",
    "json_text",
    "model_answer",
    "moment",
    "report_answer",
    "retained_answer",
]


# ``json.dumps`` makes another encoder for each answer.
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def json_response(payload: object, status: int = 200) -> Response:
    """Return ``payload`` as JSON, its members in the order that the types above give."""
    return Response(json_text(payload), status, mimetype="application/json")


def json_text(payload: object) -> str:
    """Return ``payload`` as such an answer's body."""
    return _encode(payload) + "\n"


def detection_list(report: Report, judged_by: str | None = None) -> list[ListItem]:
    """Return what was found as mlapi's list.

    ``judged_by`` names a detector of face attributes whose own answer is wanted: its label and
    confidence then stand for those of the face, and faces that it did not judge are left out.
    """
    items: list[ListItem] = []
    for found in report.detections:
        label, confidence = found.label, found.confidence
        if judged_by is not None:
            judgement = found.attributes.get(judged_by)
            if judgement is None:
                continue
            label, confidence = judgement.label, judgement.confidence
        item: dict[str, Any] = {
            "type": found.label,
            "label": label,
            "confidence": _percent(confidence),
            "box": list(found.box.as_pixels()),
        }
        for name, attribute in found.attributes.items():
            item[name] = _MLAPI_GENDERS.get(attribute.label, attribute.label)
            item[f"{name}_confidence"] = _percent(attribute.confidence)
        items.append(cast(ListItem, item))
    return items


_MLAPI_GENDERS: Mapping[str, str] = {"male": "man", "female": "woman"}


def report_answer(report: Report) -> ReportAnswer:
    """Return the full report of one picture."""
    picture = report.picture
    return {
        "image": {
            "width": picture.width,
            "height": picture.height,
            "format": picture.format,
            "orientation_applied": picture.orientation,
            "frames": picture.frames,
        },
        "detections": [
            _detection(one.name, found) for one in report.detectors for found in one.detections
        ],
        "detectors": [_detector(one) for one in report.detectors],
        "warnings": list(report.warnings),
        "retained": None if report.retained is None else retained_answer(report.retained),
    }


def retained_answer(kept: Retained) -> RetainedAnswer:
    """Return where a kept picture can be fetched; paths, so that no Host header decides them."""
    url = f"/api/v1/images/{kept.id}"
    return {
        "id": kept.id,
        "created": moment(kept.created),
        "expires": None if kept.expires is None else moment(kept.expires),
        "urls": {
            "original": url,
            "annotated": f"{url}?annotated=true" if kept.annotated else None,
        },
    }


def model_answer(model: ModelUse | None) -> ModelAnswer | None:
    """Return which model it is, or None while there is none."""
    if model is None:
        return None
    return {
        "name": model.name,
        "sha256": model.sha256,
        "runtime": model.runtime,
        "licence": model.licence,
    }


def _detection(detector: str, found: Detection) -> DetectionAnswer:
    return {
        "detector": detector,
        "label": found.label,
        "confidence": _round(found.confidence),
        "box": [round(float(v), 2) for v in found.box.as_tuple()],
        "landmarks": [[round(float(x), 2), round(float(y), 2)] for x, y in found.landmarks],
        "attributes": {name: _attribute(said) for name, said in found.attributes.items()},
        "probabilities": _probabilities(found.probabilities),
    }


def _attribute(said: Attribute) -> AttributeAnswer:
    return {
        "label": said.label,
        "confidence": _round(said.confidence),
        "probabilities": _probabilities(said.probabilities),
    }


def _detector(one: DetectorReport) -> DetectorAnswer:
    failure = one.failure
    return {
        "name": one.name,
        "model": model_answer(one.model),
        "device": one.device,
        "milliseconds": round(one.milliseconds, 3),
        "failure": None if failure is None else {"code": failure.code, "detail": failure.detail},
    }


def _probabilities(given: Mapping[str, float]) -> dict[str, float]:
    return {label: _round(value) for label, value in given.items()}


def _percent(confidence: float) -> str:
    return f"{confidence * 100:.2f}%"


def _round(value: float) -> float:
    """Round to a millionth; also makes a plain float of NumPy's."""
    return round(float(value), 6)


def moment(seconds: float) -> str:
    """Return a time in Unix seconds as RFC 3339 writes it, in UTC."""
    at = datetime.fromtimestamp(seconds, timezone.utc)
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
