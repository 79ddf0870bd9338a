"""However the processor is shared among callers, each detector answers as it does on one core.

Each way in a process of its own: what OpenVINO makes of a network at its first run may depend on
what the process has run before.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.face import FaceDetector
from tests.detectors.asking import ROUNDS
from visiongate.face_crop import YUNET, crop_face
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Device, PredictOptions

ROOT = Path(__file__).resolve().parents[2]
PORTRAITS = ("astronaut.png", "man_obama.jpg", "man_biden.jpg", "four_faces.jpg")
SCENES = ("two_dogs.jpg", "dog_bicycle_truck.jpg", "coffee.png", *PORTRAITS)
Answers = dict[str, list[list[Any]]]


@pytest.fixture(scope="module")
def folder(photos: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs, and their faces as the gateway cuts them."""
    folder = tmp_path_factory.mktemp("asking")
    detector = FaceDetector(model="yunet")
    detector.load(FileModelStore(folder / "m", mirror=str(weights), offline=True), Device())
    crops = []
    for name in PORTRAITS:
        limits = Limits(max_bytes=20_000_000, max_pixels=50_000_000)
        pixels = decode((photos / name).read_bytes(), limits).pixels
        for found in detector.predict([pixels], PredictOptions())[0]:
            crops.append(crop_face(pixels, found.box.as_tuple(), found.landmarks, 150, YUNET))
    assert len(crops) == 7
    np.save(folder / "crops.npy", np.stack(crops))
    for name in SCENES:
        (folder / f"{name}.picture").write_bytes((photos / name).read_bytes())
    return folder


def answers(folder: Path, weights: Path, threads: int, streams: int) -> Answers:
    given = map(str, (folder, weights, threads, streams))
    done = subprocess.run(
        [sys.executable, "-m", "tests.detectors.asking", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: Answers = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def on_one_core(folder: Path, weights: Path) -> Answers:
    """What each detector answers where there is one core and nothing is shared."""
    return answers(folder, weights, 1, 1)


def test_the_answers_to_compare_with_say_something(on_one_core: Answers) -> None:
    networks = {"face", "face in INT8", "object", "classify", "gender", "ethnicity"}
    assert on_one_core.keys() == networks
    for name, rounds in on_one_core.items():
        assert len(rounds) == ROUNDS
        labels = {one["label"] for found in rounds[0] for one in found}
        assert len(labels) > (not name.startswith("face")), name
    for name in ("gender", "ethnicity"):
        for one in (one for found in on_one_core[name][0] for one in found):
            # Where all is 0 or 1, wrong answers may look like right ones.
            assert max(one["probabilities"].values()) < 0.995
            assert min(one["probabilities"].values()) > 0.001


@pytest.mark.parametrize(("threads", "streams"), [(2, 1), (2, 2), (4, 2), (4, 4)])
def test_every_answer_is_the_one_that_one_core_gives(
    threads: int, streams: int, on_one_core: Answers, folder: Path, weights: Path
) -> None:
    for name, rounds in answers(folder, weights, threads, streams).items():
        for expected, given in zip(on_one_core[name], rounds, strict=True):
            for wanted, found in zip(expected, given, strict=True):
                assert len(found) == len(wanted), name
                for one, other in zip(wanted, found, strict=True):
                    assert other["label"] == one["label"], name
                    # Cores sum in another order: that shows in the last digits alone.
                    assert other["box"] == pytest.approx(one["box"], abs=0.1), name
                    assert other["probabilities"] == pytest.approx(one["probabilities"], abs=2e-3)
