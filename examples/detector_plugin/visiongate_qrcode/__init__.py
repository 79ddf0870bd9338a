"""A detector in a package of its own: find QR codes and read them.

Visiongate finds it by the entry point in ``pyproject.toml``. What a detector promises is written
in ``visiongate.contracts.Detector``; nothing has to be inherited.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np

from visiongate.contracts import ModelStore
from visiongate.types import (
    Attribute,
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelUse,
    PredictOptions,
)

__all__ = ["QrCodeDetector"]


class QrCodeDetector:
    """Find QR codes; what each says is its attribute ``text``.

    Options of the configuration's section ``[detectors.qrcode]`` arrive as keywords.
    ``read`` false only finds the codes.
    """

    def __init__(self, *, read: bool = True) -> None:
        self._read = read
        self._local = threading.local()
        self._model: ModelUse | None = None

    @property
    def info(self) -> DetectorInfo:
        return DetectorInfo(
            name="qrcode",
            task="detection",
            labels=("qrcode",),
            description="Finds QR codes and reads them.",
        )

    @property
    def model(self) -> ModelUse | None:
        return self._model

    def load(self, models: ModelStore, device: Device) -> None:
        """Nothing to fetch; a detector with weights asks ``models.path(name)`` for them here."""
        self._model = ModelUse("opencv-qrcode", runtime=f"opencv {cv2.__version__}")

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        return [self._find(image) for image in images]

    def _find(self, image: Image) -> tuple[Detection, ...]:
        # OpenCV's object keeps state between its steps, so each thread has one of its own.
        reader = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = cv2.QRCodeDetector()
        gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if self._read:
            found, texts, corners, _ = reader.detectAndDecodeMulti(gray)
        else:
            found, corners = reader.detectMulti(gray)
            texts = ()
        if not found or corners is None:
            return ()
        return tuple(
            _detection(points, texts[i] if i < len(texts) else "")
            for i, points in enumerate(np.asarray(corners, dtype=float))
        )


def _detection(corners: np.ndarray, text: str) -> Detection:
    (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
    attributes = {"text": Attribute(text, 1.0)} if text else {}
    # OpenCV gives no score; a code that could be read has proven itself by its checksums.
    confidence = 1.0 if text else 0.6
    box = Box(float(x1), float(y1), float(x2), float(y2))
    return Detection("qrcode", confidence, box, attributes=attributes)
