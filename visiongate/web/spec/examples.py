"""Examples of answers in the specification; the types hold them to what is really answered."""

from __future__ import annotations

from visiongate import __version__
from visiongate.web.answer_types import (
    CardAnswer,
    HealthAnswer,
    ImagesAnswer,
    ListItem,
    LiveAnswer,
    LoginAnswer,
    LogoutAnswer,
    ModelAnswer,
    Problem,
    ReadyAnswer,
    ReportAnswer,
    RetainedAnswer,
)
from visiongate.web.compat_types import (
    ClassifyAnswer,
    GenderAnswer,
    PredictAnswer,
    UploadAnswer,
)
from visiongate.web.detectors_api import DetectorDescription, DetectorsAnswer
from visiongate.web.several import ListOfOne, ReportOfOne
from visiongate.web.user_types import MeAnswer, QuotaAnswer, UserAnswer, UsersAnswer

__all__ = [
    "CARD",
    "CARD_TEXT",
    "CLASSIFY",
    "DETECTOR",
    "DETECTORS",
    "FACES",
    "GENDER",
    "HEALTH",
    "IMAGES",
    "KEPT_ID",
    "LIST",
    "LISTS",
    "LIVE",
    "LOGIN",
    "LOGOUT",
    "ME",
    "METRICS",
    "PREDICT",
    "READY",
    "REPORT",
    "REPORTS",
    "UPLOAD",
    "USER",
    "USERS",
]

KEPT_ID = "00000198a3c4d5e6-5d41402abc4b2a76b9719d911017c592"
_TOKEN = "eyJhbGciOiJIUzI1NiIsImtpZCI6IjFmM2EiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhbm4ifQ."  # noqa: S105 - signs nothing

_MODEL: ModelAnswer = {
    "name": "face_detection_yunet",
    "sha256": "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    "runtime": "openvino",
    "licence": "MIT",
}
_RETAINED: RetainedAnswer = {
    "id": KEPT_ID,
    "created": "2026-01-01T12:00:00Z",
    "expires": "2026-01-31T12:00:00Z",
    "urls": {
        "original": f"/api/v1/images/{KEPT_ID}",
        "annotated": f"/api/v1/images/{KEPT_ID}?annotated=true",
    },
}

