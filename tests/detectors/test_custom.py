"""A user's own network, in every file form, answers as the network itself would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors._custom import CustomClassifier, CustomModel
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.types import Device

LABELS = ["red", "green", "blue"]

# Made in a process of its own: TensorFlow's warnings and memory stay there. The network says which
# channel is the brightest, on the scale of 0 to 1.
MAKE = """
import sys, numpy as np, keras, tensorflow as tf
folder = sys.argv[1]
net = keras.Sequential([
    keras.layers.Input((16, 20, 3)),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(3, activation="softmax", kernel_initializer="identity"),
])
net.layers[-1].set_weights([np.eye(3) * 8.0, np.zeros(3)])
net.save(folder + "/net.h5")
net.save(folder + "/net.keras")
open(folder + "/net.tflite", "wb").write(tf.lite.TFLiteConverter.from_keras_model(net).convert())
"""


class Cache:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        raise AssertionError("a configured file is not looked up in the store")

    def cache_dir(self) -> Path:
        return self._folder


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nets")
    done = subprocess.run([sys.executable, "-c", MAKE, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _make_onnx(folder / "net.onnx")
    return folder


def _make_onnx(path: Path) -> None:
    """The same network with channels first and a free batch."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = numpy_helper.from_array(np.eye(3, dtype=np.float32) * 8, "weights")
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 20])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    save(model, str(path))


def load(path: Path, cache: Path, **options: Any) -> CustomClassifier:
    options = {"labels": LABELS, "scaling": "0..1", **options}
    net = CustomClassifier(CustomModel.read("[detectors.x]", model=str(path), **options))
    net.load(Cache(cache), Device())
    return net


def coloured(red: int, green: int, blue: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((40, 50, 3), (red, green, blue), np.uint8)


def expected(*channels: float) -> np.ndarray[Any, Any]:
    values = np.exp(8 * np.array(channels) / 255)
    return values / values.sum()


@pytest.mark.parametrize("ending", ["h5", "keras", "tflite", "onnx"])
def test_every_form_of_one_network_answers_alike(nets: Path, tmp_path: Path, ending: str) -> None:
    net = load(nets / f"net.{ending}", tmp_path)
    assert net.size == (20, 16)
    pictures = [coloured(200, 20, 20), coloured(20, 200, 60), coloured(10, 80, 160)]
    found = net.probabilities(pictures)
    right = [expected(200, 20, 20), expected(20, 200, 60), expected(10, 80, 160)]
    np.testing.assert_allclose(found, right, atol=0.02)


def test_colour_order_is_what_the_settings_say(nets: Path, tmp_path: Path) -> None:
    net = load(nets / "net.onnx", tmp_path, colour="bgr")
    np.testing.assert_allclose(
        net.probabilities([coloured(200, 20, 40)])[0], expected(40, 20, 200), atol=0.02
    )


def test_a_keras_file_is_converted_once(nets: Path, tmp_path: Path) -> None:
    load(nets / "net.h5", tmp_path)
    made = next(tmp_path.glob("*.xml"))
    before = made.stat().st_mtime_ns
    load(nets / "net.h5", tmp_path)
    assert [p.stat().st_mtime_ns for p in tmp_path.glob("*.xml")] == [before]


def test_labels_that_do_not_fit_the_output_are_explained(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"gives 3 values.*names 2 labels: red, green"):
        load(nets / "net.onnx", tmp_path, labels=["red", "green"])


def test_a_size_that_does_not_fit_is_explained(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"20x16.*input_size = 64x64"):
        load(nets / "net.onnx", tmp_path, input_size=64)


def test_values_that_are_no_probabilities_are_explained(nets: Path, tmp_path: Path) -> None:
    from onnx import load_model, save

    model = load_model(str(nets / "net.onnx"))
    model.graph.node[-1].op_type = "Identity"
    del model.graph.node[-1].attribute[:]
    save(model, str(tmp_path / "logits.onnx"))
    with pytest.raises(ModelUnavailable, match="softmax"):
        load(tmp_path / "logits.onnx", tmp_path).probabilities([coloured(250, 0, 0)])
    mended = load(tmp_path / "logits.onnx", tmp_path, activation="softmax")
    np.testing.assert_allclose(
        mended.probabilities([coloured(250, 0, 0)])[0], expected(250, 0, 0), atol=0.02
    )


def test_a_file_that_is_no_model_is_explained(tmp_path: Path) -> None:
    for ending in ("onnx", "h5"):
        path = tmp_path / f"bad.{ending}"
        path.write_bytes(b"not a model")
        with pytest.raises(ModelUnavailable, match="bad"):
            load(path, tmp_path)


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no model file .*gone\.onnx"):
        load(tmp_path / "gone.onnx", tmp_path)
    (tmp_path / "net.pickle").touch()
    with pytest.raises(ModelUnavailable, match=r"\.keras"):
        load(tmp_path / "net.pickle", tmp_path)


def test_labels_may_stand_in_a_file(nets: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("red\ngreen\n\nblue\n")
    assert load(nets / "net.onnx", tmp_path, labels=str(tmp_path / "labels.txt")).spec.labels == (
        "red",
        "green",
        "blue",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": ["one"]}, "two names"),
        ({"labels": ["a", "a", "b"]}, "twice"),
        ({"labels": "/no/such/file"}, "cannot be read"),
        ({"colour": "cmyk"}, "colour"),
        ({"scaling": "0..7"}, "scaling"),
        ({"scaling": {"mean": [1, 2], "scale": 1}}, "one number or three"),
        ({"scaling": {"mean": 0, "scale": 0}}, "not 0"),
        ({"activation": "relu"}, "activation"),
        ({"input_size": 2}, "input_size"),
    ],
)
def test_a_setting_that_does_not_fit_says_what_would(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        CustomModel.read("[detectors.x]", model="net.onnx", **{"labels": LABELS, **options})
