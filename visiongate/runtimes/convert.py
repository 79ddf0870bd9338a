"""Turn a user's model file into one that OpenVINO reads, once.

ONNX, TFLite and OpenVINO's IR are read as they are. Keras (``.h5``, ``.keras``) and TorchScript
(``.pt``, ``.pth``) are converted in a process of their own, so that TensorFlow's or PyTorch's
hundreds of megabytes never enter the gateway; the result is kept under the file's SHA-256.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

from visiongate.errors import ModelUnavailable
from visiongate.runtimes.converted import converted
from visiongate.runtimes.openvino import import_openvino

__all__ = ["FORMATS", "readable"]

_VERSION = 1
"""Raise it when the conversion changes, so that what older versions made is not used."""

_DIRECT = frozenset({".onnx", ".tflite", ".xml"})
_KERAS = frozenset({".h5", ".keras"})
_BEGINNINGS = {".h5": b"\x89HDF\r\n\x1a\n", ".keras": b"PK"}
"""How such a file begins; something else is not worth the seconds that TensorFlow takes."""
_TORCH = frozenset({".pt", ".pth"})
FORMATS = tuple(sorted(_DIRECT | _KERAS | _TORCH))
"""The endings that are understood."""

_SECONDS = 300.0
_LAST_LINES = 3


def readable(path: Path, cache: Path, *, input_shape: tuple[int, ...] | None = None) -> Path:
    """Return a file that ``OpenVinoModel`` reads: ``path`` itself, or what it was converted to.

    ``input_shape`` is needed for TorchScript alone, which does not say what it takes.

    Raises:
        ModelUnavailable: no such file, an ending that is not understood, or a conversion that
            failed; says why and what to do.
    """
    ending = path.suffix.lower()
    if not path.is_file():
        raise ModelUnavailable(f"There is no model file {path.resolve()}.")
    if ending in _DIRECT:
        return path
    if ending not in _KERAS | _TORCH:
        raise ModelUnavailable(
            f"{path.name}: models are read from {', '.join(FORMATS)}; this ends in {ending!r}."
        )
    beginning = _BEGINNINGS.get(ending, b"")
    with path.open("rb") as file:
        if file.read(len(beginning)) != beginning:
            raise ModelUnavailable(
                f"{path.name} is no Keras model: it does not begin as {ending} files do. It may "
                "have been cut off, or be a page or a pointer that was saved in its place."
            )
    return converted(
        cache, path.stem, (path,), _VERSION, lambda: _convert_elsewhere(path, input_shape)
    )


def _convert_elsewhere(source: Path, input_shape: tuple[int, ...] | None) -> Any:
    """Return the model as an ``openvino.Model``, converted in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="visiongate-convert-") as folder:
        result = Path(folder) / "model.xml"
        command = [sys.executable, "-m", __name__, str(source.resolve()), str(result)]
        if input_shape is not None:
            command += ["--shape", ",".join(map(str, input_shape))]
        root = Path(__file__).resolve().parents[2]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                command,
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ModelUnavailable(
                f"{source.name} could not be converted within {_SECONDS:.0f} s."
            ) from None
        if done.returncode or not result.is_file():
            said = [line for line in done.stderr.strip().splitlines() if line.strip()]
            reason = " ".join(said[-_LAST_LINES:]) or f"status {done.returncode}"
            raise ModelUnavailable(f"{source.name} could not be converted: {reason}")
        core = import_openvino().Core()
        # Mapped, the weights would be needed after the folder is gone.
        core.set_property({"ENABLE_MMAP": False})
        return core.read_model(result)


def _main() -> int:
    parser = argparse.ArgumentParser(description="Convert one model file to OpenVINO's IR.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--shape", default="")
    options = parser.parse_args()
    shape = tuple(int(part) for part in options.shape.split(",")) if options.shape else None
    try:
        if options.source.suffix.lower() in _KERAS:
            _from_keras(options.source, options.target)
        else:
            _from_torchscript(options.source, options.target, shape)
    except Exception as error:  # noqa: BLE001 - the parent tells the user the last lines
        sys.stderr.write(f"\n{type(error).__name__}: {error}\n")
        return 1
    return 0


def _from_keras(source: Path, target: Path) -> None:
    try:
        import keras
    except ImportError:
        raise ModuleNotFoundError(
            "Keras models need TensorFlow, which is not installed here: pip install tensorflow. "
            "Or convert the model to ONNX on another machine and name that file instead."
        ) from None
    # safe_mode stays on: a model file must not bring code along.
    model = keras.models.load_model(source, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        ov = _openvino()
        ov.save_model(ov.convert_model(folder), target, compress_to_fp16=False)


def _from_torchscript(source: Path, target: Path, shape: tuple[int, ...] | None) -> None:
    try:
        import torch
    except ImportError:
        raise ModuleNotFoundError(
            "TorchScript models need PyTorch, which is not installed here: pip install torch. "
            "Or export the model to ONNX (torch.onnx.export) and name that file instead."
        ) from None
    if shape is None:
        raise ValueError("a TorchScript model does not say what it takes: configure input_size")
    model = torch.jit.load(str(source), map_location="cpu").eval()
    ov = _openvino()
    converted = ov.convert_model(model, example_input=torch.zeros(shape), input=[(-1, *shape[1:])])
    ov.save_model(converted, target, compress_to_fp16=False)


def _openvino() -> Any:
    """Import OpenVINO with its conversion tools and, as everywhere, without its usage reports."""
    cast("dict[str, object]", sys.modules)["openvino_telemetry"] = None
    import openvino

    return openvino


if __name__ == "__main__":
    sys.exit(_main())
