"""The OpenVINO runtime answers each caller with the caller's own answer, and reports to nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongate.errors import ModelUnavailable
from visiongate.runtimes import openvino
from visiongate.runtimes.openvino import OpenVinoModel, Pixels, import_openvino
from visiongate.types import Device

_ROOT = Path(__file__).resolve().parents[2]

NETWORKS = {
    "face_detection_yunet_2026may.onnx": (448, 640),
    "picodet_s_416_coco.onnx": (416, 416),
    "yolox_nano.onnx": (416, 416),
    "mobilenet_v2_1.0_224_quant.tflite": (224, 224),
}

# Runs with every way to the network closed, and a home folder that must stay empty.
_QUIET = """
import os, socket, subprocess, sys, threading

def closed(*_args, **_kwargs):
    raise AssertionError("something tried to reach the network")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = closed
subprocess.Popen.__init__ = closed
from visiongate.runtimes.openvino import import_openvino

assert "openvino" not in sys.modules, "importing the runtime's module must not load OpenVINO"
before = threading.enumerate()
openvino = import_openvino()
assert openvino.Core().available_devices
assert threading.enumerate() == before, threading.enumerate()
assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
assert "openvino.tools.ovc" not in sys.modules
from openvino.tools.ovc import convert_model, telemetry_utils
assert telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
assert threading.enumerate() == before, threading.enumerate()
assert import_openvino() is openvino
assert not os.listdir(os.environ["HOME"])
"""


_AFFINITIES = """
import os, sys
from pathlib import Path
import numpy as np
from visiongate.runtimes.openvino import OpenVinoModel
from visiongate.types import Device

allowed = os.sched_getaffinity(0)
OpenVinoModel(Path(sys.argv[1]), Device(threads=2, streams=2)).run(np.zeros((1, 3), np.float32))
threads = [int(name) for name in os.listdir("/proc/self/task")]
assert len(threads) > 1
assert all(os.sched_getaffinity(thread) == allowed for thread in threads)
"""


def test_importing_openvino_reports_to_nobody(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "TF_BUILD")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _QUIET],
        env={**environment, "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)},
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_reports_can_be_forbidden_before_anyone_else_imports_openvino() -> None:
    code = (
        "import sys; from visiongate.runtimes.openvino import forbid_reports; forbid_reports();"
        "import openvino; from openvino.tools.ovc import telemetry_utils as used;"
        "assert used.tm.__name__ == 'openvino.tools.ovc.telemetry_stub'"
    )
    subprocess.run([sys.executable, "-c", code], cwd=_ROOT, check=True)


def save(folder: Path, shape: list[int], build: Any) -> Path:
    """Write a model of one float input called ``x``; ``build(opset, x)`` returns its outputs."""
    ov = import_openvino()
    x = ov.opset8.parameter(shape, np.float32, name="x")
    x.output(0).set_names({"x"})
    results = []
    for i, node in enumerate(build(ov.opset8, x)):
        node.output(0).set_names({f"y{i}"})
        results.append(ov.opset8.result(node))
    ov.save_model(ov.Model(results, [x], "small"), folder / "small.xml", compress_to_fp16=False)
    return folder / "small.xml"


@pytest.fixture(autouse=True)
def nothing_compiles_yet() -> None:
    """Wait for what earlier tests, of whatever file, have left to be compiled."""
    for thread in compiling():
        thread.join()


@pytest.fixture
def linear(tmp_path: Path) -> Path:
    """y0 = 2 x + 1, y1 = -x, of any number of rows of three."""
    return save(
        tmp_path,
        [-1, 3],
        lambda op, x: [
            op.add(op.multiply(x, np.float32(2)), np.float32(1)),
            op.negative(x),
        ],
    )


def test_run_returns_every_output_in_order(linear: Path) -> None:
    model = OpenVinoModel(linear, Device(), precision="f32")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    y0, y1 = model.run(x)
    np.testing.assert_array_equal(y0, 2 * x + 1)
    np.testing.assert_array_equal(y1, -x)
    assert [(port.name, port.shape, port.dtype) for port in (*model.inputs, *model.outputs)] == [
        (name, (-1, 3), np.dtype(np.float32)) for name in ("x", "y0", "y1")
    ]


def test_outputs_belong_to_the_caller(linear: Path) -> None:
    model = OpenVinoModel(linear, Device(), precision="f32")
    first = model.run(np.ones((1, 3), np.float32))
    model.run(np.zeros((1, 3), np.float32))
    np.testing.assert_array_equal(first[0], np.full((1, 3), 3))
    first[0][:] = 7
    assert not model.run(np.zeros((1, 3), np.float32))[1].any()


@pytest.mark.parametrize("streams", [1, 2, 3])
def test_each_of_many_threads_gets_its_own_answer(linear: Path, streams: int) -> None:
    model = OpenVinoModel(linear, Device(threads=2, streams=streams), precision="f32")

    def ask(number: int) -> bool:
        x = np.full((1 + number % 5, 3), number, np.float32)
        y0, y1 = model.run(x)
        return np.array_equal(y0, 2 * x + 1) and np.array_equal(y1, -x)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(1000)))


lonely = partial(OpenVinoModel, all_cores_for_one=True)


def told_alone(model: OpenVinoModel, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run the model as a lone caller's, with all cores; see that it is."""
    for _ in range(9):
        model.run(*arrays)
    for thread in compiling():
        thread.join()
    assert model._alone is not None
    with openvino._turns.taken() as alone:
        assert alone
    return model.run(*arrays)


