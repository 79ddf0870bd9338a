"""What scenarios share: pictures, processor time and memory, networks, the detector of nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from bench import bare, pictures, plugin
from bench.peers import networks
from bench.processes import (
    cpu_seconds,
    peak_megabytes,
    private_megabytes,
    resident_megabytes,
)
from visiongate.contracts import Detector
from visiongate.imaging import Limits, decode
from visiongate.types import Box, PredictOptions

ROOT = Path(__file__).resolve().parents[2]


def test_comments_fill_a_small_picture_up_to_the_byte() -> None:
    body = pictures.padded(60_000)
    assert len(body) == 60_000
    picture = decode(body, Limits(60_000, 4096))
    assert (picture.width, picture.height) == (64, 64)
    with pytest.raises(ValueError, match="cannot fill"):
        pictures.padded(100)


def test_noise_nearly_fills_the_bytes_it_is_given() -> None:
    body = pictures.noise(60_000)
    assert 50_000 < len(body) <= 60_000
    assert Image.open(io.BytesIO(body)).size == pictures.SIZE
    assert body == pictures.noise(60_000)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_process_is_charged_with_what_its_children_use() -> None:
    burn = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    hold = "held = b'1' * 60_000_000"
    inner = f"{hold}\n{burn}\nprint('done', flush=True)\ninput()"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n"
        assert cpu_seconds(process.pid) >= 0.3
        held = 60_000_000 / 2**20
        assert resident_megabytes(process.pid) >= held
        assert private_megabytes(process.pid) >= held
        assert peak_megabytes(process.pid) >= held
        process.communicate("\n", timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_what_a_fork_has_not_touched_is_not_its_own() -> None:
    # It holds 60 MB, its child has them too, and writes to none.
    code = """
import os
held = b"1" * 60_000_000
if os.fork() == 0:
    print("forked", flush=True)
    input()
    os._exit(0)
os.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "forked\n"
        held = 60_000_000 / 2**20
        assert private_megabytes(process.pid) < held / 2
        assert peak_megabytes(process.pid) >= held
        assert held <= resident_megabytes(process.pid) < 2 * held
        process.communicate("\n", timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_processor_time_is_what_the_process_itself_says() -> None:
    work = "import time; sum(range(3_000_000)); print(time.process_time(), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", work], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = float(process.stdout.readline())
        found = cpu_seconds(process.pid)
        process.communicate("\n", timeout=60)
    assert said - 0.03 <= found <= said + 0.2


@pytest.fixture
def threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("threads")
def test_both_networks_of_the_peers_find_the_same_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (ROOT / "visiongate" / "probe.jpg").read_bytes()
    monkeypatch.setenv(networks.DATA, str(tmp_path))
    boxes = []
    for engine in networks.ENGINES:
        monkeypatch.setenv(networks.ENGINE, engine)
        faces = networks.chosen()
        (found,) = faces.find(faces.decode(body))
        assert found["type"] == "face"
        boxes.append(Box(*found["box"]))
    assert boxes[0].iou(boxes[1]) > 0.8


def test_the_bare_loop_takes_one_picture_a_thread_at_least() -> None:
    judged: list[bytes] = []
    found = bare.rate(judged.append, [b"first", b"second"], loops=2, seconds=0.0)
    assert {b"first", b"second"} <= set(judged)
    assert set(found) == {"per_second", "p50_ms", "cpu_ms"}
    assert found["per_second"] > 0


def test_what_is_not_here_is_missing_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(bare.Missing, match="No detector is called 'colour'"):
        bare.check(tmp_path, "colour", {})


def test_the_detector_of_nothing_enters_by_the_plugins_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plugin.installed(tmp_path)["PYTHONPATH"].split(os.pathsep)[0]
    monkeypatch.syspath_prepend(path)
    (point,) = metadata.entry_points(group="visiongate.detectors", name=plugin.NOTHING)
    detector = point.load()()
    assert isinstance(detector, Detector)
    assert detector.predict([np.zeros((4, 4, 3), np.uint8)] * 2, PredictOptions()) == [(), ()]
