"""A user's own classification network: what the configuration says of it, and how it is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.runtimes.convert import readable
from visiongate.runtimes.converted import sha256_of
from visiongate.runtimes.openvino import OpenVinoModel
from visiongate.types import Device, Image, ModelUse

__all__ = ["CustomClassifier", "CustomModel"]

Colour = Literal["rgb", "bgr", "gray"]
Activation = Literal["none", "softmax", "sigmoid"]

_SCALINGS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0..255": ((0.0,), (1.0,)),
    "0..1": ((0.0,), (255.0,)),
    "-1..1": ((127.5,), (127.5,)),
    # torchvision's documented normalisation, RGB, here for values of 0 to 255.
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # keras.applications' "caffe" mode (VGG16, ResNet50): BGR, means only.
    "caffe": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0)),
}


@dataclass(frozen=True, slots=True)
class CustomModel:
    """What the configuration must say of a model, because its file does not.

    ``input_size`` is the side in pixels, or (width, height); None reads it from the file.
    ``scaling`` is a name or ``{"mean": …, "scale": …}``: (pixel - mean) / scale, pixels 0 to 255 in
    the order of ``colour``. ``labels`` stand in the order of the outputs, in a list or a file
    with one a line. ``activation`` is what the file leaves to the caller.

    Raises:
        ConfigurationError: a value that does not fit; says what would.
    """

    path: Path
    labels: tuple[str, ...]
    input_size: tuple[int, int] | None = None
    colour: Colour = "rgb"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    activation: Activation = "none"

    @classmethod
    def read(
        cls,
        where: str,
        *,
        model: str,
        labels: Sequence[str] | str,
        input_size: int | Sequence[int] | None = None,
        colour: str = "rgb",
        scaling: str | Mapping[str, Any] = "0..255",
        activation: str = "none",
    ) -> CustomModel:
        """Check what stands in the section ``where`` of the configuration."""
        if colour not in get_args(Colour):
            raise ConfigurationError(f"{where} colour must be rgb, bgr or gray, got {colour!r}.")
        if activation not in get_args(Activation):
            raise ConfigurationError(
                f"{where} activation must be none, softmax or sigmoid, got {activation!r}."
            )
        mean, scale = _scaling(where, scaling)
        return cls(
            path=Path(model).expanduser(),
            labels=_labels(where, labels),
            input_size=_size(where, input_size),
            colour=colour,  # type: ignore[arg-type]  # checked above
            mean=mean,
            scale=scale,
            activation=activation,  # type: ignore[arg-type]  # checked above
        )


class CustomClassifier:
    """Loads a ``CustomModel`` and gives the probability of each label for each picture."""

    def __init__(self, spec: CustomModel) -> None:
        self.spec = spec
        self._net: OpenVinoModel | None = None
        self._channels_first = False
        self._size = (0, 0)

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        """Convert where needed, load, and compare the labels with the output.

        Raises:
            ModelUnavailable: the file is not there or cannot be used; says why in words.
        """
        spec = self.spec
        shape = None
        if spec.input_size is not None:
            channels = 1 if spec.colour == "gray" else 3
            shape = (1, channels, spec.input_size[1], spec.input_size[0])
        path = readable(spec.path, models.cache_dir(), input_shape=shape)
        net = OpenVinoModel(path, device)
        self._channels_first, self._size = _layout(spec, net)
        count = abs(net.outputs[0].shape[-1]) if net.outputs[0].shape else 0
        two_from_one = count == 1 and len(spec.labels) == 2
        if count != len(spec.labels) and not two_from_one:
            raise ModelUnavailable(
                f"{spec.path.name} gives {count} values a picture (output shape "
                f"{net.outputs[0].shape}), but the configuration names {len(spec.labels)} labels: "
                f"{', '.join(spec.labels[:8])}. List exactly one label for each value, in order."
            )
        self._net = net
        return ModelUse(spec.path.name, sha256_of(spec.path), net.runtime, "your own")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the network's input, once loaded."""
        return self._size

    def probabilities(self, images: Sequence[Image]) -> NDArray[np.float32]:
        """Return ``(N, labels)``, each row adding up to 1 unless the activation is sigmoid.

        Raises:
            ModelUnavailable: the network's values are no probabilities.
        """
        assert self._net is not None, "load comes first"
        port = self._net.inputs[0]
        batch = np.stack([self._feed(image) for image in images])
        quantised = port.dtype == np.uint8
        batch = np.clip(np.rint(batch), 0, 255) if quantised else batch
        batch = np.ascontiguousarray(batch, dtype=port.dtype)
        if port.shape[0] in (-1, len(images)):
            raw = self._net.run(batch)[0]
        else:
            raw = np.concatenate([self._net.run(batch[i : i + 1])[0] for i in range(len(images))])
        values = raw.reshape(len(images), -1)
        if values.dtype == np.uint8:
            values = values.astype(np.float32) / 255.0
        return self._activate(values.astype(np.float32))

    def _feed(self, image: Image) -> NDArray[np.float32]:
        shrinks = image.shape[1] >= self._size[0] and image.shape[0] >= self._size[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = np.asarray(cv2.resize(image, self._size, interpolation=how))
        if self.spec.colour == "gray":
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[:, :, None]
        elif self.spec.colour == "bgr":
            pixels = pixels[:, :, ::-1]
        mean = np.asarray(self.spec.mean, np.float32)
        scaled = (pixels.astype(np.float32) - mean) / np.asarray(self.spec.scale, np.float32)
        if self._channels_first:
            scaled = scaled.transpose(2, 0, 1)
        return np.asarray(scaled, np.float32)

    def _activate(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.spec.activation == "softmax":
            values = np.exp(values - values.max(axis=1, keepdims=True))
            values /= values.sum(axis=1, keepdims=True)
        elif self.spec.activation == "sigmoid":
            values = np.float32(1.0) / (np.float32(1.0) + np.exp(-np.clip(values, -60, 60)))
        if values.shape[1] == 1 and len(self.spec.labels) == 2:
            values = np.concatenate([1.0 - values, values], axis=1)
        if not np.isfinite(values).all() or values.min() < -1e-4 or values.max() > 1 + 1e-4:
            raise ModelUnavailable(
                f"{self.spec.path.name} gives values from {values.min():.3g} to "
                f"{values.max():.3g}, which are no probabilities. "
                'Configure activation = "softmax" (or "sigmoid").'
            )
        return np.clip(values, 0.0, 1.0)


def _layout(spec: CustomModel, net: OpenVinoModel) -> tuple[bool, tuple[int, int]]:
    """Return whether channels come first, and (width, height), from the file or the settings."""
    shape = net.inputs[0].shape
    channels = 1 if spec.colour == "gray" else 3
    if len(net.inputs) != 1 or len(shape) != 4 or channels not in (shape[1], shape[3]):
        raise ModelUnavailable(
            f"{spec.path.name} takes {[port.shape for port in net.inputs]}; needed is one input of "
            f"pictures with {channels} channels, (N, H, W, {channels}) or (N, {channels}, H, W)."
        )
    first = shape[3] != channels
    height, width = shape[2:] if first else shape[1:3]
    if spec.input_size is not None:
        wanted = spec.input_size
        if (width, height) != wanted and -1 not in (width, height):
            raise ModelUnavailable(
                f"{spec.path.name} takes pictures of {width}x{height} pixels, but the "
                f"configuration says input_size = {wanted[0]}x{wanted[1]}."
            )
        return first, wanted
    if -1 in (width, height):
        raise ModelUnavailable(
            f"{spec.path.name} takes pictures of any size: say which with input_size."
        )
    return first, (width, height)


def _labels(where: str, labels: Sequence[str] | str) -> tuple[str, ...]:
    if isinstance(labels, str):
        try:
            lines = Path(labels).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{where} labels: {labels} cannot be read: {error}") from None
        labels = [line.strip() for line in lines if line.strip()]
    names = tuple(labels)
    if len(names) < 2 or not all(names):
        raise ConfigurationError(f"{where} labels must list two names or more, got {labels!r}.")
    if len(set(names)) != len(names):
        raise ConfigurationError(f"{where} labels name something twice: {labels!r}.")
    return names


def _size(where: str, size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or not all(8 <= side <= 4096 for side in sides):
        raise ConfigurationError(
            f"{where} input_size must be a side or [width, height], 8 to 4096, got {size!r}."
        )
    return (sides[0], sides[1])


def _scaling(
    where: str, scaling: str | Mapping[str, Any]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(scaling, str):
        if scaling not in _SCALINGS:
            raise ConfigurationError(
                f"{where} scaling must be one of {', '.join(_SCALINGS)}, or a table with mean and "
                f"scale, got {scaling!r}."
            )
        return _SCALINGS[scaling]
    try:
        mean = tuple(float(v) for v in np.atleast_1d(scaling.get("mean", 0.0)))
        scale = tuple(float(v) for v in np.atleast_1d(scaling.get("scale", 1.0)))
        fits = {len(mean), len(scale)} <= {1, 3} and all(scale)
    except (TypeError, ValueError):
        fits = False
    if not fits or set(scaling) - {"mean", "scale"}:
        raise ConfigurationError(
            f"{where} scaling takes mean and scale, each one number or three, scale not 0, "
            f"got {dict(scaling)!r}."
        )
    return mean, scale