LOGIN: LoginAnswer = {
    "access_token": f"{_TOKEN}4pYk2cXlq0",
    "refresh_token": f"{_TOKEN}Zs8v1nWq3E",
    "token_type": "Bearer",
    "expires": 3600,
}
LOGOUT: LogoutAnswer = {"msg": "Logged out: this login's tokens work no more."}
_QUOTA: QuotaAnswer = {
    "requests": {"limit": 1000, "used": 12, "left": 988},
    "megapixels": None,
    "resets": "2026-01-02T00:00:00Z",
}
ME: MeAnswer = {
    "username": "ann",
    "role": "user",
    "detectors": ["face", "object"],
    "quota": _QUOTA,
    "expires": 1_767_272_400,
}
USER: UserAnswer = {
    "username": "bob",
    "role": "user",
    "disabled": False,
    "detectors": ["face"],
    "requests_per_day": 1000,
    "megapixels_per_day": None,
    "quota": _QUOTA,
    "created": "2026-01-01T12:00:00Z",
}
USERS: UsersAnswer = {"users": [USER], "next": "bob"}
LIST: list[ListItem] = [
    {"type": "person", "label": "person", "confidence": "99.69%", "box": [24, 18, 318, 597]},
    {"type": "dog", "label": "dog", "confidence": "87.20%", "box": [301, 377, 470, 590]},
]
FACES: list[ListItem] = [
    {
        "type": "face",
        "label": "face",
        "confidence": "97.73%",
        "box": [403, 270, 470, 366],
        "gender": "man",
        "gender_confidence": "95.46%",
    }
]
REPORT: ReportAnswer = {
    "image": {
        "width": 512,
        "height": 600,
        "format": "JPEG",
        "orientation_applied": 1,
        "frames": 1,
    },
    "detections": [
        {
            "detector": "face",
            "label": "face",
            "confidence": 0.997,
            "box": [195.3, 83.1, 319.9, 250.6],
            "landmarks": [
                [229.4, 151.2],
                [287.8, 149.0],
                [260.1, 184.7],
                [236.5, 212.9],
                [283.3, 211.0],
            ],
            "attributes": {
                "gender": {
                    "label": "female",
                    "confidence": 0.981,
                    "probabilities": {"female": 0.981, "male": 0.019},
                }
            },
            "probabilities": {},
        }
    ],
    "detectors": [
        {
            "name": "face",
            "model": _MODEL,
            "device": "CPU",
            "milliseconds": 4.212,
            "failure": None,
        },
        {
            "name": "object",
            "model": None,
            "device": "CPU",
            "milliseconds": 0.0,
            "failure": {
                "code": "model_unavailable",
                "detail": "The weights of 'yolo' are not on this machine. Fetch them with: "
                "python -m visiongate.models pull yolo",
            },
        },
    ],
    "warnings": [],
    "retained": _RETAINED,
}
_PROBLEM: Problem = {
    "type": "urn:visiongate:error:picture_corrupt",
    "title": "The picture is damaged",
    "status": 400,
    "detail": "The JPEG picture is cut off or damaged. Send it again, whole.",
    "code": "picture_corrupt",
    "request_id": "5f0c7d5e9a3b4e1c8d2f6a7b9c0d1e2f",
    "msg": "The JPEG picture is cut off or damaged. Send it again, whole.",
}
LISTS: list[ListOfOne] = [
    {"file": "1.jpg", "picture_id": KEPT_ID, "result": LIST, "problem": None},
    {"file": "2.jpg", "picture_id": None, "result": None, "problem": _PROBLEM},
]
REPORTS: list[ReportOfOne] = [
    {"file": "1.jpg", "picture_id": KEPT_ID, "result": REPORT, "problem": None},
    {"file": "2.jpg", "picture_id": None, "result": None, "problem": _PROBLEM},
]
DETECTOR: DetectorDescription = {
    "name": "face",
    "task": "detection",
    "description": "Finds faces.",
    "labels": ["face"],
    "needs": "picture",
    "sensitive": False,
    "default_confidence": 0.6,
    "state": "ready",
    "reason": None,
    "model": _MODEL,
    "device": "CPU",
    "options": {},
    "source": "built in",
    "allowed": True,
}
CARD: CardAnswer = {
    "detector": "face",
    "description": "Finds faces.",
    "labels": ["face"],
    "sensitive": False,
    "model": _MODEL,
    "source": ["https://models.example.org/face_detection_yunet.onnx"],
    "intended_use": "Finding faces in photographs and video.",
    "limits": ["It tells where faces are, never whose they are."],
    "details": {"input": "1x3xHxW, BGR, 0 to 255"},
}
CARD_TEXT = "# Model card: face\n\n## Intended use\n\nFinding faces in photographs and video.\n"
DETECTORS: DetectorsAnswer = {"detectors": [DETECTOR]}
IMAGES: ImagesAnswer = {"retention": "on", "images": [{**_RETAINED, "owner": "ann"}]}
CLASSIFY: ClassifyAnswer = {"success": True, "gender": "male", "confidence": 0.87}
GENDER: GenderAnswer = {
    "predictions": {
        "class": "male",
        "label": 1,
        "meta": {"model": "faces", "box": [403, 270, 470, 366], "width": 800, "height": 533},
        "predictions": [
            {"class": "female", "label": 0, "probability": 0.13},
            {"class": "male", "label": 1, "probability": 0.87},
        ],
        "probability": 0.87,
    },
    "success": True,
}
PREDICT: PredictAnswer = {"ethnicity": "Asian", "confidence": 0.9821}
UPLOAD: UploadAnswer = {
    "prediction_1": {"confidence_level": 0.41517, "predicted_label": "soccer ball"},
    "prediction_2": {"confidence_level": 0.22103, "predicted_label": "rugby ball"},
    "prediction_3": {"confidence_level": 0.0519, "predicted_label": "golf ball"},
}
HEALTH: HealthAnswer = {
    "status": "healthy",
    "ml_libs_available": True,
    "version": __version__,
    "audit": "on",
    "detectors": {"face": "ready", "object": "registered"},
}
LIVE: LiveAnswer = {"status": "live"}
READY: ReadyAnswer = {
    "status": "ready",
    "detectors": ["face", "object"],
    "without_model": ["ethnicity"],
}
METRICS = """\
# HELP visiongate_requests_total Requests answered.
# TYPE visiongate_requests_total counter
visiongate_requests_total{method="GET",route="/health",status="200"} 12.0
"""
