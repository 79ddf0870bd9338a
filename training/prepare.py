"""Find the face in every picture once, split the data set, and keep the result.

`python -m training.prepare DATA CACHE`
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.data import SIDES, Faces, load, save
from training.duplicates import clusters, split
from training.sources import Record, read_bytes, records
from training.weights import DETECTOR, find
from visiongate.face_crop import WHOLE, crop_face, face_square

__all__ = ["find_face", "prepare", "yunet"]

_SIDE = 160  # pixels of a stored picture
_MARGIN = 40  # that a tight portrait is widened by, so that the detector sees where it ends
_LEAST_SCORE = 0.6
_CONTEXT = 1.3  # side of what is kept of a photograph, in framed squares

Pixels = NDArray[np.uint8]


def yunet(model: Path, score: float = 0.3) -> Any:
    """Load the face detector whose landmarks align the crops."""
    return cv2.FaceDetectorYN.create(str(model), "", (_SIDE, _SIDE), score)


def find_face(detector: Any, image: Pixels, margin: int = _MARGIN) -> NDArray[np.float32] | None:
    """Return YuNet's row for the main face: x, y, width, height, five landmarks, score; or None.

    The picture (RGB) is widened by repeating its border: a portrait without surroundings gives
    boxes that end at its border, where the same face in a photograph would give a larger one.
    """
    wide = cv2.copyMakeBorder(
        image[..., ::-1], margin, margin, margin, margin, cv2.BORDER_REPLICATE
    )
    height, width = wide.shape[:2]
    detector.setInputSize((width, height))
    rows = detector.detect(wide)[1]
    if rows is None or not len(rows):
        return None
    area = np.minimum(rows[:, 2] * rows[:, 3] / (image.shape[0] * image.shape[1]), 1.0)
    off = rows[:, :2] + rows[:, 2:4] / 2 - (width / 2, height / 2)
    best = rows[int((rows[:, 14] * area - np.hypot(*off.T) / max(image.shape)).argmax())].copy()
    best[[0, 1, *range(4, 14)]] -= margin
    return best if best[14] >= _LEAST_SCORE else None


def _portrait(detector: Any, picture: Pixels) -> Pixels:
    """Return a picture of 160x160 pixels with the main face in it."""
    height, width = picture.shape[:2]
    if height != width or height > 2 * _SIDE:
        scale = min(1.0, 640 / max(height, width))
        fit = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = np.asarray(cv2.resize(picture, fit, interpolation=cv2.INTER_AREA), np.uint8)
        row = find_face(detector, picture)
        side = float(min(fit))
        left, top = (fit[0] - side) / 2, (fit[1] - side) / 2
        if row is not None:
            box = (float(row[0]), float(row[1]), float(row[0] + row[2]), float(row[1] + row[3]))
            left, top, side = face_square(box)
            left, top = (start - side * (_CONTEXT - 1) / 2 for start in (left, top))
            side *= _CONTEXT
        return crop_face(picture, (left, top, left + side, top + side), None, _SIDE, WHOLE)
    return crop_face(picture, (0, 0, width, height), None, _SIDE, WHOLE)


def _read(found: list[Record], detector: Any, pictures: Pixels) -> tuple[Any, Any]:
    squares = np.tile(np.array([0, 0, _SIDE, _SIDE], np.float32), (len(found), 1))
    landmarks = np.full((len(found), 5, 2), np.nan, np.float32)
    progress = track(read_bytes(found), "finding faces", total=len(found))
    for index, data in enumerate(progress):
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise ValueError(f"{found[index].name} is no picture")
        pictures[index] = _portrait(detector, np.asarray(bgr[..., ::-1], np.uint8))
        row = find_face(detector, pictures[index])
        if row is not None:
            box = (float(row[0]), float(row[1]), float(row[0] + row[2]), float(row[1] + row[3]))
            left, top, side = face_square(box)
            squares[index] = (left, top, left + side, top + side)
            landmarks[index] = row[4:14].reshape(5, 2)
    return squares, landmarks


def prepare(data: Path, cache: Path, model: Path, seed: int = 20) -> Faces:
    """Return the faces of a data set, from the cache where they are there already."""
    found = records(data)
    names = np.array([record.name for record in found])
    if (cache / "faces.npz").exists():
        faces = load(cache)
        if np.array_equal(faces.source, names):
            return faces
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "faces.npz").unlink(missing_ok=True)
    shape = (len(found), _SIDE, _SIDE, 3)
    pictures = np.lib.format.open_memmap(cache / "images.npy", "w+", np.uint8, shape)
    squares, landmarks = _read(found, yunet(model), pictures)
    print("looking for pictures that are nearly the same")
    side = split(clusters(pictures), validation=0.0425, test=0.0825, seed=seed)
    labels = {
        name: np.array([getattr(record, name) for record in found], np.int64)
        for name in ("gender", "race", "group", "age")
    }
    faces = Faces(pictures, squares, landmarks, side=side, source=names, **labels)
    save(faces, cache)
    return load(cache)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--detector", type=Path, help="YuNet's ONNX file")
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    faces = prepare(given.data, given.cache, find(DETECTOR, given.detector), given.seed)
    counts = np.bincount(faces.side, minlength=3).tolist()
    print(", ".join(f"{name} {count}" for name, count in zip(SIDES, counts, strict=True)))


if __name__ == "__main__":
    main()