def in_a_crowd(model: OpenVinoModel, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Run the model beside another, on one core."""
    with openvino._turns.taken():
        return model.run(*arrays)


def test_a_lone_caller_has_all_cores(linear: Path) -> None:
    model = lonely(linear, Device(threads=2, streams=2), precision="f32")
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(told_alone(model, x)[0], [[3, 3, 3]])
    lone = model._alone
    assert lone is not None
    taken = lone.get()
    compiled = taken.get_compiled_model()
    assert compiled.get_property("NUM_STREAMS") == 1
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 2
    # Beside others it waits for none of that: the request that has all cores is away.
    np.testing.assert_array_equal(in_a_crowd(model, x)[0], [[3, 3, 3]])
    lone.put(taken)
    assert not compiling()


def test_a_file_overwritten_in_place_changes_no_answer(linear: Path) -> None:
    model = lonely(linear, Device(threads=2, streams=2), precision="f32")
    for part in (linear, linear.with_suffix(".bin")):
        # Not cut off: were it mapped, this process would end.
        part.write_bytes(b"\0" * part.stat().st_size)
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(told_alone(model, x)[0], np.full((2, 3), 3))


@pytest.mark.parametrize("device", [Device(threads=1, streams=1), Device(threads=2, streams=1)])
def test_where_each_has_all_cores_anyway_nothing_more_is_compiled(
    linear: Path, device: Device
) -> None:
    model = lonely(linear, device, precision="f32")
    for _ in range(20):
        model.run(np.ones((1, 3), np.float32))
    assert not compiling()
    assert model._alone is None


def test_what_cannot_be_compiled_for_one_runs_as_before(
    linear: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = lonely(linear, Device(threads=2, streams=2), precision="f32")

    def fail() -> Any:
        raise RuntimeError("no memory")

    model._compile_for_one = fail
    x = np.ones((1, 3), np.float32)
    for _ in range(20):
        model.run(x)
    for thread in compiling():
        thread.join()
    np.testing.assert_array_equal(model.run(x)[0], [[3, 3, 3]])
    assert caplog.messages == ["one caller alone will not have all cores: no memory"]


@pytest.mark.parametrize("network", NETWORKS)
def test_all_cores_change_no_bit_of_an_answer(weights: Path, network: str) -> None:
    """Else an answer's last digits would depend on who else asks."""
    shape = NETWORKS[network]
    pixels = None if network.endswith(".tflite") else Pixels(order="BGR", mean=(104, 117, 123))
    model = lonely(weights / network, Device(threads=2, streams=2), pixels=pixels)
    random = np.random.default_rng(0)
    for _ in range(3):
        small = random.integers(0, 256, (1, 20, 20, 3), np.uint8)
        grown = small.repeat(-(-shape[0] // 20), axis=1).repeat(-(-shape[1] // 20), axis=2)
        picture = np.ascontiguousarray(grown[:, : shape[0], : shape[1]])
        one, many = told_alone(model, picture), in_a_crowd(model, picture)
        assert all(np.ptp(output) > 0 for output in one)
        for lone, crowded in zip(one, many, strict=True):
            np.testing.assert_array_equal(lone, crowded)


def compiling() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "all cores for one"]


def test_an_array_that_fails_does_not_use_up_a_place(linear: Path) -> None:
    model = OpenVinoModel(linear, Device(streams=1), precision="f32")
    for wrong in (np.zeros((1, 4), np.float32), np.zeros(3, np.float32), np.zeros((1, 3))):
        with pytest.raises(ValueError, match=r"input 'x' takes float32 \(-1, 3\), got"):
            model.run(wrong)
    with pytest.raises(ValueError, match="has 1 inputs, got 2 arrays"):
        model.run(np.zeros((1, 3), np.float32), np.zeros((1, 3), np.float32))
    assert model.run(np.zeros((1, 3), np.float32))[0].tolist() == [[1, 1, 1]]


def test_a_free_shape_can_be_fixed(linear: Path) -> None:
    for shape in ([4, 3], {"x": [4, 3]}):
        model = OpenVinoModel(linear, Device(), shape=shape)
        assert model.inputs[0].shape == (4, 3)
        with pytest.raises(ValueError, match=r"\(4, 3\), got float32 \(2, 3\)"):
            model.run(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_pictures_are_fed_as_the_model_wants_them(tmp_path: Path, order: Any) -> None:
    file = save(tmp_path, [1, 3, -1, -1], lambda op, x: [op.multiply(x, np.float32(1))])
    mean, scale = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    model = OpenVinoModel(
        file, Device(), shape=[1, 3, 5, 7], pixels=Pixels(order, mean, scale), precision="f32"
    )
    picture = np.random.default_rng(0).integers(0, 256, (1, 5, 7, 3), dtype=np.uint8)
    channels = picture if order == "RGB" else picture[..., ::-1]
    expected = ((channels - np.array(mean)) / scale).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(model.run(picture)[0], expected, rtol=1e-6)


def test_what_runs_a_model_is_named(linear: Path) -> None:
    version = import_openvino().__version__.split("-")[0]
    assert OpenVinoModel(linear, Device(), precision="f32").runtime == f"openvino {version} f32"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux alone tells affinities")
def test_no_thread_is_tied_to_a_processor(linear: Path) -> None:
    # In a process of its own: threads of other tests come and go in this one.
    done = subprocess.run(
        [sys.executable, "-c", _AFFINITIES, str(linear)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


_FORGOTTEN = """
import os, signal, sys
from pathlib import Path
from visiongate.runtimes.openvino import OpenVinoModel
from visiongate.types import Device
signal.signal(signal.SIGTERM, lambda *_: None)
first, second = (OpenVinoModel(Path(sys.argv[1]), Device()) for _ in range(2))
del first
del second
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_models_were_given_up_ends_nothing(linear: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORGOTTEN, str(linear)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_loaded_is_unavailable_with_the_reason(linear: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a model")
    with pytest.raises(ModelUnavailable, match=r"no model file .*absent\.onnx"):
        OpenVinoModel(tmp_path / "absent.onnx", Device())
    with pytest.raises(ModelUnavailable, match=r"cannot load .*broken\.onnx"):
        OpenVinoModel(broken, Device())
    with pytest.raises(ModelUnavailable, match=r"cannot load .*small\.xml"):
        OpenVinoModel(linear, Device(), shape={"z": [1, 3]})
    with pytest.raises(ModelUnavailable, match=r"for the device ABACUS: .*ABACUS"):
        OpenVinoModel(linear, Device(name="ABACUS"))


def test_onnx_and_tflite_run(weights: Path) -> None:
    onnx = OpenVinoModel(
        weights / "face_detection_yunet_2026may.onnx", Device(), shape=[1, 3, 64, 96]
    )
    outputs = onnx.run(np.zeros((1, 3, 64, 96), np.float32))
    assert [output.shape for output in outputs] == [port.shape for port in onnx.outputs]
    tflite = OpenVinoModel(weights / "mobilenet_v2_1.0_224_quant.tflite", Device())
    assert tflite.inputs[0].dtype == np.uint8
    assert tflite.run(np.zeros((1, 224, 224, 3), np.uint8))[0].shape == (1, 1001)
