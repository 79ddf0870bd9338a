"""Networks made by hand: small ones that look, and ones that always see the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]


class Store:
    """A model store that has a folder for what is converted, and no model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        raise AssertionError("a configured file is not looked up in the store")

    def find(self, name: str) -> Path | None:
        raise AssertionError("a configured file is not looked up in the store")

    def cache_dir(self) -> Path:
        return self._folder


def save_brightest_channel(path: Path, *, size: tuple[Any, Any] = (16, 20)) -> None:
    """Save the network of the fixture ``nets``, channels first, for any number of pictures."""
    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 8, "weights")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    _save(path, nodes, ("n", 3, *size), {"y": ["n", 3]}, [weights])


def save_constant(path: Path, size: tuple[int, int], *answers: NDArray[Any]) -> None:
    """Save a network that gives ``answers`` for every picture of this (width, height)."""
    nodes, outputs = [], {}
    # Nothing is added, by way of the input, which a network must need.
    nodes.append(helper.make_node("ReduceMean", ["x"], ["mean"], keepdims=0))
    nodes.append(helper.make_node("Sub", ["mean", "mean"], ["none"]))
    for number, answer in enumerate(answers):
        value = numpy_helper.from_array(np.asarray(answer, np.float32))
        nodes.append(helper.make_node("Constant", [], [f"a{number}"], value=value))
        nodes.append(helper.make_node("Add", [f"a{number}", "none"], [f"y{number}"]))
        outputs[f"y{number}"] = list(answer.shape)
    _save(path, nodes, (1, 3, size[1], size[0]), outputs, [])


def _save(
    path: Path,
    nodes: Sequence[Any],
    shape: Sequence[Any],
    outputs: Mapping[str, Sequence[Any]],
    weights: Sequence[Any],
) -> None:
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", floats, shape)],
        [helper.make_tensor_value_info(name, floats, size) for name, size in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


def yolox_rows(classes: int, side: int = 64) -> Array:
    """Return YOLOX's output for ``side`` pixels with nothing in it, ``(1, N, 5 + classes)``."""
    count = sum((side // stride) ** 2 for stride in (8, 16, 32))
    return np.zeros((1, count, 5 + classes), np.float32)


def one_yolox_thing(classes: int, which: int) -> Array:
    """Return YOLOX's output for 64 pixels: one thing in the box (16, 16, 48, 48)."""
    rows = yolox_rows(classes)
    # Row 1, column 1 of the 2 x 2 cells at stride 32: their common corner is the centre.
    rows[0, -1, :5] = (0.0, 0.0, 0.0, 0.0, 1.0)
    rows[0, -1, 5 + which] = 0.9
    return rows


def ssd_rows(*faces: tuple[float, ...]) -> Array:
    """Return SSD's output for faces ``(confidence, x1, y1, x2, y2)``, ended as OpenVINO ends it."""
    rows = [(0.0, 1.0, *face) for face in faces]
    return np.array([[[*rows, (-1.0,) + (0.0,) * 6]]], np.float32)
