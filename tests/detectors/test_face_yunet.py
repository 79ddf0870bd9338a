"""Faces by YuNet, on real pictures: as many as a person counted, the same as OpenCV finds."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from detectors._yunet import NAME, _shape_for
from detectors.face import FaceDetector
from visiongate.errors import ConfigurationError, ModelUnavailable, VisiongateError
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Box, Device, Image, PredictOptions

ALL = PredictOptions()


def read(path: Path) -> Image:
    return decode(path.read_bytes(), Limits(max_bytes=20_000_000, max_pixels=50_000_000)).pixels


@pytest.fixture(scope="module")
def models(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> FileModelStore:
    return FileModelStore(tmp_path_factory.mktemp("models"), mirror=str(weights), offline=True)


@pytest.fixture(scope="module")
def detector(models: FileModelStore) -> FaceDetector:
    detector = FaceDetector()
    detector.load(models, Device(threads=2, streams=2))
    return detector


def test_it_is_what_auto_means_where_its_weights_are(detector: FaceDetector) -> None:
    assert detector.model is not None
    assert detector.model.name == NAME
    assert detector.model.sha256 is not None
    assert detector.model.sha256.startswith("ebafce4e")
    assert detector.model.runtime.startswith("openvino 20")
    assert detector.model.licence.startswith("MIT")
    assert detector.info.default_confidence == 0.65


def test_finds_as_many_faces_as_a_person_counted(detector: FaceDetector, photos: Path) -> None:
    with (photos / "manifest.csv").open(newline="") as stream:
        counted = {row["file"]: int(row["faces"]) for row in csv.DictReader(stream)}
    found = {}
    for name in counted:
        try:
            picture = read(photos / name)
        except VisiongateError:
            continue
        found[name] = len(detector.predict([picture], ALL)[0])
    assert len(found) > 30
    assert found == {name: counted[name] for name in found}


@pytest.mark.parametrize(
    "name", ["four_faces.jpg", "astronaut.png", "camera.png", "man_obama.jpg", "partial_face.jpg"]
)
def test_finds_the_faces_that_opencv_finds(
    detector: FaceDetector, photos: Path, weights: Path, name: str
) -> None:
    picture = read(photos / name)
    scale = min(1.0, 640 / max(picture.shape[:2]))
    height, width = (round(side * scale) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    reference = cv2.FaceDetectorYN.create(str(weights / f"{NAME}.onnx"), "", (width, height), 0.65)
    _, rows = reference.detect(np.ascontiguousarray(small[:, :, ::-1]))
    # Rows: x, y, width, height, five landmarks (right eye first), score.
    rows = rows[np.argsort(-rows[:, 14])]
    (faces,) = detector.predict([picture], ALL)
    assert len(faces) == len(rows)
    for face in faces:
        boxes = [Box(x, y, x + w, y + h) for x, y, w, h in (rows[:, :4] / scale).tolist()]
        clipped = [box.clipped(picture.shape[1], picture.shape[0]) for box in boxes]
        ious = [face.box.iou(box) if box else 0.0 for box in clipped]
        row = rows[int(np.argmax(ious))]
        assert max(ious) > 0.9
        assert face.confidence == pytest.approx(row[14], abs=0.02)
        landmarks = row[4:14].reshape(5, 2) / scale
        np.testing.assert_allclose(face.landmarks, landmarks, atol=0.04 * face.box.width)


def test_landmarks_are_in_the_order_that_is_promised(detector: FaceDetector, photos: Path) -> None:
    ((face,),) = detector.predict([read(photos / "astronaut.png")], ALL)
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    # As seen in the picture, the right side of a face is on the left.
    assert face.box.x1 < right_eye[0] < nose[0] < left_eye[0] < face.box.x2
    assert right_mouth[0] < left_mouth[0]
    assert face.box.y1 < right_eye[1] < nose[1] < right_mouth[1] < face.box.y2
    assert abs(right_eye[1] - left_eye[1]) < 0.2 * face.box.height


def crowd(photos: Path, faces: Path, seed: int) -> tuple[Image, list[Box]]:
    """Put thirty people's heads, faces 24 to 40 pixels wide, into a landscape 2048 wide."""
    rng = np.random.default_rng(seed)
    road = cv2.resize(read(photos / "road_empty.jpg"), (2048, 1152), interpolation=cv2.INTER_CUBIC)
    scene, places = np.asarray(road[115:1037], np.uint8).copy(), []
    with zipfile.ZipFile(faces / "fairface-train-0.zip") as archive:
        names = archive.namelist()
        for i in range(30):
            side = round(rng.uniform(24, 40) / 0.8)
            head = Pillow.open(io.BytesIO(archive.read(names[rng.integers(len(names))])))
            pixels = np.array(head.convert("RGB").resize((side, side), Pillow.Resampling.LANCZOS))
            y, x = np.mgrid[0:side, 0:side] - side / 2
            mask = np.clip((1 - np.hypot(x / (0.5 * side), y / (0.56 * side))) / 0.12, 0, 1)
            left = int(120 + 180 * (i % 10) + rng.uniform(-20, 20))
            top = int(330 + 170 * (i // 10) + rng.uniform(-25, 25))
            there = scene[top : top + side, left : left + side]
            there[:] = mask[..., None] * pixels + (1 - mask[..., None]) * there
            places.append(Box(left, top, left + side, top + side))
    return scene, places


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_finds_the_small_faces_of_a_crowd_and_no_others(
    detector: FaceDetector, photos: Path, faces: Path, seed: int
) -> None:
    scene, places = crowd(photos, faces, seed)
    (found,) = detector.predict([scene], ALL)
    centres = [((f.box.x1 + f.box.x2) / 2, (f.box.y1 + f.box.y2) / 2) for f in found]
    owners = [
        [i for i, p in enumerate(places) if p.x1 < x < p.x2 and p.y1 < y < p.y2] for x, y in centres
    ]
    assert all(len(owner) == 1 for owner in owners), "a face where none is"
    assert len({owner[0] for owner in owners}) == len(owners), "a face found twice"
    assert len(found) >= 27


def test_pictures_of_any_shape_and_content_are_answered(
    detector: FaceDetector, photos: Path
) -> None:
    rng = np.random.default_rng(0)
    odd = [
        rng.integers(0, 256, shape, dtype=np.uint8)
        for shape in ((1, 1, 3), (1, 3000, 3), (3000, 1, 3), (700, 2000, 3), (2, 2, 3))
    ]
    whole = read(photos / "four_faces.jpg")
    # A part of a larger picture, whose rows do not lie side by side in memory.
    part = np.pad(whole, ((0, 50), (0, 50), (0, 0)))[:-50, :-50]
    answers = detector.predict([*odd, part], PredictOptions(min_confidence=0.0))
    for picture, found in zip([*odd, part], answers, strict=True):
        height, width = picture.shape[:2]
        for face in found:
            assert face.box.clipped(width, height) == face.box
            assert len(face.landmarks) == 5
    assert detector.predict([part], ALL) == detector.predict([whole], ALL)


def test_each_of_many_threads_gets_its_own_faces(detector: FaceDetector, photos: Path) -> None:
    names = ("four_faces.jpg", "astronaut.png", "coffee.png", "man_biden.jpg", "hopper_128.jpg")
    pictures = [read(photos / name) for name in names]
    alone = detector.predict(pictures, ALL)
    with ThreadPoolExecutor(8) as pool:
        together = pool.map(lambda i: detector.predict([pictures[i % 5]], ALL)[0], range(60))
        assert [found == alone[i % 5] for i, found in enumerate(together)] == [True] * 60


def test_the_network_meets_few_shapes() -> None:
    sides = (*range(1, 641, 7), 640)
    shapes = {_shape_for(height, width) for height in sides for width in sides}
    assert len(shapes) == 8
    for height in sides:
        for width in sides:
            high, wide = _shape_for(height, width)
            assert height <= high
            assert width <= wide


class Slow:
    """A store whose weights arrive when they are allowed to."""

    def __init__(self, models: FileModelStore, *, arrive: bool) -> None:
        self._models = models
        self._arrive = arrive
        self.allowed = threading.Event()

    def find(self, name: str) -> Path | None:
        return None

    def path(self, name: str) -> Path:
        assert self.allowed.wait(60)
        if not self._arrive:
            raise ModelUnavailable(f"The weights of {name} are not on this machine.")
        return self._models.path(name)

    def cache_dir(self) -> Path:
        return self._models.cache_dir()


@pytest.mark.parametrize(("arrive", "name"), [(True, NAME), (False, "res10_300x300_ssd")])
def test_without_its_weights_auto_starts_with_cvlibs_network_at_once(
    models: FileModelStore, photos: Path, arrive: bool, name: str
) -> None:
    store = Slow(models, arrive=arrive)
    before = set(threading.enumerate())
    detector = FaceDetector()
    detector.load(store, Device())
    assert detector.model is not None
    assert detector.model.name == "res10_300x300_ssd"
    assert detector.info.default_confidence == 0.5
    picture = read(photos / "four_faces.jpg")
    assert len(detector.predict([picture], ALL)[0]) == 4
    store.allowed.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert detector.model.name == name
    (found,) = detector.predict([picture], ALL)
    assert len(found) == 4
    assert all(len(face.landmarks) == (5 if arrive else 0) for face in found)


def test_where_it_is_insisted_on_and_absent_the_way_out_is_named(tmp_path: Path) -> None:
    detector = FaceDetector(model="yunet")
    with pytest.raises(ModelUnavailable, match=f"python -m visiongate.models pull {NAME}"):
        detector.load(FileModelStore(tmp_path, offline=True), Device())
    assert detector.model is None


def test_weights_of_another_network_are_refused(weights: Path, tmp_path: Path) -> None:
    class Mixed(FileModelStore):
        def path(self, name: str) -> Path:
            return weights / "yolox_nano.onnx"

    with pytest.raises(ModelUnavailable, match="is not YuNet"):
        FaceDetector(model="yunet").load(Mixed(tmp_path), Device())


@pytest.mark.parametrize("side", [639, 8193, 2048.0, True, "2048"])
def test_a_wrong_search_side_is_named(side: object) -> None:
    with pytest.raises(ConfigurationError, match=r"\[detectors\.face\] search_side .* 640 to 8192"):
        FaceDetector(search_side=side)  # type: ignore[arg-type]
