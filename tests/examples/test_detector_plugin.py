"""The example package, installed by pip as a stranger would, adds its detector to the gateway."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]

# The gateway in a process of its own, with the package on its path, asked through its routes.
ASK = """
import io, json, sys
from pathlib import Path
from visiongate.services import build_services
from visiongate.settings import load_settings
from visiongate.web.app import create_app

settings = load_settings(detectors={"qrcode": {"read": True}}, preload=False)
services = build_services(settings)
services.users.create("ann", "a long password")
client = create_app(settings, services).test_client()
token = client.post("/api/v1/login", json={"username": "ann", "password": "a long password"}).json
headers = {"Authorization": "Bearer " + token["access_token"]}
listed = client.get("/api/v1/detectors", headers=headers).json
picture = Path(sys.argv[1]).read_bytes()
found = client.post(
    "/api/v1/detect?detectors=qrcode", data={"file": (io.BytesIO(picture), "x")}, headers=headers
)
services.close()
print(json.dumps({"listed": listed, "status": found.status_code, "found": found.json}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
    ]
    done = subprocess.run(
        [*command, "--target", str(target), str(ROOT / "examples" / "detector_plugin")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return target


def qr_picture(path: Path, text: str) -> None:
    code = cv2.QRCodeEncoder.create().encode(text)
    code = cv2.resize(code, (210, 210), interpolation=cv2.INTER_NEAREST)
    scene = np.full((400, 600), 200, np.uint8)
    scene[90:300, 250:460] = code
    cv2.imwrite(str(path), scene)


def test_an_installed_package_adds_its_detector(installed: Path, tmp_path: Path) -> None:
    qr_picture(tmp_path / "code.png", "visiongate")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path / "code.png")],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}",
            "VISIONGATE_DATA_DIR": str(tmp_path / "data"),
            "VISIONGATE_IMAGES_DIR": str(tmp_path / "images"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["status"] == 200, answer["found"]
    assert "qrcode" in {d["name"] for d in answer["listed"]["detectors"]}
    (found,) = answer["found"]["detections"]
    assert found["label"] == "qrcode"
    assert found["attributes"]["text"]["label"] == "visiongate"
    x1, y1, x2, y2 = found["box"]
    assert abs(x1 - 250) < 30
    assert abs(y1 - 90) < 30
    assert abs(x2 - 460) < 30
    assert abs(y2 - 300) < 30
