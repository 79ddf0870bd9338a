"""A reader of the pages: a copy of the project, the files that they speak of, and a gateway."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import requests
from PIL import Image

from tests.detectors.networks import save_brightest_channel
from tests.docs.adaptations import PASSWORD, USER
from tests.docs.commands import copy_project
from tests.docs.pages import DOCS, code_blocks
from tests.examples.moving_face import frame, photograph


@dataclass
class Served:
    """A gateway that `make serve` started, and the folder that it was started in."""

    folder: Path
    address: str
    environment: dict[str, str]


def environment(shims: Path, **more: str) -> dict[str, str]:
    """Return what a command finds: programs of the project's environment, and nobody's settings."""
    kept = ("PIP_", "UV_", "LANG", "LC_", "TMPDIR")
    home = shims.parent / "home"
    home.mkdir(exist_ok=True)
    # A status of 400 and above is curl's failure as well.
    (home / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    paths = [str(shims), ".venv/bin", *os.environ["PATH"].split(os.pathsep)]
    own = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    return own | {
        "PATH": os.pathsep.join(paths),
        "HOME": str(home),
        "VG_PASSWORD": PASSWORD,
        "VISIONGATE_BCRYPT_ROUNDS": "4",
        "VISIONGATE_LOGIN_RATE_PER_USER": "1000 per minute",
        "VISIONGATE_LOGIN_RATE_PER_ADDRESS": "1000 per minute",
        "VISIONGATE_OFFLINE": "true",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "advice.detachedHead",
        "GIT_CONFIG_VALUE_0": "false",
        **more,
    }


def lay_out(folder: Path, weights: Path) -> None:
    """Put the files that the pages speak of where a reader would have them."""
    copy_project(folder)
    coded, jpeg = cv2.imencode(".jpg", photograph())
    assert coded
    for name in ("1.jpg", "portrait.jpg"):
        (folder / name).write_bytes(jpeg.tobytes())
    holiday = folder / "holiday"
    holiday.mkdir()
    (holiday / "one.jpg").write_bytes(jpeg.tobytes())
    writer = cv2.VideoWriter(
        str(folder / "street.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 8, (640, 480)
    )
    for number in range(3):
        writer.write(frame(number))
    writer.release()
    # Models of one's own, which gender and ethnicity need.
    for name in ("gender", "ethnicity"):
        save_brightest_channel(folder / f"{name}.onnx")
    (folder / "visiongate.toml").write_text(
        '[detectors.gender]\nmodel = "gender.onnx"\nlabels = ["female", "male", "unsure"]\n'
        '[detectors.ethnicity]\nmodel = "ethnicity.onnx"\nlabels = ["a", "b", "c"]\n'
    )
    # A folder in COCO's format.
    (folder / "val2017").mkdir()
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(folder / "val2017" / "1.jpg")
    (folder / "instances_val2017.json").write_text(
        json.dumps(
            {
                "images": [{"id": 1, "file_name": "1.jpg", "width": 80, "height": 60}],
                "categories": [{"id": 1, "name": "person"}],
                "annotations": [
                    {
                        "id": 1,
                        "image_id": 1,
                        "category_id": 1,
                        "bbox": [5, 5, 40, 40],
                        "area": 1600,
                        "iscrowd": 0,
                    }
                ],
            }
        )
    )
    my_detector(folder / "my-detector")


def my_detector(folder: Path) -> None:
    """Make the package of docs/writing-a-detector.md from what that page shows."""
    page = (DOCS / "writing-a-detector.md").read_text(encoding="utf-8")
    folder.mkdir()
    (folder / "visiongate_bright.py").write_text(code_blocks(page, "python")[0])
    (folder / "pyproject.toml").write_text(code_blocks(page, "toml")[0])


def token(address: str) -> str:
    answer = requests.post(
        f"{address}/api/v1/login", json={"username": USER, "password": PASSWORD}, timeout=30
    )
    assert answer.ok, answer.text
    access: str = answer.json()["access_token"]
    return access
