"""Health, liveness and readiness, without a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import FakeDetector
from visiongate import __version__
from visiongate.errors import ModelUnavailable, VisiongateError
from visiongate.services import Services

Detectors = dict[str, FakeDetector]
PREFIXES = pytest.mark.parametrize("prefix", ["", "/api/v1"])


def load(services: Services) -> None:
    for entry in services.registry:
        try:
            services.detector(entry)
        except VisiongateError:
            continue


@PREFIXES
def test_health_has_what_older_clients_read(client: FlaskClient, prefix: str) -> None:
    answer = client.get(f"{prefix}/health")
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["status"] == "healthy"
    assert body["ml_libs_available"] is True
    assert body["version"] == __version__
    assert body["detectors"]["face"] == "registered"


def test_health_stays_while_one_detector_answers_and_names_the_rest(
    client: FlaskClient, services: Services, detectors: Detectors
) -> None:
    detectors["object"].fails = RuntimeError("/home/secret")
    load(services)
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json()["detectors"]["object"] == "unavailable"
    assert answer.get_json()["detectors"]["face"] == "ready"
    assert "secret" not in answer.text


def test_health_ends_when_no_detector_can_answer(
    client: FlaskClient, services: Services, detectors: Detectors
) -> None:
    for one in detectors.values():
        one.fails = RuntimeError("broken")
    load(services)
    answer = client.get("/health")
    assert answer.status_code == 503
    assert answer.get_json()["status"] == "unhealthy"
    assert answer.get_json()["ml_libs_available"] is False
    assert client.get("/health/live").status_code == 200


@PREFIXES
def test_live(client: FlaskClient, prefix: str) -> None:
    assert client.get(f"{prefix}/health/live").get_json() == {"status": "live"}


@PREFIXES
def test_ready_when_every_detector_has_answered_the_probe(
    client: FlaskClient, services: Services, detectors: Detectors, prefix: str
) -> None:
    load(services)
    answer = client.get(f"{prefix}/health/ready")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "ready",
        "detectors": list(detectors),
        "without_model": [],
    }
    assert all(one.seen for one in detectors.values())


def test_missing_weights_are_named_and_hold_nobody_up(
    client: FlaskClient, services: Services, detectors: Detectors
) -> None:
    detectors["gender"].fails = ModelUnavailable("pull it")
    load(services)
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.get_json()["without_model"] == ["gender"]
    assert "gender" not in answer.get_json()["detectors"]


def test_not_ready_where_no_detector_has_its_weights(
    client: FlaskClient, services: Services, detectors: Detectors
) -> None:
    for one in detectors.values():
        one.fails = ModelUnavailable("pull it")
    load(services)
    problem = problem_of(client.get("/health/ready"), 503, "unavailable")
    assert problem["detectors"] == list(detectors)


def test_not_ready_names_the_detectors_and_not_their_secrets(
    client: FlaskClient, services: Services, detectors: Detectors
) -> None:
    detectors["gender"].fails = RuntimeError("/home/secret")
    load(services)
    answer = client.get("/health/ready")
    problem = problem_of(answer, 503, "unavailable")
    assert problem["detectors"] == ["gender"]
    assert "gender" in problem["detail"]
    assert "secret" not in answer.text
    assert int(answer.headers["Retry-After"]) >= 1


def test_detectors_that_are_switched_off_are_not_waited_for(
    make_app: Callable[..., Any], detectors: Detectors
) -> None:
    app = make_app(detectors_disabled=("gender",))
    detectors["gender"].fails = RuntimeError()
    load(app.extensions["visiongate.services"])
    client = app.test_client()
    assert "gender" not in client.get("/health/ready").get_json()["detectors"]
    assert "gender" not in client.get("/health").get_json()["detectors"]
