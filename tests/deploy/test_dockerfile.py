"""The image: linted, its steps run in a clean folder, and what comes of them asked for a face."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import cv2
import pytest
import requests

from tests.deploy.image import ROOT, Image, instructions
from tests.deploy.ports import unused_ports, wait_for
from tests.examples.moving_face import photograph

HADOLINT = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
    "hadolint"
)
PASSWORD = "correct horse battery staple"


def test_hadolint_has_nothing_to_say() -> None:
    if HADOLINT is None:
        pytest.skip("needs hadolint (requirements-dev.txt has it for Linux and macOS)")
    done = subprocess.run(
        [HADOLINT, "--failure-threshold", "info", ROOT / "deploy" / "Dockerfile"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def last(name: str) -> str:
    return [value for instruction, value in instructions() if instruction == name][-1]


def test_it_runs_as_nobody_in_particular_and_brings_no_secrets() -> None:
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER"))
    names = [instruction for instruction, _ in instructions()]
    assert "ADD" not in names
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in ("RUN", "COPY"))
    for value in (value for name, value in instructions() if name in ("ARG", "ENV")):
        assert not re.search("secret|password|token|key", value, re.IGNORECASE)


def test_the_base_has_a_tag_that_is_not_latest() -> None:
    (image,) = [v for i, v in instructions() if i == "ARG" and v.startswith("PYTHON_IMAGE=")]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.1[0-3]-slim-\w+", image)
    assert last("FROM") == "${PYTHON_IMAGE}"


def test_health_is_asked_without_curl() -> None:
    check = last("HEALTHCHECK")
    assert re.search(r'CMD \["python", "/app/healthcheck.py"\]$', check)
    assert "curl" not in check
    assert "wget" not in check


def context() -> set[str]:
    """Return what .dockerignore lets through: everything is out but what it names."""
    lines = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert lines[0] == "*"
    assert all(line.startswith(("!", "**/")) for line in lines[1:])
    return {line[1:] for line in lines if line.startswith("!")}


def test_the_context_is_what_is_copied_and_no_more() -> None:
    copied = {
        word
        for instruction, value in instructions()
        if instruction == "COPY" and "--from" not in value
        for word in value.split()[:-1]
    }
    assert context() == copied
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Image:
    """The image with the default weights in it, as a folder."""
    return Image(
        tmp_path_factory.mktemp("image"), WEIGHTS="default", VISIONGATE_MODEL_MIRROR=str(weights)
    )


def test_every_step_was_run(image: Image) -> None:
    assert image.steps == [value for instruction, value in instructions() if instruction == "RUN"]


def test_it_has_weights_and_no_tools_to_build_with(image: Image) -> None:
    folder = image.final.folder
    assert {path.suffix for path in (folder / "weights").iterdir()} >= {".onnx", ".tflite"}
    packages = {path.name.partition("-")[0].lower() for path in folder.rglob("*.dist-info")}
    assert {"flask", "openvino", "gunicorn"} <= packages
    assert not packages & {"uv", "tensorflow", "matplotlib", "pytest"}
    assert list((folder / "app/visiongate/web/__pycache__").glob("app.*.pyc"))
    assert not list(folder.rglob("keys.json"))
    assert (folder / "data").stat().st_mode & 0o777 == 0o700


def run(image: Image, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=image.final.path("."),
        env=image.final.world(**more),
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def served(image: Image) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of what CMD starts, and its environment."""
    (port,) = unused_ports(1)
    world = {"VISIONGATE_PORT": str(port), "VISIONGATE_OFFLINE": "true"}
    adduser = image.final.inside("/app/adduser.py")
    adding = run(image, "python", adduser, "-u", "ann", "--password-stdin", **world)
    assert adding.returncode == 0, adding.stderr
    unhealthy = run(image, *image.final.healthcheck, **world)
    assert unhealthy.returncode == 1
    assert f"no answer on port {port}" in unhealthy.stdout
    log = image.final.folder.parent / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            image.final.command,
            cwd=image.final.path("."),
            env=image.final.world(**world),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}", world
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


def test_what_the_image_starts_is_healthy_and_finds_a_face_and_writes_to_data_alone(
    image: Image, served: tuple[str, dict[str, str]]
) -> None:
    address, world = served
    healthy = run(image, *image.final.healthcheck, **world)
    assert healthy.returncode == 0, healthy.stdout
    assert '"healthy"' in healthy.stdout
    login = {"username": "ann", "password": PASSWORD}
    token = requests.post(f"{address}/api/v1/login", json=login, timeout=30).json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    _, jpeg = cv2.imencode(".jpg", photograph())
    answer = requests.post(
        f"{address}/api/v1/detect?detectors=face",
        files={"file": ("1.jpg", jpeg.tobytes())},
        headers=headers,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["detections"]) == 1
    assert "yunet" in answer.json()["detectors"][0]["model"]["name"]
    folder = image.final.folder
    begun = (folder / "data" / "keys.json").stat().st_mtime
    written = [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.lstat().st_mtime >= begun and path != folder / "data"
    ]
    assert written
    assert {path.parts[0] for path in written} <= {"data", "tmp"}
