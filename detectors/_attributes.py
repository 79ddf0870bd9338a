"""What gender and ethnicity have in common: face crops in, one label each out, or ``unknown``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from detectors._cards import own_card, shipped_card
from detectors._custom import CustomClassifier, CustomModel
from detectors._faces_network import FacesNetwork, read_network_ahead, shared_network
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, DetectorUnavailable
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelCard,
    ModelUse,
    PredictOptions,
)

__all__ = ["UNKNOWN", "AttributeDetector"]

UNKNOWN = "unknown"
"""The answer where the surest label is not sure enough."""

_INTENDED = (
    "Statistics over many pictures, and research into how such networks err. Each answer says how "
    "a face looks to a network, and may be wrong."
)


class _Network(Protocol):
    """Gives each crop's probabilities ``(N, labels)``."""

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.float32]: ...


class _Head:
    """One head of the network that this project ships."""

    def __init__(self, network: FacesNetwork, name: str) -> None:
        self._network = network
        self._name = name

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return self._network.probabilities(images)[self._name]


class AttributeDetector:
    """Judge aligned face crops by one head of the shipped network, or by a network of the user's.

    Options:
        abstain_below: calibrated confidence under which the answer is ``unknown`` (0: never).
        model and the other options of ``CustomModel``: the user's own network, which replaces
            the shipped one; ``labels`` then are its own.

    Raises:
        ConfigurationError: an option's value does not fit.
    """

    def __init__(
        self,
        info: DetectorInfo,
        head: str,
        *,
        abstain_below: float = 0.0,
        model: str | None = None,
        **custom: Any,
    ) -> None:
        where = f"[detectors.{info.name}]"
        if not 0.0 <= abstain_below <= 1.0:
            raise ConfigurationError(
                f"{where} abstain_below must lie in [0, 1], got {abstain_below!r}."
            )
        self._abstain_below = abstain_below
        self._head = head
        self._custom: CustomClassifier | None = None
        self._labels = info.labels
        if model is not None:
            custom.setdefault("labels", info.labels)
            self._custom = CustomClassifier(CustomModel.read(where, model=model, **custom))
            self._labels = self._custom.spec.labels
        elif custom:
            raise ConfigurationError(
                f"{where} {', '.join(sorted(custom))}: these describe a model of your own; "
                "name its file with model = …"
            )
        self._info = dataclasses.replace(info, labels=(*self._labels, UNKNOWN))
        self._network: _Network | None = None
        self._model: ModelUse | None = None

    @property
    def info(self) -> DetectorInfo:
        return self._info

    @property
    def model(self) -> ModelUse | None:
        return self._model

    @property
    def card(self) -> ModelCard:
        if self._custom is not None:
            return own_card(str(self._custom.spec.path), sensitive=True)
        return shipped_card(_INTENDED)

    def read_ahead(self, models: ModelStore) -> None:  # noqa: ARG002 - it comes with the program
        if self._custom is None:
            read_network_ahead()

    def load(self, models: ModelStore, device: Device) -> None:
        if self._custom is not None:
            self._model = self._custom.load(models, device)
            self._info = dataclasses.replace(self._info, crop_size=max(self._custom.size))
            self._network = self._custom
            return
        network = shared_network(device)
        self._model = network.use
        self._info = dataclasses.replace(self._info, crop_size=network.size)
        self._network = _Head(network, self._head)

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        if self._network is None:
            raise DetectorUnavailable(f"{self._info.name} is asked before it is loaded.")
        if not images:
            return []
        least = options.abstain_below
        if least is None:
            least = self._abstain_below
        rows = self._network.probabilities(images)
        return [(self._judged(row, image, least),) for row, image in zip(rows, images, strict=True)]

    def _judged(self, row: NDArray[np.float32], image: Image, least: float) -> Detection:
        best = int(row.argmax())
        confidence = min(1.0, float(row[best]))
        chances: Mapping[str, float] = {
            label: min(1.0, float(value)) for label, value in zip(self._labels, row, strict=True)
        }
        return Detection(
            self._labels[best] if confidence >= least else UNKNOWN,
            confidence,
            Box(0.0, 0.0, float(image.shape[1]), float(image.shape[0])),
            probabilities=chances,
        )
