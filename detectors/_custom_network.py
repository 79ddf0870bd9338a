"""A network of the user's own, loaded and fed as the configuration says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors._custom_spec import CustomModel
from visiongate.contracts import ModelStore
from visiongate.errors import ModelUnavailable
from visiongate.runtimes.convert import readable
from visiongate.runtimes.converted import sha256_of
from visiongate.runtimes.openvino import OpenVinoModel
from visiongate.types import Device, Image, ModelUse

__all__ = ["CustomNetwork", "shapes_in_words"]


class CustomNetwork:
    """Pictures of its ``size`` (width, height) in, its outputs out. Thread-safe.

    It is computed in fp32 unless ``precision`` says otherwise: what less does to a network is
    known only of those that were measured. ``blank`` is what it answers to one black picture,
    for those who must know what it gives.

    Raises:
        ModelUnavailable: the file is not there, cannot be converted or loaded, takes something
            other than one picture, or cannot be run; says why in words.
    """

    def __init__(
        self, spec: CustomModel, models: ModelStore, device: Device, precision: str = "f32"
    ) -> None:
        self._spec = spec
        shape = None
        if spec.input_size is not None:
            width, height = spec.input_size
            shape = (1, spec.channels, height, width)
        file = readable(spec.path, models.cache_dir(), input_shape=shape)
        self._net = OpenVinoModel(file, device, precision=precision)
        self._channels_first, self.size = _layout(spec, self._net)
        self.use = ModelUse(
            spec.path.name, sha256_of(spec.path), self._net.runtime, "not stated: your own model"
        )
        width, height = self.size
        try:
            self.blank = self.run([np.zeros((height, width, 3), np.uint8)])
        except RuntimeError as error:
            reason = (str(error).strip().splitlines() or ["no reason given"])[-1]
            raise ModelUnavailable(
                f"{spec.path.name} cannot be run on a picture of {width}x{height} pixels: {reason}"
            ) from error

    def run(self, pictures: Sequence[Image]) -> tuple[NDArray[Any], ...]:
        """Return the outputs for one RGB picture or more, each of the network's own size."""
        port = self._net.inputs[0]
        batch = np.stack([self._fed(picture) for picture in pictures])
        if np.issubdtype(port.dtype, np.integer):
            limits = np.iinfo(port.dtype)
            batch = np.clip(np.rint(batch), limits.min, limits.max)
        batch = np.ascontiguousarray(batch, dtype=port.dtype)
        if port.shape[0] in (-1, len(pictures)):
            return self._net.run(batch)
        one_by_one = [self._net.run(batch[i : i + 1]) for i in range(len(pictures))]
        return tuple(np.concatenate(parts) for parts in zip(*one_by_one, strict=True))

    def _fed(self, picture: Image) -> NDArray[np.float32]:
        pixels: NDArray[Any] = picture
        if self._spec.colour == "gray":
            pixels = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))[:, :, None]
        elif self._spec.colour == "bgr":
            pixels = pixels[:, :, ::-1]
        mean = np.asarray(self._spec.mean, np.float32)
        scaled = (pixels.astype(np.float32) - mean) / np.asarray(self._spec.scale, np.float32)
        if self._channels_first:
            scaled = scaled.transpose(2, 0, 1)
        return np.asarray(scaled, np.float32)


def shapes_in_words(arrays: Sequence[NDArray[Any]]) -> str:
    """Return the shapes of a network's outputs, to be read by people."""
    shapes = ", ".join("(" + ", ".join(map(str, array.shape)) + ")" for array in arrays)
    return f"{len(arrays)} output{'s' if len(arrays) != 1 else ''}, {shapes}"


def _layout(spec: CustomModel, net: OpenVinoModel) -> tuple[bool, tuple[int, int]]:
    """Return whether channels come first, and (width, height), from the file or the settings."""
    name, channels = spec.path.name, spec.channels
    shape = net.inputs[0].shape if net.inputs else ()
    if len(net.inputs) != 1 or len(shape) != 4 or channels not in (shape[1], shape[3]):
        taken = ", ".join(str(port.shape) for port in net.inputs) or "nothing"
        raise ModelUnavailable(
            f"{name} takes {taken}; needed is one input of pictures with {channels} "
            f"channel{'s' if channels > 1 else ''} (colour = {spec.colour!r}): "
            f"(N, H, W, {channels}) or (N, {channels}, H, W). -1 is a size that is free."
        )
    if shape[0] not in (-1, 1):
        raise ModelUnavailable(
            f"{name} takes {shape[0]} pictures at once; export it for one, or for any number."
        )
    first = shape[3] != channels
    height, width = shape[2:] if first else shape[1:3]
    if spec.input_size is not None:
        wanted = spec.input_size
        if width not in (-1, wanted[0]) or height not in (-1, wanted[1]):
            raise ModelUnavailable(
                f"{name} takes pictures of {width}x{height} pixels, but the "
                f"configuration says input_size = {wanted[0]}x{wanted[1]}."
            )
        return first, wanted
    if -1 in (width, height):
        raise ModelUnavailable(f"{name} takes pictures of any size: say which with input_size.")
    return first, (width, height)
