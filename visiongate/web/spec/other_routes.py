"""The operations outside ``/api/v1`` for programs: earlier services' routes, health, metrics."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visiongate import errors
from visiongate.web import compat
from visiongate.web.spec import errors as may
from visiongate.web.spec import examples
from visiongate.web.spec.errors import compat_responses, problem_responses
from visiongate.web.spec.operation import (
    ACCESS,
    NO_TOKEN,
    Operation,
    answer,
    json_answer,
)
from visiongate.web.spec.schemas import PICTURE_TYPES, compat_body

__all__ = ["TAGS", "operations"]

_COMPAT, _HEALTH = "Compatibility", "Health"
TAGS = {
    _COMPAT: "The routes of four earlier services, answered in their shapes. Nothing is kept.",
    _HEALTH: "For load balancers and monitoring.",
}
_COMPAT_ANSWERS: dict[str, tuple[str, str, object]] = {
    "/classify": (
        "The apparent gender of the largest face",
        "ClassifyAnswer",
        examples.CLASSIFY,
    ),
    "/api/gender": (
        "Both genders with their probabilities, of the largest face",
        "GenderAnswer",
        examples.GENDER,
    ),
    "/predict": (
        "The apparent ethnicity of the largest face in a JPEG",
        "PredictAnswer",
        examples.PREDICT,
    ),
    "/upload": ("The three likeliest classes", "UploadAnswer", examples.UPLOAD),
}


def operations(open_routes: Sequence[str]) -> Iterator[Operation]:
    """Yield every operation; ``open_routes`` need no token."""
    yield from _compat(open_routes)
    yield from _health()


def _compat(open_routes: Sequence[str]) -> Iterator[Operation]:
    possible = (*may.PICTURE, *may.DETECTING, *may.ACCOUNT)
    for route, (view, success) in compat.ROUTES.items():
        summary, name, example = _COMPAT_ANSWERS[route]
        yield Operation(
            "post",
            route,
            f"compat_{view.__name__}",
            _COMPAT,
            summary,
            {
                "200": answer("The answer.", json_answer(name, example)),
                **compat_responses(possible, success),
            },
            security=({}, *ACCESS) if route in open_routes else ACCESS,
            body=compat_body(("image/jpeg",) if route == "/predict" else PICTURE_TYPES),
        )


def _health() -> Iterator[Operation]:
    usable = json_answer("HealthAnswer", examples.HEALTH)
    unusable = json_answer(
        "HealthAnswer",
        {
            **examples.HEALTH,
            "status": "unhealthy",
            "ml_libs_available": False,
            "detectors": {"face": "unavailable", "object": "unavailable"},
        },
    )
    for prefix, ending in (("", ""), ("/api/v1", "_v1")):
        yield Operation(
            "get",
            f"{prefix}/health",
            f"health{ending}",
            _HEALTH,
            "Whether any detector can answer, and each one's state",
            {
                "200": answer("One can.", usable),
                "503": answer("None can.", unusable),
                **problem_responses(may.FAULT),
            },
            security=NO_TOKEN,
        )
        yield Operation(
            "get",
            f"{prefix}/health/live",
            f"live{ending}",
            _HEALTH,
            "That the process answers",
            {
                "200": answer("It does.", json_answer("LiveAnswer", examples.LIVE)),
                **problem_responses(may.FAULT),
            },
            security=NO_TOKEN,
        )
        yield Operation(
            "get",
            f"{prefix}/health/ready",
            f"ready{ending}",
            _HEALTH,
            "Whether every enabled detector has answered a picture of known content",
            {
                "200": answer("Each has.", json_answer("ReadyAnswer", examples.READY)),
                **problem_responses((errors.Unavailable, *may.FAULT)),
            },
            security=NO_TOKEN,
        )
    yield Operation(
        "get",
        "/metrics",
        "metrics",
        _HEALTH,
        "Prometheus metrics",
        {
            "200": answer(
                "Counts per route and work per detector.",
                {"text/plain": {"schema": {"type": "string"}, "example": examples.METRICS}},
            ),
            **problem_responses(may.FAULT),
        },
        security=NO_TOKEN,
    )
