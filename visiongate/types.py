"""Values that travel through the gateway: frozen, checked when made, free of any framework.

Coordinates are pixels of the upright picture (EXIF orientation applied), origin at the top
left, x to the right and y down. Confidences lie in [0, 1]. Pixels are RGB, ``uint8``,
``(H, W, 3)``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Attribute",
    "Box",
    "Detection",
    "DetectorInfo",
    "DetectorReport",
    "DetectorState",
    "Device",
    "Enough",
    "Failure",
    "Image",
    "ModelCard",
    "ModelUse",
    "Picture",
    "Point",
    "PredictOptions",
    "Report",
    "Retained",
    "Role",
    "Usage",
    "User",
    "best",
]

Image: TypeAlias = NDArray[np.uint8]
"""Upright RGB pixels, shape ``(height, width, 3)``, dtype ``uint8``, C-contiguous."""

Point: TypeAlias = tuple[float, float]
"""(x, y) in pixels of the upright picture."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle from (x1, y1), inclusive, to (x2, y2), exclusive, in pixels.

    Raises:
        ValueError: a coordinate is not finite, or the box is empty or turned over.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) for v in (self.x1, self.y1, self.x2, self.y2)):
            raise ValueError(f"box has a coordinate that is not finite: {self.as_tuple()}")
        if self.x2 <= self.x1 or self.y2 <= self.y1:
            raise ValueError(f"box is empty: need x1 < x2 and y1 < y2, got {self.as_tuple()}")

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1

    @property
    def area(self) -> float:
        return self.width * self.height

    def as_tuple(self) -> tuple[float, float, float, float]:
        return (self.x1, self.y1, self.x2, self.y2)

    def as_pixels(self) -> tuple[int, int, int, int]:
        """Round to whole pixels, as the original mlapi reported boxes, never to an empty box."""
        x1, y1, x2, y2 = (round(v) for v in self.as_tuple())
        return (x1, y1, max(x2, x1 + 1), max(y2, y1 + 1))

    def scaled(self, to: tuple[int, int], of: tuple[int, int]) -> Box:
        """Return the box in a picture of (width, height) ``to``, from one of size ``of``."""
        # Multiplied first, so that a box up to the edge stays one.
        (width, height), (w, h) = to, of
        return Box(
            self.x1 * width / w, self.y1 * height / h, self.x2 * width / w, self.y2 * height / h
        )

    def clipped(self, width: int, height: int) -> Box | None:
        """Return the part inside a ``width`` x ``height`` picture; None if under a pixel."""
        x1, y1 = max(self.x1, 0.0), max(self.y1, 0.0)
        x2, y2 = min(self.x2, float(width)), min(self.y2, float(height))
        if x2 - x1 < 1.0 or y2 - y1 < 1.0:
            return None
        return Box(x1, y1, x2, y2)

    def iou(self, other: Box) -> float:
        """Return intersection over union with ``other``, in [0, 1]."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a second detector says of a detection, for example ``gender`` of a ``face``.

    ``probabilities`` maps each label to its calibrated probability where the model gives them.
    """

    label: str
    confidence: float
    probabilities: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_confidence(self.confidence)


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing found in a picture.

    ``box`` covers the whole picture where a detector judges the picture as a whole
    (classification). ``landmarks`` are, for faces, right eye, left eye, nose, right and left
    corner of the mouth, as seen in the picture's own coordinates; empty where the model has none.
    """

    label: str
    confidence: float
    box: Box
    landmarks: tuple[Point, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    probabilities: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.label:
            raise ValueError("a detection needs a label")
        _check_confidence(self.confidence)

    def scaled(self, to: tuple[int, int], of: tuple[int, int]) -> Detection:
        """Return the same in a picture of (width, height) ``to``, from one of size ``of``."""
        points = tuple((x * to[0] / of[0], y * to[1] / of[1]) for x, y in self.landmarks)
        return replace(self, box=self.box.scaled(to, of), landmarks=points)


def _check_confidence(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"confidence must lie in [0, 1], got {value!r}")


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """What a caller asks of one detector.

    ``min_confidence`` None means the detector's own default; ``labels`` None means all.
    ``abstain_below`` is the calibrated confidence under which a face attribute is answered
    ``unknown``; None means the detector's own setting.
    """

    min_confidence: float | None = None
    labels: frozenset[str] | None = None
    max_detections: int = 300
    abstain_below: float | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """Where a model runs: an OpenVINO-style device name, and how it shares the processor.

    ``streams`` predictions run side by side, with ``threads`` processor threads in all.
    """

    name: str = "CPU"
    threads: int = 1
    streams: int = 1


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Which model a detector answers with, as reported to callers."""

    name: str
    sha256: str | None = None
    runtime: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What a detector's model is meant for, and where it fails; a detector may offer one.

    ``source`` says where the weights come from. ``details`` is what its makers measured, as JSON
    can carry it, in a form of their own. ``markdown`` is the card for people; where it is empty,
    it is written from the rest.

    Raises:
        ValueError: it states no intended use, or no limits.
    """

    intended_use: str
    limits: tuple[str, ...]
    source: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    markdown: str = ""

    def __post_init__(self) -> None:
        if not self.intended_use or not self.limits:
            raise ValueError("a model card states its intended use, and its limits")


@dataclass(frozen=True, slots=True)
class Enough:
    """How small a picture may be made before a detector sees less in it, in pixels of its sides.

    A detector that shrinks every picture to 300 x 300 needs no more than twice that to do it
    well. Larger JPEGs are then decoded to a half, a quarter or an eighth, at a fraction of the
    cost, as long as both sides stay at least this.
    """

    shorter: int = 1
    longer: int = 1

    def divisor(self, width: int, height: int) -> int:
        """Return the largest of 8, 4, 2 and 1 that leaves enough of a picture of this size."""
        shorter, longer = sorted((width, height))
        fits = (d for d in (8, 4, 2) if shorter >= d * self.shorter and longer >= d * self.longer)
        return next(fits, 1)

    def both(self, other: Enough) -> Enough:
        """Return what is enough for two detectors."""
        return Enough(max(self.shorter, other.shorter), max(self.longer, other.longer))


@dataclass(frozen=True, slots=True)
class DetectorInfo:
    """What a detector is, known before it is loaded.

    ``needs`` is ``"picture"`` for a whole picture or ``"faces"`` for aligned square crops,
    ``crop_size`` pixels wide, of the faces that the face detector found; then each crop's best
    detection becomes the face's attribute under ``name``. ``probe_label`` is what it must
    find in a portrait of a woman (``visiongate/probe.jpg``) before it counts as ready; None asks
    only that it answers. ``enough`` says how small a picture may be given to it; None: as it is.
    """

    name: str
    task: Literal["detection", "attribute", "classification"]
    labels: tuple[str, ...]
    description: str = ""
    needs: Literal["picture", "faces"] = "picture"
    crop_size: int = 0
    sensitive: bool = False
    default_confidence: float = 0.5
    probe_label: str | None = None
    enough: Enough | None = None

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or not self.name.islower():
            raise ValueError(
                f"a detector's name must be a lower-case identifier, got {self.name!r}"
            )
        if self.needs == "faces" and self.crop_size < 1:
            raise ValueError(f"detector {self.name!r} needs faces, so it must state crop_size")
        if self.needs == "faces" and self.enough is not None:
            raise ValueError(f"detector {self.name!r} needs faces, cut from the whole picture")


class DetectorState(str, Enum):
    """Where a detector stands: known, answering, or out of order (with a reason)."""

    REGISTERED = "registered"
    READY = "ready"
    UNAVAILABLE = "unavailable"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    ``format`` is the format found in the bytes (``"JPEG"``), whatever the sender called it;
    ``orientation`` the EXIF value (1 to 8) that was applied to make ``pixels`` upright.
    ``size`` is the upright picture's (width, height) where ``pixels`` show it smaller.
    """

    pixels: Image
    format: str
    orientation: int = 1
    frames: int = 1
    size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(
                "pixels must be uint8 of shape (H, W, 3), got "
                f"{self.pixels.dtype} {self.pixels.shape}"
            )

    @property
    def width(self) -> int:
        return self.size[0] if self.size is not None else int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return self.size[1] if self.size is not None else int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one detector of several gave no answer: the error's code and what to do."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class DetectorReport:
    """What one detector did in one request. ``milliseconds`` is wall time in the detector alone."""

    name: str
    model: ModelUse | None
    device: str
    milliseconds: float
    detections: tuple[Detection, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Retained:
    """A picture that was kept: its id, its owner, and when it will be swept (Unix seconds)."""

    id: str
    owner: str
    created: float
    expires: float | None
    annotated: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer to one picture."""

    picture: Picture
    detectors: tuple[DetectorReport, ...]
    warnings: tuple[str, ...] = ()
    retained: Retained | None = None

    @property
    def detections(self) -> tuple[Detection, ...]:
        return tuple(d for report in self.detectors for d in report.detections)


Role: TypeAlias = Literal["user", "admin"]


@dataclass(frozen=True, slots=True)
class User:
    """An account.

    ``password_hash`` is bcrypt's own string. ``detectors`` None means every detector.
    ``token_epoch`` is written into tokens; raising it ends every token issued before.
    ``requests_per_day`` and ``megapixels_per_day`` None mean the operator's setting, 0 no limit.
    """

    username: str
    password_hash: str = field(repr=False)
    role: Role = "user"
    disabled: bool = False
    detectors: frozenset[str] | None = None
    token_epoch: int = 0
    created: float = 0.0
    requests_per_day: int | None = None
    megapixels_per_day: int | None = None

    def may_use(self, detector: str) -> bool:
        return self.detectors is None or detector in self.detectors


@dataclass(frozen=True, slots=True)
class Usage:
    """What a user has used on one day, counted in days of UTC since 1970-01-01."""

    day: int
    requests: int = 0
    pixels: int = 0


def best(detections: Sequence[Detection]) -> Detection | None:
    """Return the detection of the highest confidence, or None."""
    return max(detections, key=lambda d: d.confidence, default=None)
