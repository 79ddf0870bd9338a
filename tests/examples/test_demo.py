"""The demonstration, as ``make demo`` runs it: a gateway of its own, a face, a picture."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), *arguments],
        cwd=folder,
        env={**os.environ, "VISIONGATE_OFFLINE": "true", "VISIONGATE_PORT": "1", "PORT": "2"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


def test_a_face_is_found_and_drawn(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stderr
    listed = re.search(r"^\[.*\]$", done.stdout, re.MULTILINE)
    assert listed
    (face,) = json.loads(listed[0])
    assert face["type"] == "face"
    assert re.fullmatch(r"\d+\.\d\d%", face["confidence"])
    (drawn,) = tmp_path.iterdir()
    assert str(drawn) in done.stdout
    with Image.open(drawn) as picture:
        assert picture.format == "JPEG"


def test_no_face_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "gray.png").touch()
    Image.new("RGB", (300, 200), "gray").save(tmp_path / "gray.png")
    done = demo(tmp_path, "gray.png")
    assert done.returncode == 1
    assert "No face was found" in done.stderr


def test_a_picture_that_cannot_be_read_fails_with_the_gateway_s_words(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    done = demo(tmp_path, "text.jpg")
    assert done.returncode == 1
    assert "format_unsupported" in done.stderr
    assert "Traceback" not in done.stderr
