"""What the gateway answers, as types: those that write answers and the specification share.

Confidences lie in [0, 1]; boxes are ``[x1, y1, x2, y2]`` in pixels of the upright picture.
Docstrings become descriptions in the specification.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, with_config
from typing_extensions import NotRequired, TypedDict

from visiongate.imaging import FORMATS
from visiongate.types import DetectorState

__all__ = [
    "AttributeAnswer",
    "CardAnswer",
    "Confidence",
    "DetectionAnswer",
    "DetectorAnswer",
    "FailureAnswer",
    "HealthAnswer",
    "ImageAnswer",
    "ImagesAnswer",
    "KeptImageAnswer",
    "ListItem",
    "LiveAnswer",
    "LoginAnswer",
    "LogoutAnswer",
    "ModelAnswer",
    "Problem",
    "ReadyAnswer",
    "ReportAnswer",
    "RetainedAnswer",
    "RetainedUrls",
    "StateName",
]

Confidence: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Positive: TypeAlias = Annotated[int, Field(ge=1)]
Percentage: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{1,3}\.[0-9]{2}%$")]
Pixels: TypeAlias = Annotated[list[int], Field(min_length=4, max_length=4)]
Corners: TypeAlias = Annotated[list[float], Field(min_length=4, max_length=4)]
Place: TypeAlias = Annotated[list[float], Field(min_length=2, max_length=2)]
Moment: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
PictureId: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{16}-[0-9a-f]{32}$")]
StateName: TypeAlias = Annotated[
    str, Field(json_schema_extra={"enum": [state.value for state in DetectorState]})
]


@with_config(json_schema_extra={"additionalProperties": {"type": "string"}})
class ListItem(TypedDict):
    """One detection as the original mlapi wrote it.

    ``type`` is what was found (``person``, ``face``); ``confidence`` a percentage with two
    decimals (``"99.69%"``); ``box`` whole pixels. What another detector says of a face stands
    under that detector's name, such as ``gender``, and beside it its confidence.
    """

    type: str
    label: str
    confidence: Percentage
    box: Pixels
    gender: NotRequired[str]
    gender_confidence: NotRequired[Percentage]


class ImageAnswer(TypedDict):
    """The picture as it was read; ``orientation_applied`` is the EXIF value, 1 for upright."""

    width: Positive
    height: Positive
    format: Annotated[str, Field(json_schema_extra={"enum": list(FORMATS)})]
    orientation_applied: Annotated[int, Field(ge=1, le=8)]
    frames: Positive


class AttributeAnswer(TypedDict):
    """What a detector says of a face; ``probabilities`` by label, where the model gives them."""

    label: str
    confidence: Confidence
    probabilities: dict[str, Confidence]


class DetectionAnswer(TypedDict):
    """One thing found, by which detector, and what others say of it by their names."""

    detector: str
    label: str
    confidence: Confidence
    box: Corners
    landmarks: list[Place]
    attributes: dict[str, AttributeAnswer]
    probabilities: dict[str, Confidence]


class ModelAnswer(TypedDict):
    """The model in use; ``sha256`` null for one without a weights file."""

    name: str
    sha256: str | None
    runtime: str
    licence: str


class CardAnswer(TypedDict):
    """A model card: what the model is meant for, and where it fails.

    ``model`` is null until the detector has loaded it; ``source`` says where the weights come
    from; ``details`` is what their makers measured, in a form of their own.
    """

    detector: str
    description: str
    labels: list[str]
    sensitive: bool
    model: ModelAnswer | None
    source: list[str]
    intended_use: str
    limits: list[str]
    details: dict[str, Any]


class FailureAnswer(TypedDict):
    """Why a detector gave no answer, with the code that a problem document would carry."""

    code: str
    detail: str


class DetectorAnswer(TypedDict):
    """What one detector did; ``milliseconds`` is wall time in the detector alone."""

    name: str
    model: ModelAnswer | None
    device: str
    milliseconds: Annotated[float, Field(ge=0)]
    failure: FailureAnswer | None


class RetainedUrls(TypedDict):
    """Paths under which a kept picture can be fetched; ``annotated`` null without such a copy."""

    original: str
    annotated: str | None


class RetainedAnswer(TypedDict):
    """A kept picture; times in RFC 3339, ``expires`` null for one that is never swept."""

    id: PictureId
    created: Moment
    expires: Moment | None
    urls: RetainedUrls


class ReportAnswer(TypedDict):
    """The full report."""

    image: ImageAnswer
    detections: list[DetectionAnswer]
    detectors: list[DetectorAnswer]
    warnings: list[str]
    retained: RetainedAnswer | None


class KeptImageAnswer(RetainedAnswer):
    """A kept picture, and whose it is."""

    owner: str


class ImagesAnswer(TypedDict):
    """Kept pictures, newest first: the caller's, an admin's everyone's."""

    retention: Literal["on", "off"]
    images: list[KeptImageAnswer]


class LoginAnswer(TypedDict):
    """Tokens; ``expires`` is the access token's life in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"]
    expires: Positive


class LogoutAnswer(TypedDict):
    """That it is done, in words."""

    msg: str


class HealthAnswer(TypedDict):
    """How the gateway stands, and each enabled detector's state.

    ``audit`` is ``failing`` while the audit log cannot be written.
    """

    status: Literal["healthy", "unhealthy"]
    ml_libs_available: bool
    version: str
    audit: Literal["on", "off", "failing"]
    detectors: dict[str, StateName]


class LiveAnswer(TypedDict):
    """That the process answers."""

    status: Literal["live"]


class ReadyAnswer(TypedDict):
    """That every enabled detector has answered a picture of known content.

    ``without_model`` names those whose weights are not on this machine; they answer 503.
    """

    status: Literal["ready"]
    detectors: list[str]
    without_model: list[str]


@with_config(extra="allow")
class Problem(TypedDict):
    """Problem details (RFC 9457).

    ``code`` is stable: depend on it. ``detail`` tells people what happened and what to do, and
    ``msg`` repeats it for clients of the original mlapi. ``request_id`` is in the gateway's log.
    ``retry_after``, in seconds, is a header instead where the problem is the whole answer.
    """

    type: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    title: str
    status: Annotated[int, Field(ge=400, le=599)]
    detail: str
    code: str
    request_id: str | None
    msg: str
    retry_after: NotRequired[Positive]
