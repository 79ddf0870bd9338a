"""What is read before workers are forked is read once, answers alike, and is never out of date."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongate.errors import ModelUnavailable
from visiongate.models.store import FileModelStore
from visiongate.registry import Registry
from visiongate.runtimes import networks
from visiongate.runtimes.openvino import OpenVinoModel, Pixels, import_openvino, read_ahead
from visiongate.types import Device

_ROOT = Path(__file__).resolve().parents[2]
CPU = Device(threads=1, streams=1)


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    networks._kept.clear()
    yield
    networks._kept.clear()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every network that was fitted to who asks: each was read just before."""
    seen: list[Any] = []
    fold = networks._fold_constants

    def noted(model: Any) -> None:
        seen.append(model)
        fold(model)

    monkeypatch.setattr(networks, "_fold_constants", noted)
    return seen


def save(file: Path, factor: float) -> Path:
    """Write a network of pictures (1, 3, 1, 1) that multiplies each number."""
    ov = import_openvino()
    x = ov.opset8.parameter([1, 3, 1, 1], np.float32, name="x")
    y = ov.opset8.multiply(x, np.full((1, 3, 1, 1), factor, np.float32))
    ov.save_model(ov.Model([ov.opset8.result(y)], [x], "net"), file, compress_to_fp16=False)
    return file


def answer(model: OpenVinoModel) -> list[float]:
    (result,) = model.run(
        np.arange(1, 4).reshape(model.inputs[0].shape).astype(model.inputs[0].dtype)
    )
    return result.ravel().tolist()


def test_what_was_read_ahead_is_read_once(tmp_path: Path, reads: list[Any]) -> None:
    file = save(tmp_path / "net.xml", 2)
    read_ahead(file)
    read_ahead(file)
    models = [OpenVinoModel(file, CPU, precision="f32") for _ in range(2)]
    assert [answer(model) for model in models] == [[2, 4, 6]] * 2
    assert len(reads) == 1


def test_without_it_each_reads_its_own(tmp_path: Path, reads: list[Any]) -> None:
    file = save(tmp_path / "net.xml", 2)
    for _ in range(2):
        OpenVinoModel(file, CPU)
    assert len(reads) == 2


@pytest.mark.parametrize("suffixes", [(".xml", ".bin"), (".bin",)])
def test_another_file_in_its_place_is_read(tmp_path: Path, suffixes: tuple[str, ...]) -> None:
    file = save(tmp_path / "net.xml", 2)
    read_ahead(file)
    other = save(tmp_path / "other.xml", 5)
    for suffix in suffixes:
        other.with_suffix(suffix).replace(file.with_suffix(suffix))
    assert answer(OpenVinoModel(file, CPU, precision="f32")) == [5, 10, 15]


def test_how_pictures_are_fed_is_told_apart(tmp_path: Path) -> None:
    file = save(tmp_path / "net.xml", 2)
    read_ahead(file, pixels=Pixels("BGR"))
    assert answer(OpenVinoModel(file, CPU, pixels=Pixels("BGR"), precision="f32")) == [6, 4, 2]
    assert answer(OpenVinoModel(file, CPU, pixels=Pixels("RGB"), precision="f32")) == [2, 4, 6]
    assert answer(OpenVinoModel(file, CPU, precision="f32")) == [2, 4, 6]


def test_what_is_absent_cannot_be_read_ahead_and_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        read_ahead(tmp_path / "net.xml")
    with pytest.raises(ModelUnavailable, match="no model file"):
        OpenVinoModel(tmp_path / "net.xml", CPU)


def test_what_is_not_here_is_neither_fetched_nor_an_error(tmp_path: Path) -> None:
    registry = Registry.discover(disabled=("gender", "ethnicity"))
    registry.read_ahead(FileModelStore(tmp_path, mirror="http://127.0.0.1:9"))
    assert networks._kept == {}


_FORK = """
import os, sys
from pathlib import Path
import numpy as np
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.registry import Registry
from visiongate.runtimes import networks
from visiongate.runtimes.openvino import import_openvino
from visiongate.types import Device, PredictOptions

probe = decode(Path("visiongate/probe.jpg").read_bytes(), Limits(10**7, 10**8)).pixels
NAMES = ("object", "classify", "gender", "ethnicity")

def threads():
    return len(os.listdir("/proc/self/task"))

def answers():
    registry = Registry.discover()
    models = FileModelStore(Path(sys.argv[1]), mirror=sys.argv[2])
    detectors = [registry.get(n).ready(models, Device(threads=1, streams=1), probe) for n in NAMES]
    return repr([d.predict([probe], PredictOptions(min_confidence=0.01)) for d in detectors])

if sys.argv[3] == "alone":
    print(answers())
else:
    import_openvino()
    before = threads()
    Registry.discover().read_ahead(FileModelStore(Path(sys.argv[1]), mirror=sys.argv[2]))
    assert threads() == before, "a thread was started, which no fork survives"
    assert len(networks._kept) == 3, networks._kept
    for _ in range(2):
        sys.stdout.flush()
        if not (child := os.fork()):
            print(answers())
            sys.exit()
        assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_forked_processes_answer_as_one_alone(tmp_path: Path, weights: Path) -> None:
    def printed(how: str) -> list[str]:
        command = [sys.executable, "-c", _FORK, str(tmp_path), str(weights), how]
        done = subprocess.run(
            command, cwd=_ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout.splitlines()

    (alone,) = printed("alone")  # which also converts what is read ahead only as converted
    assert "Detection" in alone
    assert printed("forked") == [alone, alone]
