"""A gateway as it is first installed, on a machine that cannot fetch any weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from visiongate.services import build_services
from visiongate.settings import Settings
from visiongate.web.app import create_app

LOGIN = {"username": "ann", "password": "correct horse battery"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("VISIONGATE_MODEL_MIRROR", raising=False)
        settings = Settings(
            data_dir=folder / "data", images_dir=folder / "images", offline=True, bcrypt_rounds=4
        )
        services = build_services(settings)
        services.users.create(**LOGIN)
        client = create_app(settings, services).test_client()
        token = client.post("/api/v1/login", json=LOGIN).get_json()["access_token"]
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        yield client
        services.close()


def ask(client: FlaskClient, photo: Path, route: str) -> Any:
    url = f"/api/v1/{route}"
    return client.post(url, data=photo.read_bytes(), content_type="image/jpeg")


def test_objects_answer_503_with_the_three_ways_out(client: FlaskClient, photos: Path) -> None:
    answer = ask(client, photos / "man_obama.jpg", "detect/object?delete=true")
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (503, "model_unavailable")
    for way in (
        "python -m visiongate.models pull picodet_s_416_coco",
        "MODEL_MIRROR",
        "people-hog",
    ):
        assert way in problem["detail"]


def test_the_other_detectors_answer_and_the_report_has_the_problem(
    client: FlaskClient, photos: Path
) -> None:
    route = "detect?detectors=object,face,classify&delete=true"
    answer = ask(client, photos / "man_obama.jpg", route)
    assert answer.status_code == 200
    report = answer.get_json()
    assert [one["label"] for one in report["detections"]] == ["face"]
    failures = {one["name"]: one["failure"] for one in report["detectors"]}
    assert failures["face"] is None
    for name, model in (("object", "picodet_s_416_coco"), ("classify", "mobilenet")):
        assert failures[name]["code"] == "model_unavailable"
        assert f"pull {model}" in failures[name]["detail"]


def test_it_is_ready_and_names_what_has_no_weights(client: FlaskClient, photos: Path) -> None:
    every = [one["name"] for one in client.get("/api/v1/detectors").get_json()["detectors"]]
    # Asking has loaded them, as far as they can be loaded.
    ask(client, photos / "man_obama.jpg", f"detect?detectors={','.join(every)}&delete=true")
    answer = client.get("/health/ready")
    assert answer.status_code == 200, answer.text
    ready = answer.get_json()
    assert ready["without_model"] == ["object", "classify"]
    assert ready["detectors"] == [name for name in every if name not in ready["without_model"]]


def test_the_detectors_say_what_would_help(client: FlaskClient, photos: Path) -> None:
    ask(client, photos / "man_obama.jpg", "detect/object")
    described = client.get("/api/v1/detectors/object").get_json()
    assert described["state"] == "unavailable"
    assert "pull picodet_s_416_coco" in described["reason"]
    assert "people-hog" in described["reason"]
    assert len(described["labels"]) == 80
