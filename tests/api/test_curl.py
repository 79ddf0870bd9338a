"""The lines that clients type, by curl itself, against a running gateway.

Each earlier service's documented line comes first, then its error cases; the examples' whole walk
is last. The fake detectors find one face, of a man, in the middle of each picture.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import flask
import pytest
from PIL import Image

from tests.api.conftest import USER, Gateway
from tests.web.fakes import PASSWORD
from tests.web.fetching.picture_server import serving
from visiongate.fetching.fetcher import Fetcher

ROOT = Path(__file__).resolve().parents[2]
CURL = shutil.which("curl") or "curl"  # where it is missing, its name is what the error says

Curl = Callable[..., tuple[int, Any]]


def picture(kind: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (80, 60), (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures to send, named as the services' documentation names them."""
    (tmp_path / "image.jpg").write_bytes(picture("JPEG"))
    (tmp_path / "image.png").write_bytes(picture("PNG"))
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes(picture("JPEG")[:400])
    text = base64.b64encode(picture("JPEG")).decode()
    (tmp_path / "uri.json").write_text(json.dumps({"image": f"data:image/jpeg;base64,{text}"}))
    (tmp_path / "plain.json").write_text(json.dumps({"image": text}))
    return tmp_path


@pytest.fixture
def curl(gateway: Gateway, folder: Path) -> Curl:
    """Return a function that runs curl with a token; gives the status and the JSON."""
    token = gateway.tokens()["access_token"]

    def run(*words: str, route: str, bare: bool = False) -> tuple[int, Any]:
        head = [] if bare else ["-H", f"Authorization: Bearer {token}"]
        done = subprocess.run(
            [CURL, "-sS", "-w", "\n%{http_code}", *head, *words, gateway.url + route],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)

    return run


JSON = ("-X", "POST", "-H", "Content-Type: application/json", "-d")


@pytest.mark.parametrize("file", ["uri.json", "plain.json"])
def test_classify(curl: Curl, file: str) -> None:
    said = curl(*JSON, f"@{file}", route="/classify")
    assert said == (200, {"success": True, "gender": "male", "confidence": 0.9})


def test_classify_without_a_picture(curl: Curl) -> None:
    said = curl(*JSON, "{}", route="/classify")
    assert said == (400, {"success": False, "error": "Image data is required"})


def test_gender(curl: Curl) -> None:
    status, said = curl("-X", "POST", "-F", "image=@image.jpg", route="/api/gender")
    assert (status, said["success"]) == (200, True)
    found = said["predictions"]
    assert (found["class"], found["label"], found["probability"]) == ("male", 1, 0.9)
    labels = [(one["class"], one["label"]) for one in found["predictions"]]
    assert labels == [("female", 0), ("male", 1)]


def test_predict(curl: Curl) -> None:
    said = curl("-X", "POST", "-F", "image=@image.jpg", route="/predict")
    assert said == (200, {"ethnicity": "White", "confidence": 0.9})


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("-F", "other=1"), "No image provided"),
        (("-F", "image=@image.png"), "Only JPG/JPEG images are allowed"),
    ],
)
def test_predict_refuses(curl: Curl, words: tuple[str, ...], error: str) -> None:
    status, said = curl("-X", "POST", *words, route="/predict")
    assert status == 400
    assert said["error"] == error


@pytest.mark.parametrize("file", ["text.jpg", "cut.jpg"])
@pytest.mark.parametrize("route", ["/api/gender", "/predict", "/upload"])
def test_a_corrupt_picture_is_never_500(curl: Curl, route: str, file: str) -> None:
    status, said = curl("-X", "POST", "-F", f"image=@{file}", route=route)
    assert 400 <= status < 500
    assert said["error"]


def test_upload(curl: Curl) -> None:
    for file in ("image.jpg", "image.png"):
        status, said = curl("-X", "POST", "-F", f"image=@{file}", route="/upload")
        assert status == 200
        assert said["prediction_1"] == {"confidence_level": 0.9, "predicted_label": "soccer ball"}


def test_health(curl: Curl) -> None:
    status, said = curl(route="/health", bare=True)
    assert status == 200
    assert said["status"] == "healthy"
    assert said["ml_libs_available"] is True


@pytest.mark.parametrize("route", ["/classify", "/api/gender", "/predict", "/upload"])
def test_without_a_token(curl: Curl, route: str) -> None:
    status, said = curl("-X", "POST", "-F", "image=@image.jpg", route=route, bare=True)
    assert status == 401
    assert said["error"]


def test_mlapis_own_lines(curl: Curl, gateway: Gateway) -> None:
    credentials = json.dumps({"username": USER, "password": PASSWORD})
    status, tokens = curl(
        *("-H", "Content-Type:application/json", "-XPOST", "-d", credentials),
        route="/api/v1/login",
        bare=True,
    )
    assert (status, tokens["expires"]) == (200, 3600)
    head = ("-H", f"Authorization:Bearer {tokens['access_token']}", "-XPOST")
    file = ("-F", "file=@image.jpg")
    status, found = curl(*head, *file, route="/api/v1/detect/object?delete=true", bare=True)
    assert (status, found[0]["type"], found[0]["confidence"]) == (200, "person", "80.00%")
    route = "/api/v1/detect/object?type=face&gender=true&delete=true"
    status, found = curl(*head, *file, route=route, bare=True)
    assert (status, found[0]["type"], found[0]["gender"]) == (200, "face", "man")


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the operations that are not another's second address, nor a page for browsers."""
    second = re.compile(r"/|/docs.*|/playground/.*|/api/v1/health.*|/api/v1/detect/(face|object)")
    return {
        (method.upper(), path)
        for path, ways in document["paths"].items()
        for method in ways
        if not second.fullmatch(path)
    }


def test_the_examples_walk_through_the_whole_interface(
    gateway: Gateway, curl: Curl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gateway.services.pictures is not None
    kept = gateway.services.pictures.list()
    asked: set[tuple[str, str]] = set()

    def note(*_: object, **__: object) -> None:
        assert flask.request.url_rule is not None
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", flask.request.url_rule.rule)
        asked.add((flask.request.method, path))

    with serving() as server, flask.request_started.connected_to(note, gateway.app):
        server.gives("/image.jpg", picture("JPEG"))
        host = f"127.0.0.1:{server.port}"
        fetcher = Fetcher((), (host,), max_bytes=100_000, seconds=20)
        monkeypatch.setattr(gateway.services, "fetcher", fetcher)
        monkeypatch.setenv("PICTURE_URL", f"http://{host}/image.jpg")
        done = subprocess.run(
            ["sh", str(ROOT / "examples" / "curl.sh"), USER, PASSWORD, "image.jpg", gateway.url],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        fetcher.close()
        assert [path for path, _ in server.asked] == ["/image.jpg"]
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    problems = re.findall('urn:visiongate:error:(.*?)"', done.stdout)
    assert problems == ["not_found"]  # the fake detector's model card
    assert asked == operations(curl(route="/openapi.json")[1])
    for name in ("annotated.jpg", "kept.jpg"):
        with Image.open(folder / name) as drawn:
            assert (drawn.format, drawn.size) == ("JPEG", (80, 60))
    assert gateway.services.pictures.list() == kept
