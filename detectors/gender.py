"""Judge the apparent gender of faces. It needs a model of your own."""

from __future__ import annotations

from typing import Any

from detectors._attributes import AttributeDetector
from visiongate.types import DetectorInfo

_CROP = 112
"""Side of the crops in pixels, until the model has said its own."""

__all__ = ["GenderDetector"]


class GenderDetector(AttributeDetector):
    """Apparent gender, ``male`` or ``female``, of the faces that ``face`` found.

    Options: ``AttributeDetector``'s.
    """

    def __init__(self, **options: Any) -> None:
        info = DetectorInfo(
            name="gender",
            task="attribute",
            labels=("male", "female"),
            description="Apparent gender of each face: how it looks, not who the person is.",
            needs="faces",
            crop_size=_CROP,
            sensitive=True,
            default_confidence=0.0,
        )
        super().__init__(info, **options)
