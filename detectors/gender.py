"""Judge the apparent gender of faces. Read the model card before you rely on it."""

from __future__ import annotations

from typing import Any

from detectors._attributes import AttributeDetector
from detectors._faces_network import GENDER, SIZE
from visiongate.types import DetectorInfo

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
            crop_size=SIZE,
            sensitive=True,
            default_confidence=0.0,
        )
        super().__init__(info, GENDER, **options)
