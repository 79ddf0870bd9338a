"""The network: a residual body that has seen millions of faces, three heads.

The body is the residual network with which dlib tells faces apart (King, D., 2017, "High quality
face recognition with deep metric learning"; 29 convolutions, a ResNet-34 of He et al., CVPR 2016,
with fewer layers and half the channels), its affine layers folded into the convolutions: what is
trained is what is served, and a small batch does not disturb it. `training/pretrained.py` fills it
with the published weights, and they are worth most where the arithmetic is dlib's own: pictures of
150 pixels, and no padding in the stem. (With TensorFlow's `same` padding a linear classifier on
the untrained features was 7 points worse for gender and 11 for groups.) Two things differ from
dlib's: where a stage halves an even extent, the last row and column are computed rather than left
at zero; and where it widens, a 1x1 convolution that starts as the identity makes the shortcut's
channels, in place of zeros.

Input: (N, H, W, 3) float, RGB, 0 to 255; the scaling is inside. Heads: gender (2 logits), race (7),
age (9).
"""

from __future__ import annotations

from typing import Any

import keras

from training.labels import AGES, GENDERS, RACES

__all__ = ["STAGES", "body", "build"]

#: Channels and blocks of each stage; every stage but the first halves the picture.
STAGES = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))


def _conv(
    x: Any, filters: int, name: str, kernel: int = 3, stride: int = 1, padding: str = "same"
) -> Any:
    return keras.layers.Conv2D(filters, kernel, stride, padding=padding, name=name)(x)


def _block(x: Any, filters: int, stride: int, name: str) -> Any:
    """Append two 3x3 convolutions and the shortcut around them."""
    shortcut = x
    if stride > 1:
        shortcut = keras.layers.AveragePooling2D(stride, name=f"{name}_pool")(x)
        shortcut = _conv(shortcut, filters, f"{name}_shortcut", kernel=1)
        x = keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"{name}_pad")(x)
    padding = "valid" if stride > 1 else "same"
    x = _conv(x, filters, f"{name}_first", stride=stride, padding=padding)
    x = keras.layers.ReLU(name=f"{name}_first_relu")(x)
    x = _conv(x, filters, f"{name}_second")
    x = keras.layers.Add(name=f"{name}_add")([x, shortcut])
    return keras.layers.ReLU(name=f"{name}_relu")(x)


def body(x: Any) -> Any:
    """Append the body to `x`, (N, H, W, 3) from -1 to 1; stride 64, 256 channels."""
    x = _conv(x, STAGES[0][0], "stem", kernel=7, stride=2, padding="valid")
    x = keras.layers.ReLU(name="stem_relu")(x)
    x = keras.layers.MaxPooling2D(3, 2, name="stem_pool")(x)
    index = 0
    for stage, (filters, blocks) in enumerate(STAGES):
        for block in range(blocks):
            x = _block(x, filters, 2 if stage and not block else 1, f"block{index:02d}")
            index += 1
    return x


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
