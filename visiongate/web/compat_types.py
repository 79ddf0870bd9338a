"""What the compatibility routes answer, as types: each the shape of one earlier service."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import NotRequired, TypedDict

from visiongate.web.answer_types import Confidence, Pixels, Positive

__all__ = [
    "ClassifyAnswer",
    "CompatError",
    "CompatFailure",
    "GenderAnswer",
    "GenderChance",
    "GenderMeta",
    "GenderPredictions",
    "PredictAnswer",
    "UploadAnswer",
    "UploadPrediction",
]


Number: TypeAlias = Annotated[int, Field(ge=0, le=1)]


class ClassifyAnswer(TypedDict):
    """The apparent gender of the largest face; ``unknown`` where the model abstains."""

    success: Literal[True]
    gender: str
    confidence: Confidence
    warnings: NotRequired[list[str]]


GenderChance = TypedDict(
    "GenderChance",
    {"class": str, "label": Number, "probability": Confidence},
)
"""One class and its probability; label 0 is female, 1 male."""


class GenderMeta(TypedDict):
    """Which model answered, for which face of which picture."""

    model: str | None
    box: Pixels
    width: Positive
    height: Positive


GenderPredictions = TypedDict(
    "GenderPredictions",
    {
        "class": str,
        "label": Number | None,
        "meta": GenderMeta,
        "predictions": list[GenderChance],
        "probability": Confidence,
    },
)
"""What is said of the largest face; ``label`` null where the model abstains."""


class GenderAnswer(TypedDict):
    """Both classes with their probabilities, of the largest face."""

    predictions: GenderPredictions
    success: Literal[True]
    warnings: NotRequired[list[str]]


class PredictAnswer(TypedDict):
    """The apparent ethnicity of the largest face."""

    ethnicity: str
    confidence: Confidence
    warnings: NotRequired[list[str]]


class UploadPrediction(TypedDict):
    """One class that the picture may be of."""

    confidence_level: Confidence
    predicted_label: str


class UploadAnswer(TypedDict):
    """The likeliest classes, up to three."""

    prediction_1: NotRequired[UploadPrediction]
    prediction_2: NotRequired[UploadPrediction]
    prediction_3: NotRequired[UploadPrediction]


class CompatError(TypedDict):
    """What went wrong, in words."""

    error: str


class CompatFailure(CompatError):
    """What went wrong, in words, and that it did."""

    success: Literal[False]
