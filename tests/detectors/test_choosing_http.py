"""Regions, sizes and confidences by label over HTTP, on a photograph, by the real network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from visiongate.services import build_services
from visiongate.settings import Settings
from visiongate.web.app import create_app

PASSWORD = "correct horse battery"

# Darknet's own picture, 768 x 576: a dog at the left, a bicycle behind it, a pickup, which the
# network calls a car, at the top right.
DOG = (128 / 768, 224 / 576, 312 / 768, 537 / 576)
EVERYTHING = {"dog", "bicycle", "car"}


@pytest.fixture(scope="module")
def client(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("gateway")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings = Settings(
            data_dir=folder / "data",
            images_dir=folder / "images",
            model_mirror=str(weights),
            offline=True,
            preload=False,
            retention="off",
            bcrypt_rounds=4,
            detectors={"object": {"model": "picodet_s_416_coco"}},
        )
        services = build_services(settings)
        services.detector(services.registry.get("object"))
        services.users.create("ann", PASSWORD)
        client = create_app(settings, services).test_client()
        login = {"username": "ann", "password": PASSWORD}
        token = client.post("/api/v1/login", json=login).get_json()["access_token"]
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        yield client
        services.close()


def labels(client: FlaskClient, photo: Path, **options: Any) -> list[str]:
    query = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in options.items()
    }
    answer = client.post(
        "/api/v1/detect/object", data=photo.read_bytes(), query_string=query, content_type="image/*"
    )
    assert answer.status_code == 200, answer.text
    return [one["label"] for one in answer.get_json()]


def around(box: tuple[float, ...], margin: float) -> dict[str, Any]:
    sides = zip(("left", "top", "right", "bottom"), box, (-1, -1, 1, 1), strict=True)
    return {side: min(max(at + sign * margin, 0.0), 1.0) for side, at, sign in sides}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, EVERYTHING),
        ({"regions": [{"covers": True}]}, EVERYTHING),
        ({"regions": [{**around(DOG, 0.05), "covers": True}]}, {"dog"}),
        ({"regions": [{**around(DOG, -0.05), "covers": True}]}, set()),
        ({"regions": [{**around(DOG, -0.05), "labels": ["dog", "car"]}]}, {"dog"}),
        ({"regions": [{"polygon": [[0.4, 0], [1, 0], [1, 0.6]]}]}, {"bicycle", "car"}),
        ({"regions": [{"polygon": [[0.76, 0], [1, 0], [1, 0.6]]}]}, {"car"}),
        ({"regions": [{"top": 0.96}]}, set()),
        ({"min_confidence": {"dog": 1, "*": 0.5}}, {"bicycle", "car"}),
        ({"min_confidence": "car:0.5,*:1"}, {"car"}),
        ({"min_box": "0.3,0.4"}, {"bicycle"}),
        ({"max_box": "0.4"}, {"car"}),
    ],
)
def test_what_is_chosen_of_a_photograph(
    client: FlaskClient, photos: Path, options: dict[str, Any], found: set[str]
) -> None:
    assert set(labels(client, photos / "dog_bicycle_truck.jpg", **options)) == found


def test_a_low_confidence_in_one_region_finds_more_there_and_nothing_elsewhere(
    client: FlaskClient, photos: Path
) -> None:
    photo = photos / "road_cars.jpg"
    usual = labels(client, photo)
    unsure = labels(client, photo, min_confidence="0.1")
    assert len(unsure) > len(usual) > 0
    left, right = (
        labels(client, photo, regions=[{**half, "detect": {"*": 0.1}}])
        for half in ({"right": 0.5}, {"left": 0.5})
    )
    assert len(usual) < len(left) + len(right)
    assert len(left) < len(unsure)
    assert len(right) < len(unsure)
    # What lies across the middle is in both; nothing is lost.
    assert len(left) + len(right) >= len(unsure)
