"""Run the exported model as the gateway does: OpenVINO, one core, its own choice of precision."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.export import INPUT, OUTPUTS

__all__ = ["Served"]

_BATCH = 64


class Served:
    """The exported model on one core."""

    def __init__(
        self, path: Path, precision: str | None = None, outputs: tuple[str, ...] = tuple(OUTPUTS)
    ) -> None:
        """Compile the model; `precision` f32 or bf16, or None for the runtime's choice."""
        import openvino

        settings = {"INFERENCE_NUM_THREADS": 1, "PERFORMANCE_HINT": "LATENCY"}
        if precision is not None:
            settings |= {"INFERENCE_PRECISION_HINT": precision}
        self._outputs = outputs
        self._model: Any = openvino.Core().compile_model(str(path), "CPU", settings)
        self.size = int(self._model.input(INPUT).partial_shape[1].get_length())

    def __call__(self, crops: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs for (N, size, size, 3) RGB crops."""
        found: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self._outputs}
        for start in range(0, len(crops), _BATCH):
            answer = self._model(crops[start : start + _BATCH])
            for name, parts in found.items():
                parts.append(np.array(answer[name]))
        return {name: np.concatenate(parts) for name, parts in found.items()}

    def milliseconds(self, faces: int = 1, repeats: int = 50) -> float:
        """Return the median time of one face in a batch of `faces`."""
        crops = np.zeros((faces, self.size, self.size, 3), np.uint8)
        times = []
        for _ in range(repeats + 5):
            started = time.perf_counter()
            self._model(crops)
            times.append(time.perf_counter() - started)
        return float(np.median(times[5:])) * 1000 / faces
