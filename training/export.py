"""Write the network as ONNX, ready to serve: pixels in, calibrated probabilities out.

The graph is written node by node from the Keras model. Into it go the scaling of the pixels, the
mirror image (both are looked at, and the mean of the features is taken), the temperatures, the
softmax, and the sum of races into groups: a caller has nothing left to get wrong. The age head is
left out. Kernels are stored as 8-bit integers with one scale an output channel, biases and heads as
float32: the runtime turns them back once, when it loads the model; arithmetic stays floating point.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.labels import GENDERS, GROUPS, RACES, fold_matrix
from training.model import STAGES
from training.twin import Twin

__all__ = ["INPUT", "OUTPUTS", "export"]

INPUT = "faces"
OUTPUTS = {"gender": GENDERS, "group": GROUPS}
_OPSET = 17


class _Graph:
    """Nodes and constants, in order."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Add a constant; a kernel as int8 with its scales, restored in the graph."""
        if value.ndim == 4:
            scales = np.abs(value).max(axis=(1, 2, 3)).clip(1e-12) / np.float32(127)
            small = np.rint(value / scales[:, None, None, None]).astype(np.int8)
            parts = [f"{name}.int8", f"{name}.scales"]
            self.constants += [
                numpy_helper.from_array(small, parts[0]),
                numpy_helper.from_array(scales.astype(np.float32), parts[1]),
            ]
            return self.node("DequantizeLinear", parts, name, axis=0)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add a node with one output and return the output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def export(
    network: Any,
    path: Path,
    size: int,
    temperatures: dict[str, float],
    mirrored: bool = True,
    notes: dict[str, str] | None = None,
    raw: bool = False,
) -> None:
    """Write `network` (made by `training.model.build`) to `path`, for crops of `size` pixels.

    `temperatures` has one for `gender` and one for `race`. Input: `faces`, (N, size, size, 3)
    uint8, RGB. Outputs: `gender` (N, 2) and `group` (N, 5), float32 probabilities; with `raw`,
    `gender.logits` and `race.logits` instead, for calibration.
    """
    twin = Twin(network)
    graph = _Graph()
    x = _pixels(graph, mirrored)
    x = _convolve(graph, twin, x, "stem", 2, [0, 0])
    x = graph.node("Relu", [x], "stem.relu")
    x = _pool(graph, "MaxPool", x, "stem.pool", 3)
    for block in twin.blocks:
        shortcut, around = x, [1, 1]
        if block.stride > 1:
            shortcut, around = _pool(graph, "AveragePool", x, f"{block.name}_pool", 2), [0, 1]
            shortcut = _convolve(graph, twin, shortcut, f"{block.name}_shortcut", 1, [0, 0])
        x = _convolve(graph, twin, x, f"{block.name}_first", block.stride, around)
        x = graph.node("Relu", [x], f"{block.name}_first.relu")
        x = _convolve(graph, twin, x, f"{block.name}_second", 1, [1, 1])
        x = graph.node("Add", [x, shortcut], f"{block.name}.sum")
        x = graph.node("Relu", [x], f"{block.name}.relu")
    x = graph.node("GlobalAveragePool", [x], "pooled")
    if mirrored:
        graph.constant("split", np.array([2, -1, STAGES[-1][0]], np.int64))
        x = graph.node("Reshape", [x, "split"], "both")
        x = graph.node("ReduceMean", [x], "features", axes=[0], keepdims=0)
    else:
        x = graph.node("Flatten", [x], "features", axis=1)
    _heads(graph, twin, x, temperatures)
    outputs = {"gender.logits": 2, "race.logits": len(RACES)} if raw else None
    _write(graph, path, size, notes or {}, outputs)


def _pixels(graph: _Graph, mirrored: bool) -> str:
    """Turn (N, H, W, 3) bytes into (N or 2N, 3, H, W) floats from -1 to 1."""
    graph.constant("half_range", np.array(127.5, np.float32))
    graph.constant("one", np.array(1, np.float32))
    x = graph.node("Cast", [INPUT], "floats", to=TensorProto.FLOAT)
    x = graph.node("Div", [x, "half_range"], "scaled")
    x = graph.node("Sub", [x, "one"], "centred")
    x = graph.node("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    if not mirrored:
        return x
    for name, value in (("start", -1), ("end", -(2**31)), ("axis", 3), ("back", -1)):
        graph.constant(name, np.array([value], np.int64))
    mirror = graph.node("Slice", [x, "start", "end", "axis", "back"], "mirror")
    return graph.node("Concat", [x, mirror], "views", axis=0)


def _heads(graph: _Graph, twin: Twin, features: str, temperatures: dict[str, float]) -> None:
    """Add the heads, their temperatures folded into their weights, and the sum into groups."""
    for head, output in (("gender", "gender"), ("race", "races")):
        for kind in ("weight", "bias"):
            value = twin.values[f"{head}.{kind}"].detach().contiguous().numpy()
            graph.constant(f"{head}.{kind}", value / np.float32(temperatures[head]))
        weights = [f"{head}.weight", f"{head}.bias"]
        logits = graph.node("Gemm", [features, *weights], f"{head}.logits", transB=1)
        graph.node("Softmax", [logits], output, axis=1)
    graph.constant("fold", fold_matrix())
    graph.node("MatMul", ["races", "fold"], "group")


def _convolve(graph: _Graph, twin: Twin, x: str, name: str, stride: int, around: list[int]) -> str:
    """Append a convolution with so many zeros before and after each axis; return its output."""
    weight = twin.values[f"{name}.weight"].detach().contiguous().numpy()
    bias = twin.values[f"{name}.bias"].detach().numpy()
    names = [graph.constant(f"{name}.weight", weight), graph.constant(f"{name}.bias", bias)]
    before, after = around
    return graph.node(
        "Conv",
        [x, *names],
        name,
        kernel_shape=list(weight.shape[2:]),
        strides=[stride] * 2,
        pads=[before, before, after, after],
    )


def _pool(graph: _Graph, kind: str, x: str, name: str, kernel: int) -> str:
    """Append a pooling of stride 2 without padding."""
    return graph.node(kind, [x], name, kernel_shape=[kernel] * 2, strides=[2, 2])


def _write(
    graph: _Graph, path: Path, size: int, notes: dict[str, str], outputs: dict[str, int] | None
) -> None:
    widths = outputs or {name: len(labels) for name, labels in OUTPUTS.items()}
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "faces",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", size, size, 3])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width])
                for name, width in widths.items()
            ],
            graph.constants,
        ),
        producer_name="visiongate",
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=8,
    )
    facts = {name: ",".join(labels) for name, labels in OUTPUTS.items()}
    helper.set_model_props(model, facts | {"races": ",".join(RACES)} | notes)
    onnx.checker.check_model(model, full_check=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(model.SerializeToString())
    partial.replace(path)
