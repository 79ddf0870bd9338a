"""Load a model with OpenVINO and run it: ONNX, TFLite or OpenVINO's own IR; nothing else.

OpenVINO reports each import to its makers unless told not to. Import it here, by
``import_openvino``, and it cannot.
"""

from __future__ import annotations

import logging
import queue
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from visiongate.errors import ModelUnavailable
from visiongate.runtimes import networks
from visiongate.runtimes.networks import Pixels
from visiongate.runtimes.turns import Turns
from visiongate.types import Device

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = [
    "OpenVinoModel",
    "Pixels",
    "Port",
    "forbid_reports",
    "import_openvino",
    "processor",
    "read_ahead",
    "read_in_floats",
]

_REQUESTS_A_STREAM = 2
"""One that runs and one that waits. OpenVINO's own thread goes from one to the next at once; woken
from here, it would first wait for two of Python's threads to have had their turn."""
_import_lock = threading.Lock()
_core: Any = None
_turns = Turns()
_log = logging.getLogger(__name__)


def forbid_reports() -> None:
    """Make OpenVINO's usage reports impossible, in this process and for good.

    Importing OpenVINO the plain way starts a thread that sends an event to an analytics service,
    and writes files into the user's home. A module that is None in ``sys.modules`` cannot be
    imported: without ``openvino_telemetry`` OpenVINO uses the stub that it brings along.
    """
    cast("dict[str, ModuleType | None]", sys.modules)["openvino_telemetry"] = None


def import_openvino() -> ModuleType:
    """Import OpenVINO with its reports forbidden and its conversion tools left out.

    The tools take half of the import's time; whoever needs them can import them afterwards.
    """
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    with _import_lock:
        forbid_reports()
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
        modules["openvino.tools.ovc"] = None
        try:
            import openvino
        finally:
            del modules["openvino.tools.ovc"]
        return cast("ModuleType", openvino)


@contextmanager
def _reported_as_unavailable(what: str) -> Iterator[None]:
    """Turn whatever OpenVINO raises while reading or compiling into ``ModelUnavailable``."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "no reason given"
        raise ModelUnavailable(f"{what}: {reason}") from error


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of a model; -1 in ``shape`` is a size that is free."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class OpenVinoModel:
    """A model, read once, that any number of threads may run at once, each on one core.

    With ``all_cores_for_one``, who runs it alone for a while has all cores: it is compiled for that
    too, once, in the background. The answers are the same; it costs 10 to 50 MB a network.

    ``runtime`` says what runs it, for ``ModelUse``: version, and the precision computed in.
    ``shape`` fixes the first input's shape (or each named input's) where the file leaves it free,
    in the model's own layout. ``pixels`` makes that input take pictures as they are.
    ``precision`` None leaves the choice to the processor (bf16 where it has the units for it);
    ``"f32"`` or ``"bf16"`` insists. With ``int8``, what the file says is quantised is computed so;
    else it is turned into floats first.

    Raises:
        ModelUnavailable: the file is absent or not a model, the shape does not fit it, or
            the device is not there.
    """

    def __init__(
        self,
        path: Path,
        device: Device,
        *,
        shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
        pixels: Pixels | None = None,
        precision: str | None = None,
        int8: bool = False,
        all_cores_for_one: bool = False,
    ) -> None:
        ov = import_openvino()
        if not path.is_file():
            raise ModelUnavailable(f"There is no model file {path}.")
        core = _the_core(ov)
        with _reported_as_unavailable(f"OpenVINO cannot load {path}"):
            model = networks.read(ov, core, path, shape=shape, pixels=pixels, int8=int8)
        with _reported_as_unavailable(
            f"OpenVINO cannot compile {path} for the device {device.name}"
        ):
            compiled = core.compile_model(model, device.name, _configuration(device, precision))
        lone = _configuration(replace(device, streams=1), precision)
        # A stream's graph is made when it first runs, from numbers that the model read may own:
        # with int8 weights from ONNX, giving the model up made every answer nonsense.
        self._model = model
        self.device = device
        computed = f"{'int8+' if int8 else ''}{_precision(compiled)}".strip("+")
        self.runtime = f"openvino {ov.__version__.split('-')[0]} {computed}".strip()
        self._tensor = ov.Tensor
        self.inputs = tuple(_port(port) for port in compiled.inputs)
        self.outputs = tuple(_port(port) for port in compiled.outputs)
        self._idle = _requests(compiled, _REQUESTS_A_STREAM * max(1, device.streams))
        self._alone: queue.LifoQueue[Any] | None = None
        self._compile_for_one: Callable[[], Any] | None = None
        if all_cores_for_one and device.name == "CPU" and min(device.streams, device.threads) > 1:
            self._compile_for_one = lambda: core.compile_model(model, device.name, lone)

    def run(self, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Return the outputs, in the order of ``outputs``, for one array for each input.

        Waits until one of ``device.streams`` is free. What is returned belongs to the caller.

        Raises:
            ValueError: the arrays do not fit ``inputs``.
        """
        self._check(arrays)
        with _turns.taken() as alone:
            idle = self._for_one() if alone else self._idle
            # Only the lone caller computes in its own thread. Woken for it, a thread of OpenVINO's
            # may land on the one core where the caller's and the helper that still looks for work
            # are already; the network then has one core of all, for seconds on end.
            in_this_thread = idle is self._alone
            request = idle.get()
            try:
                for i, array in enumerate(arrays):
                    # Without a copy: the array outlives the run, which ends before this returns.
                    request.set_input_tensor(i, self._tensor(np.ascontiguousarray(array), True))
                if in_this_thread:
                    request.infer(share_outputs=True)  # which are copied below
                else:
                    request.start_async()
                    request.wait()
                return tuple(
                    np.array(request.get_output_tensor(i).data) for i in range(len(self.outputs))
                )
            finally:
                idle.put(request)

    def _for_one(self) -> queue.LifoQueue[Any]:
        """Return the request that has all cores, or those of one core each until it is there.

        One caller at a time is alone, so one request is enough, and this needs no lock.
        """
        if self._alone is None and self._compile_for_one is not None:
            work = partial(self._prepare_for_one, self._compile_for_one)
            self._compile_for_one = None
            # Not a daemon: ending the process while OpenVINO compiles would be no clean end.
            threading.Thread(target=work, name="all cores for one").start()
        return self._alone or self._idle

    def _prepare_for_one(self, compile_model: Callable[[], Any]) -> None:
        try:
            self._alone = _requests(compile_model(), 1)
        except RuntimeError as error:
            _log.warning("one caller alone will not have all cores: %s", error)

    def _check(self, arrays: Sequence[NDArray[Any]]) -> None:
        if len(arrays) != len(self.inputs):
            raise ValueError(f"the model has {len(self.inputs)} inputs, got {len(arrays)} arrays")
        for array, port in zip(arrays, self.inputs, strict=True):
            fits = array.ndim == len(port.shape) and all(
                want in (-1, got) for want, got in zip(port.shape, array.shape, strict=False)
            )
            if not fits or array.dtype != port.dtype:
                raise ValueError(
                    f"input {port.name!r} takes {port.dtype} {port.shape}, "
                    f"got {array.dtype} {array.shape}"
                )


