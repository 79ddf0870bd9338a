"""Request reading: raw bytes through the gateway's own reading, gunicorn's, and the application.

What a connection could bring: request lines, headers, chunks, forms, JSON, several requests one
after another. The application answers below 500 and lets nothing out; and how much of a request has
come does not depend on the pieces in which it came.
"""

from __future__ import annotations

import atexit
import base64
import json
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import flask
from gunicorn.config import Config
from gunicorn.http.errors import ParseException
from gunicorn.http.parser import RequestParser
from gunicorn.http.wsgi import create

from bench.client import multipart, prepared
from proofs import mutations
from proofs.fuzz.targets import Finding
from visiongate import registry
from visiongate.contracts import ModelStore
from visiongate.services import build_services
from visiongate.settings import Settings
from visiongate.types import Box, Detection, DetectorInfo, Device, Image, ModelUse, PredictOptions
from visiongate.web.app import create_app
from visiongate.web.serving.arrival import Arrival

__all__ = ["FaceFinder", "check", "seeds"]

_TOKEN = "~TOKEN~"
"""Stands in seeds and found inputs for a token that is good today."""
_NAME, _PASSWORD = "ann", "correct horse battery staple"
_MOST_REQUESTS = 4
_PEER = "127.0.0.1", 50000


class FaceFinder:
    """Find a face in the middle of every picture, at once."""

    info = DetectorInfo(name="face", task="detection", labels=("face",))
    model: ModelUse | None = None

    def load(self, models: ModelStore, device: Device) -> None:
        """Nothing to load."""

    def predict(
        self, images: Sequence[Image], _options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        return [(_middle(image),) for image in images]


def _middle(image: Image) -> Detection:
    height, width = image.shape[:2]
    return Detection("face", 0.9, Box(width / 4, height / 4, width * 3 / 4, height * 3 / 4))


def seeds() -> list[bytes]:
    """Return whole requests of every kind."""
    picture = mutations.seeds()["PNG-L-0"]
    path = "/api/v1/detect/face"
    form = multipart("x", 80, path, picture, _TOKEN).raw
    head, _, body = form.partition(b"\r\n\r\n")
    bare = b"\r\n".join(line for line in head.split(b"\r\n") if b"Content-Length" not in line)
    chunks = b"%x\r\n%s\r\n%x;note=1\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (
        *(20, body[:20]),
        *(len(body) - 20, body[20:]),
    )
    members = {"image": base64.b64encode(picture).decode(), "min_confidence": "face:0.5,*:0.1"}
    options = json.dumps(members).encode()
    where = '[{"left":0.5,"detect":{"face":0.6}},{"polygon":[[0,0],[1,0],[1,1]]}]'
    region = f"regions={quote(where)}&max_box=0.5,1&annotate=true"
    asked: Iterable[tuple[str, str, bytes, str]] = (
        ("POST", path, picture, "image/png"),
        ("POST", f"{path}?{region}", picture, "application/octet-stream"),
        ("POST", path, options, "application/json"),
        ("POST", "/api/v1/detect", b"file=a&image=b", "application/x-www-form-urlencoded"),
        ("POST", "/?type=face&download=0", picture, "image/png"),
        ("GET", "/api/v1/detectors", b"", ""),
        ("GET", "/api/v1/images?limit=3&cursor=x", b"", ""),
        ("GET", "/api/v1/images/../../users.json", b"", ""),
        ("PATCH", "/api/v1/users/ann", b'{"role": "admin"}', "application/json"),
        ("GET", "/playground/..%2f..%2fpasswd", b"", ""),
        ("OPTIONS", path, b"", ""),
    )
    login = json.dumps({"username": _NAME, "password": _PASSWORD}).encode()
    return [
        form,
        bare + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks,
        form.replace(b'name="file"', b'name="fiel"') + form,
        form.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n", 1),
        prepared("x", 80, "POST", "/api/v1/login", login, "application/json").raw,
        *(prepared("x", 80, *one, _TOKEN).raw for one in asked),
    ]


def check(data: bytes) -> None:
    """Raises: Finding, or whatever the gateway must not let out."""
    data = data.replace(_TOKEN.encode(), _token().encode())
    _check_arrival(data)
    parser = RequestParser(_config(), iter([data]), _PEER)
    for _ in range(_MOST_REQUESTS):
        try:
            request = next(parser)
        except (ParseException, StopIteration, OSError):
            return  # refused by gunicorn, or over
        _check_answer(request)


def _check_answer(request: Any) -> None:
    _, environ = create(request, _Nowhere(), _PEER, ("127.0.0.1", 80), _config())
    told: list[str] = []
    answer = _app()(environ, lambda status, *_: told.append(status))  # type: ignore[arg-type]
    body = b"".join(answer)
    getattr(answer, "close", lambda: None)()
    status = int(told[-1].split()[0])
    if status >= 500:  # of these, what is no fault comes from gunicorn, or from too little room
        raise Finding(f"{request.method} {request.uri}: {status} {body[:500]!r}")


def _check_arrival(data: bytes) -> None:
    whole, pieces = Arrival(1_000_000), Arrival(1_000_000)
    whole.feed(data)
    size = 1 + len(data) % 7
    for start in range(0, len(data), size):
        pieces.feed(data[start : start + size])
    for name in ("has_head", "head", "is_whole", "is_cut", "expects", "size"):
        if getattr(whole, name) != getattr(pieces, name):
            raise Finding(f"{name} is another in pieces of {size} bytes")


class _Nowhere:
    """Where gunicorn would write."""

    def send(self, data: bytes) -> int:
        return len(data)


@lru_cache(1)
def _config() -> Config:
    config = Config()
    config.set("http_parser", "python")  # as the gateway has it
    return config


@lru_cache(1)
def _app() -> flask.Flask:
    folder = Path(tempfile.mkdtemp(prefix="visiongate-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    values: dict[str, Any] = {
        "data_dir": folder / "data",
        "images_dir": folder / "images",
        "retention": "off",
        "bcrypt_rounds": 4,
        "access_token_seconds": 86400,
        "login_rate_per_user": "1000000 per minute",
        "login_rate_per_address": "1000000 per minute",
        "log_level": "error",
        "preload": False,
    }
    settings = Settings(**values)
    built_in = registry.BUILTIN
    registry.BUILTIN = {"face": f"{__name__}:FaceFinder"}
    try:
        services = build_services(settings)
    finally:
        registry.BUILTIN = built_in
    atexit.register(services.close)
    services.users.create(_NAME, _PASSWORD)
    return create_app(settings, services)


@lru_cache(1)
def _token() -> str:
    body = {"username": _NAME, "password": _PASSWORD}
    answer = _app().test_client().post("/api/v1/login", json=body)
    return str(answer.get_json()["access_token"])
