"""A classification network of the user's own: the probability of each label for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._custom_network import CustomNetwork, shapes_in_words
from detectors._custom_spec import CustomModel
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.types import Device, Image, ModelUse

__all__ = ["CustomClassifier", "CustomModel"]

_ROUNDING = 1e-4


class CustomClassifier:
    """Loads a ``CustomModel`` and gives the probability of each label for each picture."""

    def __init__(self, spec: CustomModel) -> None:
        self.spec = spec
        self._net: CustomNetwork | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.spec.labels

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        """Convert where needed, load, and compare the labels with the output.

        Raises:
            ModelUnavailable: the file is not there or cannot be used; says why in words.
        """
        spec = self.spec
        net = CustomNetwork(spec, models, device)
        if len(net.blank) != 1:
            raise ModelUnavailable(
                f"{spec.path.name} gives {shapes_in_words(net.blank)}; a classifier gives one, "
                "with a value for each label. Export it with that output alone."
            )
        count = net.blank[0].size
        two_from_one = count == 1 and len(spec.labels) == 2
        if count != len(spec.labels) and not two_from_one:
            shown = ", ".join(spec.labels[:8]) + (", …" if len(spec.labels) > 8 else "")
            raise ModelUnavailable(
                f"{spec.path.name} gives {count} values a picture (output shape "
                f"{net.blank[0].shape}), but the configuration names {len(spec.labels)} labels: "
                f"{shown}. List exactly one label for each value, in order."
            )
        self._net = net
        return net.use

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the network's input, once loaded."""
        assert self._net is not None, "load comes first"
        return self._net.size

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Return ``(N, labels)``, each row adding up to 1 unless the activation is sigmoid.

        Raises:
            ModelUnavailable: the network's values are no probabilities.
        """
        assert self._net is not None, "load comes first"
        (raw,) = self._net.run([self._fitted(image) for image in images])
        return self._activate(_as_floats(raw).reshape(len(images), -1))

    def _fitted(self, image: Image) -> Image:
        width, height = self.size
        shrinks = image.shape[1] >= width and image.shape[0] >= height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)

    def _activate(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.spec.activation == "softmax":
            values = np.exp(values - values.max(axis=1, keepdims=True))
            values /= values.sum(axis=1, keepdims=True)
        elif self.spec.activation == "sigmoid":
            values = np.float32(1.0) / (np.float32(1.0) + np.exp(-np.clip(values, -60, 60)))
        if values.shape[1] == 1 and len(self.spec.labels) == 2:
            # One value is the chance of the second label, as Keras' binary classifiers have it.
            values = np.concatenate([1.0 - values, values], axis=1)
        low, high = float(values.min()), float(values.max())
        if not np.isfinite(values).all() or low < -_ROUNDING or high > 1 + _ROUNDING:
            raise ModelUnavailable(
                f"{self.spec.path.name} gives values from {low:.3g} to {high:.3g}, which are no "
                'probabilities. Configure activation = "softmax" (or "sigmoid").'
            )
        return np.clip(values, 0.0, 1.0)


def _as_floats(values: NDArray[Any]) -> NDArray[np.float32]:
    """Undo the quantisation that TFLite prescribes for probabilities: steps of 1/256."""
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(256)
    if values.dtype == np.int8:
        return (values.astype(np.float32) + np.float32(128)) / np.float32(256)
    return values.astype(np.float32)
