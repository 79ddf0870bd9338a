"""The crops that the network learns from are the crops that it is given when it serves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from detectors.face import FaceDetector
from training.augment import Face, plain_crop
from training.prepare import find_face, yunet
from training.sources import read_bytes, records
from training.weights import DETECTOR
from visiongate.contracts import Detector, ModelStore
from visiongate.engines.local import LocalEngine
from visiongate.face_crop import face_square
from visiongate.imaging import Limits
from visiongate.models.store import FileModelStore
from visiongate.pipeline import DetectRequest, Pipeline
from visiongate.registry import Entry, Registry
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelUse,
    PredictOptions,
    User,
)

_SIZE = 150
_MARGIN = 40
"""How much of a border is put around a portrait, so that both find the whole face in it."""


class Known:
    """A face detector that answers what it is told."""

    info = DetectorInfo("face", "detection", ("face",))
    model = ModelUse("known", "abc")

    def __init__(self, found: Detection) -> None:
        self._found = found

    def load(self, models: ModelStore, device: Device) -> None:
        pass

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        return [(self._found,) for _ in images]


class Taker:
    """An attribute detector that keeps the crops that it is given."""

    info = DetectorInfo("taker", "attribute", ("x",), needs="faces", crop_size=_SIZE)
    model = ModelUse("taker", "abc")

    def __init__(self) -> None:
        self.crops: list[Image] = []

    def load(self, models: ModelStore, device: Device) -> None:
        pass

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        self.crops += images
        return [(Detection("x", 1.0, Box(0, 0, 1, 1)),) for _ in images]


def _served(picture: Image, face: Detector) -> Image:
    """Return the crop that serving cuts from a picture, by the face that ``face`` finds first."""
    taker = Taker()
    detectors: dict[str, Detector] = {"face": face, "taker": taker}
    entries = [Entry(name, "test", lambda one=one: one) for name, one in detectors.items()]  # type: ignore[misc]
    pipeline = Pipeline(
        Registry(entries),
        LocalEngine(1, 1),
        Limits(5_000_000, 5_000_000),
        ready=lambda entry: detectors[entry.name],
        pictures=None,
        deadline_seconds=60,
        device="CPU",
    )
    body = io.BytesIO()
    Pillow.fromarray(picture).save(body, "PNG")
    pipeline.run(body.getvalue(), User("ann", "hash"), DetectRequest(("taker",)))
    return taker.crops[0]


@pytest.fixture(scope="module")
def pictures(faces: Path, weights: Path) -> list[Image]:
    """Pictures of the training set in which a face is found, each with a border around."""
    found = records(faces)[::2000][:20]
    decoded = [
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) for data in read_bytes(found)
    ]
    wide = [
        cv2.copyMakeBorder(bgr, *[_MARGIN] * 4, cv2.BORDER_REPLICATE)
        for bgr in decoded
        if bgr is not None
    ]
    rgb = [np.ascontiguousarray(one[..., ::-1]).astype(np.uint8) for one in wide]
    detector = yunet(weights / DETECTOR)
    # One face in a hundred has no landmarks; such are cut by their box.
    seen = [picture for picture in rgb if find_face(detector, picture, margin=0) is not None]
    assert len(seen) >= 16
    return seen


def _learnt(picture: Image, detector: object) -> tuple[Image, Detection]:
    """Return the crop that training cuts from a picture, and the face by which it does."""
    row = find_face(detector, picture, margin=0)
    assert row is not None
    left, top, width, height = (float(value) for value in row[:4])
    corners = (left, top, left + width, top + height)
    x, y, side = face_square(corners)
    landmarks = row[4:14].reshape(5, 2)
    crop = plain_crop(picture, Face((x, y, x + side, y + side), landmarks), _SIZE)
    points = tuple((float(px), float(py)) for px, py in landmarks)
    return crop, Detection("face", 0.9, Box(*corners), landmarks=points)


def test_one_face_gives_one_crop_to_the_last_pixel(pictures: list[Image], weights: Path) -> None:
    detector = yunet(weights / DETECTOR)
    for picture in pictures:
        crop, face = _learnt(picture, detector)
        assert np.array_equal(_served(picture, Known(face)), crop)


def test_each_finding_the_face_by_itself_cuts_the_same_face(
    pictures: list[Image], weights: Path, tmp_path: Path
) -> None:
    """OpenCV's YuNet finds it for training, the gateway's own when serving."""
    serving = FaceDetector(model="yunet")
    serving.load(FileModelStore(tmp_path, mirror=str(weights), offline=True), Device())
    detector = yunet(weights / DETECTOR)
    apart, shifted = [], []
    for picture in pictures:
        crop, _ = _learnt(picture, detector)
        apart.append(np.abs(_served(picture, serving).astype(int) - crop).mean())
        aside = np.abs(crop[:, _SIZE // 10 :].astype(int) - crop[:, : -_SIZE // 10])
        shifted.append(aside.mean())
    # Each looks at another enlargement, so landmarks differ by some 3 % of a face, either way.
    assert np.mean(apart) < 0.6 * np.mean(shifted), "apart by more than a shift by a tenth"