def _the_core(ov: ModuleType) -> Any:
    """Return the one Core of this process, which is never given up.

    Where a processor has AMX, each Core gives the thread that made it another stack for signals,
    and takes that stack's memory away when it goes. Several Cores that go in the order in which
    they came leave the thread with a stack that is no more, and the next signal ends the process.
    """
    global _core
    with _import_lock:
        if _core is None:
            _core = ov.Core()
            # Mapped, weights that somebody cuts off or overwrites in place, as cp and rsync
            # --inplace do, would end the process (SIGBUS) or quietly change its answers.
            _core.set_property({"ENABLE_MMAP": False})
        return _core


def read_ahead(path: Path, *, pixels: Pixels | None = None) -> None:
    """Read a network that processes forked from this one will make ``OpenVinoModel`` of.

    They share its numbers with this process, and need not read it again. It starts no thread,
    unless the file holds int8 weights.
    """
    ov = import_openvino()
    networks.keep(ov, _the_core(ov), path, pixels=pixels)


def read_in_floats(path: Path) -> Any:
    """Return a network as ``openvino.Model``, its int8 weights turned into floats."""
    ov = import_openvino()
    core = _the_core(ov)
    with tempfile.TemporaryDirectory(prefix="visiongate-floats-") as folder:
        # Fresh from TFLite, the weights keep to their few bits; as OpenVINO's own form they do not.
        own = Path(folder) / "model.xml"
        ov.save_model(core.read_model(path), own, compress_to_fp16=False)
        return networks.read(ov, core, own)


def processor() -> str:
    """Return what tells this processor and OpenVINO's version from others."""
    ov = import_openvino()
    core = _the_core(ov)
    able = sorted(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    return " ".join([ov.__version__, core.get_property("CPU", "FULL_DEVICE_NAME"), *able])


def _requests(compiled: Any, count: int) -> queue.LifoQueue[Any]:
    # A request holds its own inputs and outputs, so one request serves one thread at a time.
    # Last in, first out: the memory used last is the one still in the processor's cache.
    idle: queue.LifoQueue[Any] = queue.LifoQueue()
    for _ in range(count):
        idle.put(compiled.create_infer_request())
    return idle


def _configuration(device: Device, precision: str | None) -> dict[str, Any]:
    configuration: dict[str, Any] = {"NUM_STREAMS": max(1, device.streams)}
    if device.name == "CPU":
        configuration["INFERENCE_NUM_THREADS"] = max(1, device.threads)
        # Pinned, the single threads of two processes share one core while others idle.
        configuration["ENABLE_CPU_PINNING"] = False
    if precision is not None:
        configuration["INFERENCE_PRECISION_HINT"] = precision
    return configuration


def _precision(compiled: Any) -> str:
    """Name the precision that the device computes in; empty where it does not say."""
    try:
        return str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
    except RuntimeError:
        return ""


def _port(port: Any) -> Port:
    shape = tuple(
        int(dimension.get_length()) if dimension.is_static else -1
        for dimension in port.partial_shape
    )
    return Port(min(port.names, default=""), shape, np.dtype(port.element_type.to_dtype()))
