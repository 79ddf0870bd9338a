"""A user's own object network: read by the decoder that was named, or told why it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors import _picodet
from detectors.object import ObjectDetector
from tests.detectors.networks import (
    Store,
    one_yolox_thing,
    save_brightest_channel,
    save_constant,
    yolox_rows,
)
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.types import Box, Detection, Device, Image, PredictOptions

TOOLS = ["hammer", "saw", "drill"]
PICTURE: Image = np.zeros((256, 128, 3), np.uint8)  # letterboxed into 64 x 64 at a quarter


def load(path: Path, **options: Any) -> ObjectDetector:
    options = {"model": str(path), "labels": TOOLS, "format": "yolox", **options}
    detector = ObjectDetector(**options)
    detector.load(Store(path.parent), Device())
    return detector


def found(detector: ObjectDetector, picture: Image = PICTURE) -> tuple[Detection, ...]:
    return detector.predict([picture], PredictOptions())[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tools.onnx"


class TestYolox:
    def test_its_own_labels_and_its_own_size(self, path: Path) -> None:
        save_constant(path, (64, 64), one_yolox_thing(3, TOOLS.index("saw")))
        detector = load(path)
        (one,) = found(detector)
        assert one.label == "saw"
        assert one.confidence == pytest.approx(0.9)
        assert one.box.iou(Box(64, 64, 128, 192)) > 0.99
        assert detector.info.labels == tuple(TOOLS)
        assert detector.info.probe_label is None
        assert detector.model is not None
        assert (detector.model.name, detector.model.licence) == (
            "tools.onnx",
            "not stated: your own model",
        )
        assert "operator" in detector.card.intended_use

    def test_an_input_that_is_no_square(self, path: Path) -> None:
        rows = np.zeros((1, 8 * 16 + 4 * 8 + 2 * 4, 8), np.float32)
        rows[0, -1, 4:6] = 1.0  # the last of 4 x 2 cells at stride 32, whose corner is (96, 32)
        save_constant(path, (128, 64), rows)
        (one,) = found(load(path), np.zeros((64, 128, 3), np.uint8))
        assert one.box.as_pixels() == (80, 16, 112, 48)

    def test_one_label_is_enough(self, path: Path) -> None:
        save_constant(path, (64, 64), one_yolox_thing(1, 0))
        assert [one.label for one in found(load(path, labels=["hammer"]))] == ["hammer"]

    def test_the_least_confidence_is_the_users(self, path: Path) -> None:
        save_constant(path, (64, 64), one_yolox_thing(3, 0))
        assert found(load(path, default_confidence=0.95)) == ()

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (yolox_rows(5), r"tells 5 classes apart.* names 3 labels: hammer, saw, drill"),
            (yolox_rows(3, side=96), r'"yolox" gives one output \(1, 84, 5 \+ labels\)'),
            (np.zeros((1, 3, 84), np.float32), r"1 output, \(1, 3, 84\)"),
            (yolox_rows(3) + np.float32(40), "without --decode_in_inference"),
            (yolox_rows(3) - np.float32(4), "no probabilities: export it with the sigmoid"),
            (yolox_rows(3) + np.float32(np.nan), "no probabilities"),
        ],
    )
    def test_what_does_not_fit_is_told_in_words(
        self, path: Path, answer: np.ndarray[Any, Any], said: str
    ) -> None:
        save_constant(path, (64, 64), answer)
        with pytest.raises(ModelUnavailable, match=said):
            load(path)

    def test_a_classifier_is_no_object_network(self, path: Path) -> None:
        save_brightest_channel(path)
        with pytest.raises(ModelUnavailable, match=r"tools\.onnx is not of the format named"):
            load(path)

    def test_the_built_in_choice_is_not_offered_for_it(self, path: Path) -> None:
        with pytest.raises(ModelUnavailable) as caught:
            load(path)
        assert "people-hog" not in caught.value.detail


class TestYolov8:
    def test_rows_are_centre_size_and_classes(self, path: Path) -> None:
        answer = np.zeros((1, 7, 84), np.float32)
        answer[0, :4, 5] = (16, 32, 16, 32)
        answer[0, 4 + 2, 5] = 0.8
        save_constant(path, (64, 64), answer)
        (one,) = found(load(path, format="yolov8"))
        assert (one.label, one.confidence) == ("drill", pytest.approx(0.8))
        assert one.box.as_pixels() == (32, 64, 96, 192)

    @pytest.mark.parametrize(
        ("shape", "said"),
        [
            ((1, 9, 84), "tells 5 classes apart"),
            ((1, 84, 7), "transposed, or exported with its own NMS"),
            ((7, 84), "gives one output"),
        ],
    )
    def test_what_does_not_fit_is_told_in_words(
        self, path: Path, shape: tuple[int, ...], said: str
    ) -> None:
        save_constant(path, (64, 64), np.zeros(shape, np.float32))
        with pytest.raises(ModelUnavailable, match=said):
            load(path, format="yolov8")


class TestPicoDet:
    def maps(self, bins: int = 8) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
        counts = _picodet.cells(64, 64)
        assert counts == [64, 16, 4, 1]
        scores = [np.zeros((1, n, 3), np.float32) for n in counts]
        distances = [np.zeros((1, n, 4 * bins), np.float32) for n in counts]
        scores[2][0, 3, 1] = 0.9  # the last of 2 x 2 cells at stride 32, whose centre is (48, 48)
        distances[2][0, 3, [b * bins + 1 for b in range(4)]] = 50.0  # a stride to every side
        return scores, distances

    @pytest.mark.parametrize("bins", [8, 17])
    def test_as_exported_with_any_number_of_bins(self, path: Path, bins: int) -> None:
        scores, distances = self.maps(bins)
        save_constant(path, (64, 64), *scores, *distances)
        (one,) = found(load(path, format="picodet"))
        assert one.label == "saw"
        assert one.box.as_pixels() == (32, 64, 128, 256)  # stretched, and cut to the picture

    def test_outputs_in_another_order_are_told_by_their_shapes(self, path: Path) -> None:
        scores, distances = self.maps()
        mixed = [one for pair in zip(reversed(distances), scores, strict=True) for one in pair]
        save_constant(path, (64, 64), *mixed)
        assert [one.label for one in found(load(path, format="picodet"))] == ["saw"]

    def test_labels_that_do_not_fit(self, path: Path) -> None:
        scores, distances = self.maps()
        save_constant(path, (64, 64), *scores, *distances)
        with pytest.raises(ModelUnavailable, match=r"tells 3 classes apart.*names 2 labels"):
            load(path, format="picodet", labels=["hammer", "saw"])

    def test_an_export_with_its_post_processing(self, path: Path) -> None:
        save_constant(path, (64, 64), np.zeros((100, 6), np.float32), np.zeros(1, np.float32))
        with pytest.raises(ModelUnavailable, match="Export the network without its post-proc"):
            load(path, format="picodet")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "tools.onnx"}, "format must say how"),
        ({"model": "tools.onnx", "format": "yolo"}, "yolox, yolov8, picodet; got 'yolo'"),
        ({"model": "tools.onnx", "format": ["yolox"]}, "format must say how"),
        ({"model": "tools.onnx", "format": "yolox"}, "labels must list one name or more"),
        ({"model": "tools.onnx", "format": "yolox", "activation": "softmax"}, "activation means"),
        ({"model": "tools.onnx", "format": "yolox", "default_confidence": 2}, "default_conf"),
        ({"model": "yolox_s", "labels": ["hammer"]}, "labels: yolox_s takes no such option"),
        ({"model": "yolox_s", "format": "yolox"}, "format: yolox_s takes no such option"),
        ({"model": "yolox_z"}, "Did you mean 'yolox_s'|Did you mean 'yolox_nano'"),
        ({"model": 7}, "is none of"),
        ({"nms_uio": 0.3}, "nms_uio: .* takes no such option"),
    ],
)
def test_a_setting_that_does_not_fit_says_what_would(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        ObjectDetector(**options)
