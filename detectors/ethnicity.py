"""Judge the apparent ethnic group of faces. Read the model card before you rely on it."""

from __future__ import annotations

from typing import Any

from detectors._attributes import AttributeDetector
from detectors._faces_network import GROUP, SIZE
from visiongate.types import DetectorInfo

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
            crop_size=SIZE,
            sensitive=True,
            default_confidence=0.0,
        )
        super().__init__(info, GROUP, **options)
