"""Model cards: as JSON, as Markdown, and where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from tests.web.fakes import FakeDetector
from visiongate.annotate import encode_jpeg
from visiongate.types import ModelCard

Headers = dict[str, str]
CARD = ModelCard(
    "Finding faces at a party.",
    ("Masks fool it.", "Not for anything serious."),
    ("https://models.example.org/face.onnx",),
    {"accuracy": 0.93},
)
URL = "/api/v1/detectors/face/card"


@pytest.fixture
def face(detectors: dict[str, FakeDetector]) -> FakeDetector:
    detectors["face"].card = CARD  # type: ignore[attr-defined]
    return detectors["face"]


def test_a_card_says_what_it_is_for_and_where_it_fails(
    client: FlaskClient, face: FakeDetector, auth: Headers
) -> None:
    answer = client.get(URL, headers=auth)
    assert answer.status_code == 200
    assert answer.get_json() == {
        "detector": "face",
        "description": "",
        "labels": ["face"],
        "sensitive": False,
        "model": None,  # not loaded yet
        "source": ["https://models.example.org/face.onnx"],
        "intended_use": "Finding faces at a party.",
        "limits": ["Masks fool it.", "Not for anything serious."],
        "details": {"accuracy": 0.93},
    }


def test_once_loaded_it_names_the_model(
    client: FlaskClient, face: FakeDetector, auth: Headers
) -> None:
    picture = encode_jpeg(np.zeros((32, 32, 3), np.uint8))
    sent = client.post("/api/v1/detect/face", data=picture, content_type="image/jpeg", headers=auth)
    assert sent.status_code == 200
    assert client.get(URL, headers=auth).get_json()["model"]["name"] == "fake"
    text = client.get(f"{URL}?format=markdown", headers=auth).text
    assert "- Licence: MIT" in text
    assert f"- SHA-256: `{'0' * 64}`" in text


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("", "*/*", "application/json"),
        ("", "application/json", "application/json"),
        ("", "text/markdown", "text/markdown"),
        ("?format=markdown", "*/*", "text/markdown"),
        ("?format=json", "text/markdown", "application/json"),
    ],
)
def test_markdown_where_it_is_asked_for(
    client: FlaskClient,
    face: FakeDetector,
    auth: Headers,
    query: str,
    accept: str,
    media_type: str,
) -> None:
    answer = client.get(URL + query, headers={**auth, "Accept": accept})
    assert answer.mimetype == media_type
    assert "Accept" in answer.headers["Vary"]
    for said in ("Finding faces at a party.", "Masks fool it.", "models.example.org", "0.93"):
        assert said in answer.text


def test_a_page_that_was_written_by_hand_is_answered_as_it_is(
    client: FlaskClient, face: FakeDetector, auth: Headers
) -> None:
    face.card = ModelCard("Parties.", ("Masks.",), markdown="# By hand\n")  # type: ignore[attr-defined]
    answer = client.get(f"{URL}?format=markdown", headers=auth)
    assert answer.text == "# By hand\n"
    assert answer.content_type == "text/markdown; charset=utf-8"


@pytest.mark.parametrize(
    ("url", "status", "code", "said"),
    [
        ("/api/v1/detectors/object/card", 404, "not_found", "offers no model card"),
        ("/api/v1/detectors/faces/card", 404, "detector_unknown", "faces"),
        (f"{URL}?format=html", 400, "option_invalid", "json or markdown, got 'html'"),
        (f"{URL}?fromat=json", 400, "option_unknown", "Did you mean 'format'"),
        (f"{URL}?format=json&format=markdown", 400, "option_invalid", "given twice"),
    ],
)
def test_what_cannot_be_answered_says_why(
    client: FlaskClient,
    face: FakeDetector,
    auth: Headers,
    url: str,
    status: int,
    code: str,
    said: str,
) -> None:
    answer = client.get(url, headers=auth)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert said in answer.get_json()["detail"]


def test_what_is_no_card_is_not_answered_as_one(
    client: FlaskClient, detectors: dict[str, Any], auth: Headers
) -> None:
    detectors["object"].card = {"intended_use": "anything"}
    assert client.get("/api/v1/detectors/object/card", headers=auth).status_code == 404


def test_it_needs_a_token(client: FlaskClient, face: FakeDetector) -> None:
    assert client.get(URL).status_code == 401


@pytest.mark.parametrize(("use", "limits"), [("", ("Masks.",)), ("Parties.", ())])
def test_a_card_states_its_use_and_its_limits(use: str, limits: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="intended use, and its limits"):
        ModelCard(use, limits)
