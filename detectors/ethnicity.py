"""Judge the apparent ethnic group of faces. It needs a model of your own."""

from __future__ import annotations

from typing import Any

from detectors._attributes import AttributeDetector
from visiongate.types import DetectorInfo

_CROP = 112
"""Side of the crops in pixels, until the model has said its own."""

__all__ = ["EthnicityDetector"]


class EthnicityDetector(AttributeDetector):
    """Apparent group, of UTKFace's five, of the faces that ``face`` found.

    Options: ``AttributeDetector``'s.
    """

    def __init__(self, **options: Any) -> None:
        info = DetectorInfo(
            name="ethnicity",
            task="attribute",
            labels=("White", "Black", "Asian", "Indian", "Others"),
            description="Apparent group of each face: a social construct, seen from outside.",
            needs="faces",
            crop_size=_CROP,
            sensitive=True,
            default_confidence=0.0,
        )
        super().__init__(info, **options)
