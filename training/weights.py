"""Find the published weights that training starts from and aligns with."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["BODY", "DETECTOR", "find"]

#: dlib's face recognition network, and YuNet; names in `visiongate/models/manifest.toml`.
BODY = "dlib_face_recognition_resnet_model_v1.dat"
DETECTOR = "face_detection_yunet_2026may.onnx"


def find(file: str, given: Path | None = None) -> Path:
    """Return where a weights file is: as given, in the mirror folder, or in the models' cache.

    Raises:
        FileNotFoundError: it is nowhere; the message says how to get it.
    """
    if given is not None:
        if not given.is_file():
            raise FileNotFoundError(f"{given} is not there")
        return given
    folders = [
        Path(os.environ.get("VISIONGATE_MODEL_MIRROR", "") or "."),
        Path(os.environ.get("VISIONGATE_DATA_DIR", "") or "data") / "models",
    ]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    raise FileNotFoundError(
        f"{file} is neither in {' nor in '.join(map(str, folders))}. Fetch it with "
        f"`python -m visiongate.models pull {Path(file).stem}`, or name the file."
    )
