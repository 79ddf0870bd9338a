"""The clients of four earlier services, by their own requests and error cases."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.fakes import FakeDetector
from visiongate.errors import ModelUnavailable
from visiongate.services import Services
from visiongate.types import Box, Detection, Image, PredictOptions
from visiongate.web.compat import ROUTES

Headers = dict[str, str]
Detectors = dict[str, FakeDetector]
Found = list[tuple[Detection, ...]]


def picture(format_: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (80, 60), (20, 30, 120)).save(buffer, format_)
    return buffer.getvalue()


JPEG = picture()
DATA_URI = "data:image/jpeg;base64," + base64.b64encode(JPEG).decode()


def post(
    client: FlaskClient, route: str, headers: Headers, data: bytes = JPEG, name: str = "a.jpg"
) -> Any:
    """Send as curl -F "image=@a.jpg" does."""
    return client.post(route, headers=headers, data={"image": (io.BytesIO(data), name)})


def says(detector: FakeDetector, *found: Detection) -> None:
    """Have the fake answer this for every picture."""

    def predict(images: list[Image], options: PredictOptions) -> Found:
        return [found for _ in images]

    detector.predict = predict  # type: ignore[method-assign,assignment]


def refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/json"
    body: dict[str, Any] = answer.get_json()
    return body


class TestClassify:
    @pytest.mark.parametrize("text", [DATA_URI, DATA_URI.partition(",")[2]])
    def test_with_and_without_the_prefix(
        self, client: FlaskClient, auth: Headers, text: str
    ) -> None:
        answer = client.post("/classify", headers=auth, json={"image": text})
        assert answer.get_json() == {"success": True, "gender": "male", "confidence": 0.9}

    @pytest.mark.parametrize("body", [{}, {"image": None}, {"picture": DATA_URI}])
    def test_without_a_picture(self, client: FlaskClient, auth: Headers, body: Any) -> None:
        answer = client.post("/classify", headers=auth, json=body)
        assert refused(answer, 400) == {"success": False, "error": "Image data is required"}

    def test_without_a_body(self, client: FlaskClient, auth: Headers) -> None:
        answer = client.post("/classify", headers=auth)
        assert refused(answer, 400) == {"success": False, "error": "Image data is required"}

    @pytest.mark.parametrize("text", ["%%%", "data:image/jpeg;base64,aGVsbG8=", DATA_URI[:99]])
    def test_what_is_no_picture(self, client: FlaskClient, auth: Headers, text: str) -> None:
        body = refused(client.post("/classify", headers=auth, json={"image": text}), 400)
        assert body["success"] is False
        assert body["error"]

    def test_too_large(self, client: FlaskClient, auth: Headers) -> None:
        text = base64.b64encode(bytes(5_000_001)).decode()
        body = refused(client.post("/classify", headers=auth, json={"image": text}), 413)
        assert body["success"] is False
        assert "5000000" in body["error"]


class TestGender:
    def test_the_documented_answer(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        chances = {"female": 0.8, "male": 0.2}
        whole = Box(0, 0, 32, 32)
        says(detectors["gender"], Detection("female", 0.8, whole, probabilities=chances))
        answer = post(client, "/api/gender", auth).get_json()
        meta = answer["predictions"].pop("meta")
        assert answer == {
            "predictions": {
                "class": "female",
                "label": 0,
                "predictions": [
                    {"class": "female", "label": 0, "probability": 0.8},
                    {"class": "male", "label": 1, "probability": 0.2},
                ],
                "probability": 0.8,
            },
            "success": True,
        }
        assert meta == {"model": "fake", "box": [20, 15, 60, 45], "width": 80, "height": 60}

    def test_a_model_that_gives_no_probabilities(self, client: FlaskClient, auth: Headers) -> None:
        said = post(client, "/api/gender", auth).get_json()["predictions"]
        assert (said["class"], said["label"], said["probability"]) == ("male", 1, 0.9)
        assert [one["probability"] for one in said["predictions"]] == [0.1, 0.9]

    def test_an_answer_that_is_neither(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        chances = {"female": 0.5, "male": 0.5}
        unsure = Detection("unknown", 0.5, Box(0, 0, 32, 32), probabilities=chances)
        says(detectors["gender"], unsure)
        said = post(client, "/api/gender", auth).get_json()["predictions"]
        assert (said["class"], said["label"]) == ("unknown", None)

    def test_errors(self, client: FlaskClient, auth: Headers) -> None:
        expected = {"success": False, "error": "No image provided"}
        assert refused(client.post("/api/gender", headers=auth), 400) == expected
        assert refused(post(client, "/api/gender", auth, b"hello"), 400)["success"] is False


class TestPredict:
    @pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "blob"])
    def test_the_documented_answer(self, client: FlaskClient, auth: Headers, name: str) -> None:
        answer = post(client, "/predict", auth, name=name)
        assert answer.get_json() == {"ethnicity": "White", "confidence": 0.9}

    def test_no_picture(self, client: FlaskClient, auth: Headers) -> None:
        assert refused(client.post("/predict", headers=auth), 400) == {"error": "No image provided"}
        answer = client.post("/predict", headers=auth, data={"other": (io.BytesIO(JPEG), "a.jpg")})
        assert refused(answer, 400) == {"error": "No image provided"}

    @pytest.mark.parametrize(
        ("data", "name"), [(JPEG, "a.png"), (picture("PNG"), "a.jpg"), (b"hello", "a.jpeg")]
    )
    def test_other_formats(
        self, client: FlaskClient, auth: Headers, data: bytes, name: str
    ) -> None:
        answer = post(client, "/predict", auth, data, name)
        assert refused(answer, 400) == {"error": "Only JPG/JPEG images are allowed"}

    @pytest.mark.parametrize("data", [JPEG[:200], JPEG[:3], JPEG[:3] + bytes(500)])
    def test_a_corrupt_one_is_never_a_500(
        self, client: FlaskClient, auth: Headers, data: bytes
    ) -> None:
        assert set(refused(post(client, "/predict", auth, data), 400)) == {"error"}


class TestUpload:
    @pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
    def test_the_three_likeliest(
        self, client: FlaskClient, auth: Headers, detectors: Detectors, format_: str
    ) -> None:
        whole = Box(0, 0, 80, 60)
        named = ("soccer ball", 0.4151712), ("dog", 0.3), ("cat", 0.01), ("cup", 0.001)
        says(detectors["classify"], *(Detection(label, p, whole) for label, p in named))
        answer = post(client, "/upload", auth, picture(format_), "a.jpg")
        assert answer.get_json() == {
            "prediction_1": {"confidence_level": 0.41517, "predicted_label": "soccer ball"},
            "prediction_2": {"confidence_level": 0.3, "predicted_label": "dog"},
            "prediction_3": {"confidence_level": 0.01, "predicted_label": "cat"},
        }

    def test_errors(self, client: FlaskClient, auth: Headers) -> None:
        assert refused(client.post("/upload", headers=auth), 400) == {"error": "No image provided"}
        assert refused(post(client, "/upload", auth, b"hello"), 400)["error"]


class TestFaces:
    def test_the_largest_counts(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        small = Detection("face", 0.99, Box(0, 0, 10, 10))
        large = Detection("face", 0.7, Box(20, 10, 70, 60))
        says(detectors["face"], small, large)
        meta = post(client, "/api/gender", auth).get_json()["predictions"]["meta"]
        assert meta["box"] == [20, 10, 70, 60]

    @pytest.mark.parametrize("route", ["/classify", "/api/gender", "/predict"])
    def test_without_one_the_whole_picture_is_judged_and_that_is_said(
        self, client: FlaskClient, auth: Headers, detectors: Detectors, route: str
    ) -> None:
        says(detectors["face"])
        answer = post(client, route, auth)
        assert answer.status_code == 200
        assert "whole picture" in answer.get_json()["warnings"][0]


class TestAllRoutes:
    @pytest.fixture(params=list(ROUTES))
    def route(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_keep_nothing(
        self, client: FlaskClient, auth: Headers, services: Services, route: str
    ) -> None:
        assert post(client, route, auth).status_code == 200
        assert services.pictures is not None
        assert services.pictures.list() == []

    def test_need_a_token(self, client: FlaskClient, route: str) -> None:
        answer = post(client, route, {})
        assert refused(answer, 401)["error"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_are_open_where_the_operator_says_so(
        self, make_app: Callable[..., Flask], route: str
    ) -> None:
        client = make_app(open_routes=(route,)).test_client()
        for one in ROUTES:
            assert post(client, one, {}).status_code == (200 if one == route else 401)
        answer = post(client, route, {"Authorization": "Bearer nonsense"})
        refused(answer, 401)

    def test_answer_the_browsers_of_listed_origins(
        self, make_app: Callable[..., Flask], route: str
    ) -> None:
        app = make_app(open_routes=(route,), cors_origins=("https://a.example",))
        origin = {"Origin": "https://a.example"}
        answer = post(app.test_client(), route, origin)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
        preflight = app.test_client().options(
            route, headers={**origin, "Access-Control-Request-Method": "POST"}
        )
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]

    def test_say_in_their_own_shape_that_a_model_is_missing(
        self, client: FlaskClient, auth: Headers, detectors: Detectors, route: str
    ) -> None:
        assert post(client, route, auth).status_code == 200
        for detector in detectors.values():
            detector.fails = ModelUnavailable("Run pull.")
        assert refused(post(client, route, auth), 503)["error"] == "Run pull."

    def test_do_not_hide_what_went_wrong_inside(
        self, client: FlaskClient, auth: Headers, detectors: Detectors, route: str
    ) -> None:
        assert post(client, route, auth).status_code == 200
        for detector in detectors.values():
            detector.fails = RuntimeError("/home/secret")
        body = refused(post(client, route, auth), 503)
        assert "secret" not in body["error"]

    def test_two_pictures(self, client: FlaskClient, auth: Headers, route: str) -> None:
        both = {"image": (io.BytesIO(JPEG), "a.jpg"), "file": (io.BytesIO(JPEG), "b.jpg")}
        refused(client.post(route, headers=auth, data=both), 400)


@pytest.mark.parametrize("route", ["/classify", "/api/gender", "/predict", "/upload"])
class TestNotThereYet:
    @pytest.fixture
    def detectors(self, detectors: Detectors) -> Detectors:
        return {name: one for name, one in detectors.items() if name in ("face", "object")}

    def test_is_501(self, client: FlaskClient, auth: Headers, route: str) -> None:
        assert "detector" in refused(post(client, route, auth), 501)["error"]
