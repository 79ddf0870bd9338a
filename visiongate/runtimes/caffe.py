"""Turn a Caffe network (prototxt + caffemodel) into one that OpenVINO runs, layer by layer.

OpenVINO no longer reads Caffe's format. The structure is read from the prototxt, the weights by
OpenCV's importer; the layers here are those of the single-shot detectors (SSD).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from visiongate.runtimes.openvino import import_openvino
from visiongate.runtimes.prototxt import Message, parse_prototxt

__all__ = ["CONVERTER_VERSION", "convert"]

CONVERTER_VERSION = 1
"""Raise it when conversion changes, so that what was made before is not used."""

Weights: TypeAlias = list[NDArray[np.float32]]


def convert(prototxt: Path, caffemodel: Path) -> Any:
    """Return the network as an ``openvino.Model`` with one batch of pictures as its input.

    Its input and outputs are laid out as Caffe's: ``(1, C, H, W)`` in, ``(1, 1, N, 7)`` out of a
    detection layer: rows (picture, class, confidence, x1, y1, x2, y2) in fractions of the
    picture's sides, most confident first, then rows of confidence 0.

    Raises:
        ValueError: a file is not what it should be, or a layer is of a kind not known here.
        OSError: a file cannot be read.
    """
    structure = prototxt.read_bytes()
    weights = _read_weights(structure, caffemodel)
    try:
        network = parse_prototxt(structure.decode("utf-8"))
        return _build(network, weights, caffemodel.stem)
    except (KeyError, IndexError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"{prototxt} cannot be converted: {error!r}") from error


def _build(network: Message, weights: Mapping[str, Weights], name: str) -> Any:
    ov = import_openvino()
    source_name = network["input"][0]
    source = ov.opset8.parameter(network["input_shape"][0]["dim"], np.float32, name=source_name)
    # Caffe's layers may write over their input ("top" equal to "bottom"): a name always means
    # what was written to it last.
    blobs = {source_name: source}
    read: set[str] = set()
    for layer in network["layer"]:
        kind, bottoms = layer["type"][0], layer["bottom"]
        if kind not in _LAYERS:
            raise ValueError(f"layers of type {kind} are not known")
        parameters: Message = next((v[0] for k, v in layer.items() if k.endswith("_param")), {})
        blobs[layer["top"][0]] = _LAYERS[kind](
            ov.opset8,
            [blobs[bottom] for bottom in bottoms],
            parameters,
            weights.get(layer["name"][0], []),
        )
        read.update(bottoms)
    results = []
    for blob, node in blobs.items():
        if blob not in read:
            node.output(0).set_names({blob})
            results.append(ov.opset8.result(node))
    return ov.Model(results, [source], name)


def _read_weights(structure: bytes, caffemodel: Path) -> dict[str, Weights]:
    import cv2

    content = caffemodel.read_bytes()
    try:
        net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(b, np.uint8) for b in (structure, content)))
    except cv2.error as error:
        raise ValueError(f"{caffemodel} is not a Caffe model: {error.err}") from None
    layers = ((name, net.getLayer(net.getLayerId(name))) for name in net.getLayerNames())
    return {name: [np.array(blob) for blob in layer.blobs] for name, layer in layers}


def _get(parameters: Message, name: str, default: Any) -> Any:
    return parameters.get(name, [default])[0]


def _channels(values: NDArray[Any]) -> NDArray[np.float32]:
    """Shape one value a channel so that it broadcasts over (1, C, H, W)."""
    return values.reshape(1, -1, 1, 1).astype(np.float32)


def _batch_norm(op: Any, bottoms: list[Any], parameters: Message, weights: Weights) -> Any:
    mean, variance, factor = weights
    scale = 1.0 / factor.item() if factor.item() else 0.0
    deviation = np.sqrt(variance * scale + _get(parameters, "eps", 1e-5))
    return op.divide(op.subtract(bottoms[0], _channels(mean * scale)), _channels(deviation))


def _scale(op: Any, bottoms: list[Any], parameters: Message, weights: Weights) -> Any:
    scaled = op.multiply(bottoms[0], _channels(weights[0]))
    return op.add(scaled, _channels(weights[1])) if _get(parameters, "bias_term", False) else scaled


def _convolution(op: Any, bottoms: list[Any], parameters: Message, weights: Weights) -> Any:
    pad, stride, dilation = (
        [_get(parameters, name, default)] * 2
        for name, default in (("pad", 0), ("stride", 1), ("dilation", 1))
    )
    node = op.convolution(bottoms[0], weights[0], stride, pad, pad, dilation)
    return op.add(node, _channels(weights[1])) if _get(parameters, "bias_term", True) else node


def _pooling(op: Any, bottoms: list[Any], parameters: Message, _weights: Weights) -> Any:
    if _get(parameters, "pool", "MAX") != "MAX":
        raise ValueError("only max pooling can be converted")
    kernel, stride, pad = (
        [_get(parameters, name, default)] * 2
        for name, default in (("kernel_size", 1), ("stride", 1), ("pad", 0))
    )
    # Caffe rounds the size of what comes out up.
    return op.max_pool(bottoms[0], stride, [1, 1], pad, pad, kernel, "ceil").output(0)


def _eltwise(op: Any, bottoms: list[Any], parameters: Message, _weights: Weights) -> Any:
    if len(bottoms) != 2 or _get(parameters, "operation", "SUM") != "SUM" or "coeff" in parameters:
        raise ValueError("only the plain sum of two layers can be converted")
    return op.add(*bottoms)


def _normalize(op: Any, bottoms: list[Any], parameters: Message, weights: Weights) -> Any:
    axes = np.array([1, 2, 3] if _get(parameters, "across_spatial", True) else [1])
    unit = op.normalize_l2(bottoms[0], axes, _get(parameters, "eps", 1e-10), "add")
    return op.multiply(unit, _channels(weights[0]))


def _prior_box(op: Any, bottoms: list[Any], parameters: Message, _weights: Weights) -> Any:
    layer, picture = (np.array(list(bottom.shape)[2:], dtype=np.int64) for bottom in bottoms)
    attributes: dict[str, Any] = {
        name: np.array(parameters.get(name, []), dtype=np.float32)
        for name in ("min_size", "max_size", "aspect_ratio", "variance")
    }
    attributes |= {
        "flip": _get(parameters, "flip", True),
        "clip": _get(parameters, "clip", False),
        "step": float(_get(parameters, "step", 0)),
        "offset": float(_get(parameters, "offset", 0.5)),
        "scale_all_sizes": True,
    }
    priors = op.prior_box(op.constant(layer), op.constant(picture), attributes)
    return op.unsqueeze(priors, op.constant(0))


def _detection_output(op: Any, bottoms: list[Any], parameters: Message, _weights: Weights) -> Any:
    code_type = _get(parameters, "code_type", "CORNER")
    suppression = _get(parameters, "nms_param", {})
    attributes = {
        "background_label_id": _get(parameters, "background_label_id", 0),
        "top_k": _get(suppression, "top_k", -1),
        "nms_threshold": _get(suppression, "nms_threshold", 0.3),
        "keep_top_k": np.array([_get(parameters, "keep_top_k", -1)], dtype=np.int32),
        "confidence_threshold": _get(parameters, "confidence_threshold", 0.0),
        "share_location": _get(parameters, "share_location", True),
        "code_type": f"caffe.PriorBoxParameter.{code_type}",
        "normalized": True,
    }
    return op.detection_output(*bottoms, attributes)


_Layer: TypeAlias = Callable[[Any, list[Any], Message, Weights], Any]

_LAYERS: Mapping[str, _Layer] = {
    "BatchNorm": _batch_norm,
    "Concat": lambda op, bottoms, p, _w: op.concat(bottoms, _get(p, "axis", 1)),
    "Convolution": _convolution,
    "DetectionOutput": _detection_output,
    "Eltwise": _eltwise,
    "Flatten": lambda op, bottoms, _p, _w: op.reshape(bottoms[0], [0, -1], special_zero=True),
    "Normalize": _normalize,
    "Permute": lambda op, bottoms, p, _w: op.transpose(bottoms[0], p["order"]),
    "Pooling": _pooling,
    "PriorBox": _prior_box,
    "ReLU": lambda op, bottoms, _p, _w: op.relu(bottoms[0]),
    "Reshape": lambda op, bottoms, p, _w: op.reshape(bottoms[0], p["shape"][0]["dim"], True),
    "Scale": _scale,
    "Softmax": lambda op, bottoms, p, _w: op.softmax(bottoms[0], _get(p, "axis", 1)),
}
