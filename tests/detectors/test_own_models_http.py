"""Models of the operator's own, named in ``visiongate.toml``, answering through the gateway."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow
from werkzeug.test import TestResponse

from tests.detectors.networks import one_yolox_thing, save_constant, ssd_rows
from visiongate import registry
from visiongate.services import build_services
from visiongate.settings import load_settings
from visiongate.web.app import create_app

# Keras files are converted by TensorFlow, which a busy machine takes minutes to start.
pytestmark = pytest.mark.timeout(900)

CONFIG = """
offline = true
preload = false
bcrypt_rounds = 4
retention = "off"
open_routes = ["/classify", "/predict"]

[detectors.face]
model = "faces.onnx"
format = "ssd"

[detectors.object]
model = "tools.onnx"
format = "yolox"
labels = ["hammer", "saw"]

[detectors.classify]
model = "colours.tflite"
labels = "colours.txt"
scaling = "0..1"
top = 2

[detectors.gender]
model = "gender.keras"
labels = ["male", "female", "neither"]
scaling = "0..1"

[detectors.ethnicity]
model = "ethnicity_cnn_model.h5"
labels = ["White", "Black", "Asian"]
scaling = "0..1"
"""


@pytest.fixture(scope="module")
def client(nets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """A client, logged in, of a gateway in whose project's folder lie five networks."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "visiongate.toml").write_text(CONFIG)
    shutil.copy(nets / "net.h5", folder / "ethnicity_cnn_model.h5")
    shutil.copy(nets / "net.keras", folder / "gender.keras")
    shutil.copy(nets / "net.tflite", folder / "colours.tflite")
    (folder / "colours.txt").write_text("red\ngreen\nblue\n")
    save_constant(folder / "tools.onnx", (64, 64), one_yolox_thing(2, 1))
    save_constant(folder / "faces.onnx", (32, 32), ssd_rows((0.9, 0.25, 0.25, 0.75, 0.75)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        services = build_services(load_settings())
        for entry in services.registry:
            # As at a start; a first conversion takes longer than a request may wait.
            services.detector(entry)
        services.users.create("ann", "correct horse battery")
        client = create_app(services.settings, services).test_client()
        given = {"username": "ann", "password": "correct horse battery"}
        token = client.post("/api/v1/login", json=given).get_json()["access_token"]
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        yield client
        services.close()


def picture(colour: tuple[int, int, int]) -> bytes:
    stream = BytesIO()
    Pillow.new("RGB", (128, 128), colour).save(stream, "JPEG", quality=95)
    return stream.getvalue()


def send(client: FlaskClient, url: str, data: bytes) -> TestResponse:
    return client.post(url, data={"image": (BytesIO(data), "1.jpg")})


def test_a_keras_file_answers_the_ethnicity_classifiers_clients(client: FlaskClient) -> None:
    answer = send(client, "/predict", picture((20, 20, 250)))
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said["ethnicity"] == "Asian"  # the third label, for the third channel
    assert said["confidence"] > 0.95
    assert "warnings" not in said  # the face was found by the face network
    assert send(client, "/predict", picture((250, 20, 20))).get_json()["ethnicity"] == "White"


def test_a_file_of_keras_3_answers_the_gender_classifiers_clients(client: FlaskClient) -> None:
    answer = send(client, "/classify", picture((20, 250, 20)))
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert said["success"] is True
    assert said["gender"] == "female"
    assert said["confidence"] > 0.95


def test_a_tflite_file_classifies(client: FlaskClient) -> None:
    answer = send(client, "/api/v1/detect/classify", picture((20, 250, 90)))
    assert answer.status_code == 200, answer.text
    assert [one["label"] for one in answer.get_json()] == ["green", "blue"]


def test_an_onnx_file_finds_things(client: FlaskClient) -> None:
    answer = send(client, "/api/v1/detect/object", picture((0, 0, 0)))
    assert answer.status_code == 200, answer.text
    assert answer.get_json() == [
        {"type": "saw", "label": "saw", "confidence": "90.00%", "box": [32, 32, 96, 96]}
    ]


def test_the_full_report_names_the_files(client: FlaskClient) -> None:
    url = "/api/v1/detect?detectors=face,ethnicity,gender,object,classify"
    report = send(client, url, picture((20, 250, 20))).get_json()
    face = next(one for one in report["detections"] if one["detector"] == "face")
    assert face["attributes"]["ethnicity"]["label"] == "Black"
    assert {one["name"]: one["model"]["name"] for one in report["detectors"]} == {
        "face": "faces.onnx",
        "ethnicity": "ethnicity_cnn_model.h5",
        "gender": "gender.keras",
        "classify": "colours.tflite",
        "object": "tools.onnx",
    }


@pytest.mark.parametrize("name", registry.BUILTIN)
def test_every_detector_has_a_card(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/api/v1/detectors/{name}/card")
    assert answer.status_code == 200, answer.text
    card = answer.get_json()
    assert card["intended_use"]
    assert card["limits"]
    assert card["source"]


def test_the_card_of_a_sensitive_detector_states_its_limits(client: FlaskClient) -> None:
    card = client.get("/api/v1/detectors/ethnicity/card").get_json()
    assert card["sensitive"]
    limits = " ".join(card["limits"])
    for said in ("apparent, not actual", "social construct", "hiring, policing, surveillance"):
        assert said in limits
    assert "a file of the operator's own" in card["source"][0]
