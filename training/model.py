"""The network: one MobileNetV2 body, three heads.

The body is MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
CVPR 2018, table 2) with its batch norms already folded into the convolutions, as the published
quantised weights have them: what is trained is what is served, and a small batch does not disturb
it. `training/pretrained.py` fills it with the ImageNet weights.

Input: (N, H, W, 3) float, RGB, 0 to 255; the scaling is inside. Heads: gender (2 logits), race (7),
age (9).
"""

from __future__ import annotations

from typing import Any

import keras

from training.labels import AGES, GENDERS, RACES

__all__ = ["BLOCKS", "body", "build"]

#: Expansion, channels, repeats, stride of the first: the seven stages of the paper's table 2.
BLOCKS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _conv(
    x: Any, filters: int, name: str, *, kernel: int = 1, stride: int = 1, active: bool = True
) -> Any:
    x = keras.layers.Conv2D(filters, kernel, stride, padding="same", name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x) if active else x


def _depthwise(x: Any, stride: int, name: str) -> Any:
    x = keras.layers.DepthwiseConv2D(3, stride, padding="same", name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}_relu")(x)


def body(x: Any) -> Any:
    """Append MobileNetV2's 52 convolutions to `x`, (N, H, W, 3) from -1 to 1; stride 32."""
    x = _conv(x, 32, "stem", kernel=3, stride=2)
    channels = 32
    index = 0
    for expansion, filters, repeats, first_stride in BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            shortcut = x
            name = f"block{index:02d}"
            if expansion > 1:
                x = _conv(x, channels * expansion, f"{name}_expand")
            x = _depthwise(x, stride, f"{name}_depthwise")
            x = _conv(x, filters, f"{name}_project", active=False)
            if stride == 1 and channels == filters:
                x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
            channels = filters
            index += 1
    return _conv(x, 1280, "top")


def build(dropout: float = 0.1, size: int | None = None) -> Any:
    """Build the network with random weights; `size` None leaves height and width open.

    The outputs are logits under the names gender, race and age.
    """
    image = keras.Input((size, size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(image)
    x = body(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dropout(dropout, name="dropout")(x)
    heads = {"gender": len(GENDERS), "race": len(RACES), "age": len(AGES)}
    outputs = {
        name: keras.layers.Dense(units, name=name, kernel_initializer="zeros")(x)
        for name, units in heads.items()
    }
    return keras.Model(image, outputs, name="faces")
