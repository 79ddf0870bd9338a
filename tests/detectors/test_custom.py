"""A user's own network, in every file form, answers as the network itself would."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors._custom import CustomClassifier, CustomModel
from tests.detectors.networks import Store, save_brightest_channel
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.runtimes import convert
from visiongate.types import Device

LABELS = ["red", "green", "blue"]


def load(path: Path, cache: Path, **options: Any) -> CustomClassifier:
    options = {"labels": LABELS, "scaling": "0..1", **options}
    net = CustomClassifier(CustomModel.read("[detectors.x]", model=str(path), **options))
    net.load(Store(cache), Device())
    return net


def coloured(red: int, green: int, blue: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.full((40, 50, 3), (red, green, blue), np.uint8)


def expected(*channels: float) -> np.ndarray[Any, Any]:
    values = np.exp(8 * np.array(channels) / 255)
    return values / values.sum()


@pytest.mark.parametrize("ending", ["h5", "keras", "tflite", "onnx"])
def test_every_form_of_one_network_answers_alike(nets: Path, converted: Path, ending: str) -> None:
    net = load(nets / f"net.{ending}", converted)
    assert net.size == (20, 16)
    pictures = [coloured(200, 20, 20), coloured(20, 200, 60), coloured(10, 80, 160)]
    found = net.probabilities(pictures)
    right = [expected(200, 20, 20), expected(20, 200, 60), expected(10, 80, 160)]
    np.testing.assert_allclose(found, right, atol=1e-4)


@pytest.mark.parametrize(("kind", "scaling"), [("uint8", "0..255"), ("int8", {"mean": 128})])
def test_a_quantised_network_answers_in_steps(
    nets: Path, tmp_path: Path, kind: str, scaling: Any
) -> None:
    net = load(nets / f"net_{kind}.tflite", tmp_path, scaling=scaling)
    found = net.probabilities([coloured(200, 20, 20), coloured(10, 80, 160)])
    right = [expected(200, 20, 20), expected(10, 80, 160)]
    np.testing.assert_allclose(found, right, atol=0.02)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=2 / 256)


def test_torchscript_without_torch_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install torch.*export the model to ONNX"):
        convert._from_torchscript(tmp_path / "net.pt", tmp_path / "net.xml", (1, 3, 8, 8))


def test_colour_order_is_what_the_settings_say(nets: Path, tmp_path: Path) -> None:
    net = load(nets / "net.onnx", tmp_path, colour="bgr")
    np.testing.assert_allclose(
        net.probabilities([coloured(200, 20, 40)])[0], expected(40, 20, 200), atol=1e-4
    )


def test_a_keras_file_is_converted_once(nets: Path, converted: Path) -> None:
    load(nets / "net.h5", converted)
    before = {path: path.stat().st_mtime_ns for path in converted.glob("*.xml")}
    assert before
    load(nets / "net.h5", converted)
    assert {path: path.stat().st_mtime_ns for path in converted.glob("*.xml")} == before


def test_labels_that_do_not_fit_the_output_are_explained(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"gives 3 values.*names 2 labels: red, green"):
        load(nets / "net.onnx", tmp_path, labels=["red", "green"])


def test_a_size_that_does_not_fit_is_explained(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"20x16.*input_size = 64x64"):
        load(nets / "net.onnx", tmp_path, input_size=64)


def test_a_size_that_the_file_leaves_open_is_asked_for(tmp_path: Path) -> None:
    save_brightest_channel(tmp_path / "any.onnx", size=("h", "w"))
    with pytest.raises(ModelUnavailable, match="any size: say which with input_size"):
        load(tmp_path / "any.onnx", tmp_path)
    net = load(tmp_path / "any.onnx", tmp_path, input_size=[24, 12])
    assert net.size == (24, 12)
    np.testing.assert_allclose(
        net.probabilities([coloured(9, 90, 200)])[0], expected(9, 90, 200), atol=1e-4
    )


def test_a_network_of_another_colour_depth_is_explained(nets: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"needed is one input .* 1 channel \(colour"):
        load(nets / "net.onnx", tmp_path, colour="gray")


def test_named_scalings_follow_the_order_of_the_channels() -> None:
    def read(colour: str) -> CustomModel:
        given = {"model": "net.onnx", "labels": LABELS, "scaling": "imagenet", "colour": colour}
        return CustomModel.read("[detectors.x]", **given)

    assert read("rgb").mean == (123.675, 116.28, 103.53)
    assert read("bgr").mean == (103.53, 116.28, 123.675)
    assert read("bgr").scale == (57.375, 57.12, 58.395)


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
        mended.probabilities([coloured(250, 0, 0)])[0], expected(250, 0, 0), atol=1e-4
    )


@pytest.mark.parametrize("ending", ["onnx", "tflite", "xml", "h5", "keras"])
def test_a_file_that_is_no_model_is_explained(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"bad.{ending}"
    path.write_bytes(b"<html>not a model</html>")
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
        ({"input_size": "64"}, "input_size"),
        ({"input_size": [64, 64.0]}, "input_size"),
        ({"labels": [1, 2]}, "list of names"),
        ({"labels": 3}, "list of names"),
        ({"scaling": {"mean": float("nan")}}, "one number or three"),
        ({"scaling": {"std": 1}}, "one number or three"),
        ({"scaling": "imagenet", "colour": "gray"}, "one channel"),
        ({"scaling": 5}, "scaling"),
        ({"actvation": "softmax"}, "Did you mean activation"),
        ({"model": 5}, "must name a file"),
    ],
)
def test_a_setting_that_does_not_fit_says_what_would(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        CustomModel.read("[detectors.x]", **{"model": "net.onnx", "labels": LABELS, **options})
