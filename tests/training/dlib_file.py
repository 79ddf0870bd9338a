"""Write a network as dlib's `serialize` does, and answer as dlib would: written for the tests.

The arithmetic is plain NumPy, from dlib's definition of the network, and shares no line with
`training/`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
_MEAN = np.array([122.782, 117.001, 104.298], np.float32)


def _shapes() -> list[tuple[int, int, int]]:
    """Return (out, in, kernel) of every convolution, in order."""
    shapes = [(32, 3, 7)]
    for filters, blocks, _ in _STAGES:
        for _ in range(2 * blocks):
            shapes.append((filters, shapes[-1][0], 3))
    return shapes


def _draw(seed: int) -> list[tuple[Floats, Floats, Floats, Floats]]:
    """Return (kernel, bias, factor, offset) of every convolution."""
    rng = np.random.default_rng(seed)
    drawn = []
    for out, channels, kernel in _shapes():
        scale = (channels * kernel**2) ** -0.5
        values = rng.normal(0, scale, (out, channels, kernel, kernel))
        rest = (rng.normal(0, 0.05, out), rng.uniform(0.5, 1.2, out), rng.normal(0, 0.1, out))
        drawn.append(tuple(np.asarray(part, np.float32) for part in (values, *rest)))
    return drawn  # type: ignore[return-value]


def _whole(number: int) -> bytes:
    length = max(1, (number.bit_length() + 7) // 8)
    return bytes([length]) + number.to_bytes(length, "little")


def _text(text: str) -> bytes:
    return _whole(len(text)) + text.encode()


def _tensor(*parts: Floats) -> bytes:
    values = np.concatenate([part.ravel() for part in parts]).astype("<f4")
    return b"".join(map(_whole, (2, len(values), 1, 1, 1))) + values.tobytes()


def network(seed: int) -> bytes:
    """Return the file's bytes; the convolutions' own settings are left as plain numbers."""
    data = _text("loss_metric_2") + bytes([3, 10, 215, 163]) + _text("input_rgb_image_sized")
    for kernel, bias, factor, offset in _draw(seed):
        data += _text("con_4") + _tensor(kernel, bias) + _whole(len(bias)) + _whole(3)
        data += _text("affine_") + _tensor(factor, offset) + _text("relu_1")
    return data + _text("fc_2") + _whole(128)


def _convolve(x: Floats, weights: Any, stride: int, padding: int) -> Floats:
    kernel, bias, factor, offset = weights
    x = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    side = kernel.shape[-1]
    windows = sliding_window_view(x, (side, side), axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncijkl,ockl->noij", windows, kernel, optimize=True)
    y = (y + bias[None, :, None, None]) * factor[None, :, None, None]
    return np.asarray(y + offset[None, :, None, None], np.float32)


def _halve(x: Floats) -> Floats:
    even = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
    n, c, h, w = even.shape
    return np.asarray(even.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5)), np.float32)


def answer(path: Path, pictures: NDArray[np.uint8], seed: int = 3) -> Floats:
    """Return the pooled features (N, 256) of (N, 150, 150, 3) RGB pictures.

    Where a stage halves an even extent, one row and column of zeros come after, as in the network
    that starts from this one: dlib would leave the last ones to the shortcut alone.
    """
    assert path.read_bytes() == network(seed)
    drawn = iter(_draw(seed))
    x = np.asarray((pictures.astype(np.float32) - _MEAN) / 256, np.float32).transpose(0, 3, 1, 2)
    x = np.maximum(_convolve(x, next(drawn), 2, 0), 0)
    x = sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max((4, 5))
    for filters, blocks, down in _STAGES:
        for block in range(blocks):
            shortcut, stride = x, 1
            if down and block == 0:
                shortcut, stride = _halve(x), 2
                x = np.pad(x, ((0, 0), (0, 0), (0, 1), (0, 1)))
            y = np.maximum(_convolve(x, next(drawn), stride, stride % 2), 0)
            y = _convolve(y, next(drawn), 1, 1)
            extra = filters - shortcut.shape[1]
            shortcut = np.pad(shortcut, ((0, 0), (0, extra), (0, 0), (0, 0)))
            x = np.maximum(y + shortcut, 0)
    return np.asarray(x.mean((2, 3)), np.float32)
