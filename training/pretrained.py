"""Start from faces: put the weights of dlib's published face recognition network into our body.

The file is `dlib_face_recognition_resnet_model_v1.dat` (D. King, public domain, CC0). It is what
dlib's `serialize` writes: names of layers as length and text, whole numbers as one byte that tells
how many bytes follow, little-endian, and each layer's parameters as a tensor: the format's
version, four extents, the values as little-endian float32. A convolution's tensor has the kernels
(out, in, H, W) and then the biases; an affine layer's the factors and then the offsets.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

__all__ = ["MEAN", "SCALE", "load_body", "read_convolutions"]

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]

#: What the network subtracts from RGB before it divides by `SCALE` (dlib's
#: `input_rgb_image_sized`).
MEAN = (122.782, 117.001, 104.298)
SCALE = 256.0

_LAYER = re.compile(rb"\x01[\x05\x07](con_4|affine_)")


def _whole(data: bytes, at: int) -> tuple[int, int]:
    """Return the whole number that is written at `at`, and where the next thing begins."""
    length = data[at]
    if not 1 <= length <= 8:
        raise ValueError(f"no whole number at byte {at}: is this a dlib network?")
    return int.from_bytes(data[at + 1 : at + 1 + length], "little"), at + 1 + length


def _tensors(data: bytes) -> list[tuple[str, NDArray[np.float32]]]:
    """Return (kind of layer, its parameters in one row) of every layer that has some."""
    found = []
    place = 0
    while match := _LAYER.search(data, place):
        at = match.end()
        numbers = []
        for _ in range(5):
            number, at = _whole(data, at)
            numbers.append(number)
        count = math.prod(numbers[1:])
        if numbers[0] != 2 or at + 4 * count > len(data):
            raise ValueError(f"the tensor at byte {match.end()} is cut off or of another version")
        found.append((match.group(1).decode(), np.frombuffer(data, "<f4", count, at)))
        place = at + 4 * count  # a name inside the values is chance
    return found


def read_convolutions(path: Path) -> list[Weights]:
    """Return (kernel, bias) of every convolution, its affine layer folded in; kernels (O, I, H, W).

    Raises:
        ValueError: the file is no network of this kind.
    """
    tensors = _tensors(path.read_bytes())
    found: list[Weights] = []
    channels, kernel = 3, 7
    for (kind, values), (after, affine) in zip(tensors[::2], tensors[1::2], strict=True):
        out = len(affine) // 2
        if (kind, after) != ("con_4", "affine_") or len(values) != out * (channels * kernel**2 + 1):
            raise ValueError(f"{path.name}: convolution {len(found)} is not what was expected")
        weight = values[:-out].reshape(out, channels, kernel, kernel)
        factor, offset = affine[:out], affine[out:]
        found.append((weight * factor[:, None, None, None], values[-out:] * factor + offset))
        channels, kernel = out, 3
    if not found:
        raise ValueError(f"{path.name} has no convolution: a dlib network was expected")
    return found


def load_body(network: Any, path: Path) -> None:
    """Fill the convolutions of `network` with those of the file; heads are left as they are."""
    weights = read_convolutions(path)
    # Our pixels come as p / 127.5 - 1, dlib's as (p - mean) / 256.
    kernel, bias = weights[0]
    shift = (127.5 - np.array(MEAN, np.float32)) / SCALE
    bias = bias + (kernel * shift[None, :, None, None]).sum((1, 2, 3))
    weights[0] = (kernel * np.float32(127.5 / SCALE), bias)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    shortcuts = [layer for layer in layers if layer.name.endswith("_shortcut")]
    others = [layer for layer in layers if layer not in shortcuts]
    for layer, (kernel, bias) in zip(others, weights, strict=True):
        layer.set_weights([kernel.transpose(2, 3, 1, 0), bias])
    for layer in shortcuts:
        kernel, bias = (np.zeros_like(value) for value in layer.get_weights())
        kernel[0, 0][np.diag_indices(kernel.shape[2])] = 1.0
        layer.set_weights([kernel, bias])
