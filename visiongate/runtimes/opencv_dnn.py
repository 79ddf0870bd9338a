"""Load a Darknet model with OpenCV and run it; nothing else.

OpenVINO cannot read Darknet's form. OpenCV 4 is the last line that can.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from visiongate.errors import ModelUnavailable

__all__ = ["DarknetModel"]


class DarknetModel:
    """A network described by ``config`` (.cfg) with its ``weights`` (.weights).

    OpenCV's network keeps its inputs between calls, so one picture goes through at a time; OpenCV
    spreads that one over the cores by itself.

    Raises:
        ModelUnavailable: a file is absent, or OpenCV cannot make a network of the two.
    """

    def __init__(self, weights: Path, config: Path) -> None:
        for file in (weights, config):
            if not file.is_file():
                raise ModelUnavailable(f"There is no model file {file}.")
        try:
            self._net = cv2.dnn.readNetFromDarknet(str(config), str(weights))
            self.outputs = tuple(str(name) for name in self._net.getUnconnectedOutLayersNames())
        except cv2.error as error:
            raise ModelUnavailable(
                f"OpenCV cannot load {weights} as {config.name} describes it: {error.err}"
            ) from error
        self._lock = threading.Lock()

    def run(self, blob: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        """Return the outputs, in the order of ``outputs``, for ``(1, 3, H, W)``."""
        with self._lock:
            self._net.setInput(blob)
            return tuple(np.array(output) for output in self._net.forward(self.outputs))
