"""What each object network says, decoded: on arithmetic, on a made network, on real pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from detectors import _darknet, _picodet, _yolox
from detectors._candidates import Candidates, Wish
from detectors._coco import LABELS
from detectors.object import NETWORKS, ObjectDetector
from visiongate.models.manifest import load_manifest
from visiongate.types import Box, Device, Image, PredictOptions

EVERY = Wish(0.5, np.ones(80, np.bool_))


def test_labels_are_the_standard_ones_in_darknets_order(weights: Path) -> None:
    ours = {
        "motorbike": "motorcycle",
        "aeroplane": "airplane",
        "sofa": "couch",
        "tvmonitor": "tv",
        "pottedplant": "potted plant",
        "diningtable": "dining table",
    }
    darknet = (weights / "coco80.names").read_text().splitlines()
    assert tuple(ours.get(name, name) for name in darknet) == LABELS


def test_every_object_model_of_the_manifest_can_be_chosen() -> None:
    listed = {name for name, model in load_manifest().items() if model.task == "object"}
    assert set(NETWORKS) == listed | {"people-hog"}


class TestWish:
    def test_threshold_and_classes_pick_rows(self) -> None:
        wish = Wish(0.5, np.array([True, False, True]))
        scores = np.array([0.5, 0.9, 0.49, 0.7], np.float32)
        assert wish.rows(scores, np.array([0, 1, 2, 2])).tolist() == [0, 3]

    def test_candidates_must_fit_each_other(self) -> None:
        with pytest.raises(ValueError, match=r"got \(2, 4\), \(1,\)"):
            Candidates(np.zeros((2, 4), np.float32), np.zeros(1, np.float32), np.zeros(1, np.intp))


class TestPicoDet:
    def maps(self) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        counts = [52 * 52, 26 * 26, 13 * 13, 7 * 7]
        return (
            [np.zeros((n, 80), np.float32) for n in counts],
            [np.zeros((n, 32), np.float32) for n in counts],
        )

    def test_a_box_lies_its_distances_from_its_cells_centre(self) -> None:
        scores, distances = self.maps()
        cell = 3 * 13 + 5  # row 3, column 5, at stride 32: its centre is (176, 112)
        scores[2][cell, 16] = 0.9
        for side, bin_ in enumerate((1, 2, 3, 4)):
            distances[2][cell, side * 8 + bin_] = 50.0
        found = _picodet.decode(scores, distances, EVERY)
        assert found.boxes.tolist() == [[144.0, 48.0, 272.0, 240.0]]
        assert found.scores.tolist() == [pytest.approx(0.9)]
        assert [LABELS[c] for c in found.classes] == ["dog"]

    def test_a_distance_is_the_mean_of_its_distribution(self) -> None:
        scores, distances = self.maps()
        scores[3][48, 0] = 0.6  # the last cell at stride 64, whose grid reaches over the edge
        distances[3][48].reshape(4, 8)[:, [2, 3]] = 50.0
        found = _picodet.decode(scores, distances, EVERY)
        assert found.boxes.tolist() == [[256.0, 256.0, 576.0, 576.0]]

    def test_nothing_good_enough_is_nothing(self) -> None:
        assert len(_picodet.decode(*self.maps(), EVERY).scores) == 0


class TestYolox:
    def test_a_row_is_offset_logarithm_and_two_factors(self) -> None:
        cells, strides = _yolox.grid(416, 416)
        rows = np.zeros((3549, 85), np.float32)
        row = 52 * 52 + 2 * 26 + 4  # row 2, column 4, at stride 16
        rows[row, :5] = (0.5, 0.25, np.log(2), np.log(4), 0.9)
        rows[row, 5 + 2] = 0.8
        found = _yolox.decode(rows, cells, strides, EVERY)
        assert np.allclose(found.boxes, [[56, 4, 88, 68]], atol=1e-3)
        assert found.scores.tolist() == [pytest.approx(0.72)]
        assert [LABELS[c] for c in found.classes] == ["car"]

    def test_letterbox_keeps_proportions_at_the_top_left(self) -> None:
        boxed, scale = _yolox.letterboxed(np.full((100, 208, 3), (1, 2, 3), np.uint8), 416, 416)
        assert scale == 2.0
        assert boxed.shape == (416, 416, 3)
        assert boxed[199, 415].tolist() == [1, 2, 3]
        assert boxed[200, 0].tolist() == [114, 114, 114]

    @pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
    def test_letterbox_takes_any_shape(self, shape: tuple[int, int]) -> None:
        boxed, _ = _yolox.letterboxed(np.zeros((*shape, 3), np.uint8), 416, 416)
        assert boxed.shape == (416, 416, 3)

    def test_the_large_one_is_fed_and_read_at_640_pixels(self, tmp_path: Path) -> None:
        """A network made by hand always sees a cat in row 10, column 5 at stride 32."""
        rows = np.zeros((1, 8400, 85), np.float32)
        row = 80 * 80 + 40 * 40 + 10 * 20 + 5
        rows[0, row, :5] = (0.5, 0.5, np.log(2), np.log(2), 1.0)
        rows[0, row, 5 + LABELS.index("cat")] = 0.9
        answer = onnx.helper.make_node(
            "Constant", [], ["answer"], value=onnx.numpy_helper.from_array(rows)
        )
        # Nothing is added, by way of the input, which a network must need.
        mean = onnx.helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0)
        none = onnx.helper.make_node("Sub", ["mean", "mean"], ["none"])
        total = onnx.helper.make_node("Add", ["answer", "none"], ["output"])
        floats = onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [answer, mean, none, total],
            "yolox",
            [onnx.helper.make_tensor_value_info("images", floats, (1, 3, 640, 640))],
            [onnx.helper.make_tensor_value_info("output", floats, (1, 8400, 85))],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
        model.ir_version = 8
        onnx.save(model, tmp_path / "yolox_s.onnx")
        detector = ObjectDetector(model="yolox_s")
        detector.load(Files({"yolox_s": tmp_path / "yolox_s.onnx"}), Device())
        picture: Image = np.zeros((1280, 640, 3), np.uint8)
        (found,) = detector.predict([picture], PredictOptions())
        assert [d.label for d in found] == ["cat"]
        # Row 10, column 5 of 20 x 20: centre (176, 336), twice as far in a picture twice as high.
        assert found[0].box.iou(Box(352 - 64, 672 - 64, 352 + 64, 672 + 64)) > 0.99


class TestDarknet:
    def test_rows_are_fractions_of_the_picture(self) -> None:
        rows = np.zeros((2, 85), np.float32)
        rows[1, :5] = (0.5, 0.5, 0.25, 0.5, 0.9)
        rows[1, 5 + 17] = 0.8
        found = _darknet.decode([rows[:1], rows[1:]], 400, 200, EVERY)
        assert found.boxes.tolist() == [[150.0, 50.0, 250.0, 150.0]]
        assert [LABELS[c] for c in found.classes] == ["horse"]

    def test_a_network_made_by_hand_finds_the_red_square(self, red_finder: Files) -> None:
        detector = ObjectDetector(model="yolov4-tiny")
        detector.load(red_finder, Device())
        picture: Image = np.zeros((832, 1664, 3), np.uint8)
        picture[320:384, 640:768] = (255, 0, 0)  # cell (5, 5) of 13 x 13
        (found,) = detector.predict([picture], PredictOptions())
        assert [d.label for d in found] == ["horse"]
        # The anchor, 208 x 104 of 416 pixels, about the cell's centre, in a picture 4 x 2 as large.
        assert found[0].box.iou(Box(704 - 416, 352 - 104, 704 + 416, 352 + 104)) > 0.99
        assert found[0].confidence > 0.95
        assert detector.model is not None
        assert detector.model.name == "yolov4-tiny"

    def test_blue_is_not_red(self, red_finder: Files) -> None:
        detector = ObjectDetector(model="yolov4-tiny")
        detector.load(red_finder, Device())
        picture: Image = np.zeros((416, 416, 3), np.uint8)
        picture[:] = (0, 0, 255)
        assert detector.predict([picture], PredictOptions()) == [()]


class Files:
    """A store whose files lie in one folder."""

    def __init__(self, files: dict[str, Path]) -> None:
        self._files = files

    def path(self, name: str) -> Path:
        return self._files[name]

    def find(self, name: str) -> Path | None:
        return self._files.get(name)

    def cache_dir(self) -> Path:
        raise AssertionError("nothing to keep")


@pytest.fixture
def red_finder(tmp_path: Path) -> Files:
    """A Darknet network of one layer, which sees a horse of one size wherever a cell is red."""
    config = """
        [net]
        width=416
        height=416
        channels=3
        [convolutional]
        filters=85
        size=1
        stride=32
        pad=0
        activation=linear
        [yolo]
        mask=0
        anchors=208,104
        classes=80
        num=1
    """
    (tmp_path / "tiny.cfg").write_text("\n".join(line.strip() for line in config.splitlines()))
    biases = np.zeros(85, np.float32)
    biases[4], biases[5:], biases[5 + LABELS.index("horse")] = -10.0, -10.0, 10.0
    kernel = np.zeros((85, 3), np.float32)
    kernel[4, 0] = 20.0  # objectness: red alone
    header = np.array([0, 2, 5, 0, 0], np.int32)
    (tmp_path / "tiny.weights").write_bytes(header.tobytes() + biases.tobytes() + kernel.tobytes())
    return Files(
        {"yolov4-tiny": tmp_path / "tiny.weights", "yolov4-tiny-cfg": tmp_path / "tiny.cfg"}
    )
