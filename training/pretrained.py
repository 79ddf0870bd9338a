"""Start from ImageNet: put the weights of the published quantised MobileNetV2 into our body.

The file is `mobilenet_v2_1.0_224_quant.tflite` (Google, Apache-2.0; `visiongate.models` fetches
it). Quantisation there is affine, real = scale x (integer - zero point), one scale a tensor (Jacob
et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018). Batch norm is folded already.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.model import body

__all__ = ["imagenet_classifier", "load_body", "read_convolutions"]

Weights = tuple[NDArray[np.float32], NDArray[np.float32]]
_CONV_2D, _DEPTHWISE_CONV_2D = 3, 4  # tflite's BuiltinOperator
_DTYPES = {2: np.int32, 3: np.uint8, 9: np.int8}  # tflite's TensorType


def _real(model: Any, tensor: Any) -> NDArray[np.float32]:
    """Return a constant tensor of the file as floats."""
    raw = np.frombuffer(
        model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), _DTYPES[tensor.Type()]
    )
    quantisation = tensor.Quantization()
    scale, zero = quantisation.ScaleAsNumpy(), quantisation.ZeroPointAsNumpy()
    if scale.size != 1:
        raise ValueError(
            f"one scale a tensor is expected, {tensor.Name().decode()} has {scale.size}"
        )
    values = (raw.astype(np.float64) - int(zero[0])) * float(scale[0])
    return values.reshape(tensor.ShapeAsNumpy()).astype(np.float32)


def read_convolutions(path: Path) -> list[Weights]:
    """Return (kernel, bias) of every convolution of a quantised .tflite, in order.

    Kernels have Keras's axes: (H, W, in, out), and (H, W, C, 1) where depthwise; the file has
    (out, H, W, in) and (1, H, W, C).
    """
    tflite: Any = import_module("tflite")

    model = tflite.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(0)
    found: list[Weights] = []
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind not in (_CONV_2D, _DEPTHWISE_CONV_2D):
            continue
        _, kernel, bias = (
            _real_or_none(model, graph.Tensors(int(i))) for i in operator.InputsAsNumpy()
        )
        if kernel is None or bias is None:
            raise ValueError(f"operator {index} of {path.name} has no constant kernel and bias")
        axes = (1, 2, 3, 0)  # to HxWxInxOut, or to HxWxCx1
        found.append((np.ascontiguousarray(kernel.transpose(axes)), bias))
    return found


def _real_or_none(model: Any, tensor: Any) -> NDArray[np.float32] | None:
    return _real(model, tensor) if model.Buffers(tensor.Buffer()).DataLength() else None


def load_body(network: Any, path: Path) -> None:
    """Fill the convolutions of `network` with those of the file; heads are left as they are."""
    layers = [
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
    ]
    for layer, (kernel, bias) in zip(layers, read_convolutions(path), strict=False):
        layer.set_weights([kernel, bias])


def imagenet_classifier(path: Path, size: int = 224) -> Any:
    """Build the whole ImageNet classifier: RGB 0 to 255 in, 1001 logits out (0 is background).

    It is here so that a test can show that the weights were read rightly.
    """
    image = keras.Input((size, size, 3))
    x = body(keras.layers.Rescaling(1 / 128, offset=-1.0)(image))
    x = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = keras.layers.Conv2D(1001, 1, name="logits")(x)
    network = keras.Model(image, keras.layers.Flatten()(x))
    load_body(network, path)
    return network
