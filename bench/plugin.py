"""A detector that does nothing, entering by the plugins' door: what is left is the gateway's cost.

``installed`` makes the few lines of metadata that ``pip install`` would write, in a folder on the
server's import path; nothing is installed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from visiongate.contracts import ModelStore
from visiongate.types import Detection, DetectorInfo, Device, Image, ModelUse, PredictOptions

__all__ = ["NOTHING", "NothingDetector", "installed"]

NOTHING = "nothing"


class NothingDetector:
    """Find nothing, at once."""

    info = DetectorInfo(name=NOTHING, task="detection", labels=("nothing",))
    model: ModelUse | None = None

    def load(self, models: ModelStore, device: Device) -> None:
        """Nothing to load."""

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        return [() for _ in images]


def installed(folder: Path) -> dict[str, str]:
    """Return the environment in which a gateway finds the detector."""
    home = folder / "plugin"
    metadata = home / "bench_nothing-0.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-nothing\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(
        f"[visiongate.detectors]\n{NOTHING} = {__name__}:{NothingDetector.__name__}\n"
    )
    paths = [str(home), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths)}
