from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tests.web.fakes import PASSWORD
from visiongate.errors import ConfigurationError
from visiongate.services import Services
from visiongate.types import DetectorReport, DetectorState, Failure, Picture, Report, User
from visiongate.web.metrics import observe_report

MakeUser = Callable[..., User]


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(client: FlaskClient, name: str, **labels: str) -> float:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text).get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_route_and_status(client: FlaskClient) -> None:
    for _ in range(3):
        client.get("/api/v1/me")
    assert (
        value(client, "visiongate_requests_total", method="GET", route="/api/v1/me", status="401")
        == 3
    )
    assert value(client, "visiongate_request_seconds_count", method="GET", route="/api/v1/me") == 3
    assert value(client, "visiongate_errors_total", code="token_missing") == 3


def test_what_clients_make_up_makes_no_new_series(client: FlaskClient) -> None:
    client.get("/a")
    client.get("/b/c?d")
    client.open("/a", method="BREW")
    client.open("/a", method="x" * 100)
    text = client.get("/metrics").text
    routes = {dict(labels).get("route") for (name, labels) in samples(text) if "request" in name}
    assert routes - {None} == {"unmatched"}
    assert (
        value(client, "visiongate_requests_total", method="GET", route="unmatched", status="404")
        == 2
    )
    assert (
        value(client, "visiongate_requests_total", method="other", route="unmatched", status="404")
        == 2
    )


def test_logins_are_counted_by_outcome(
    make_app: Callable[..., Flask],
) -> None:
    app = make_app(login_rate_per_user="3 per minute")
    app.extensions["visiongate.services"].users.create("anna", PASSWORD)
    client = app.test_client()
    good = {"username": "anna", "password": PASSWORD}
    client.post("/api/v1/login", json=good)
    client.post("/api/v1/login", json=good | {"password": "wrong"})
    client.post("/api/v1/login", json=good | {"password": "wrong"})
    client.post("/api/v1/login", json=good)
    client.post("/api/v1/login", json={})
    for outcome, count in {"ok": 1, "wrong": 2, "limited": 1, "malformed": 1}.items():
        assert value(client, "visiongate_logins_total", outcome=outcome) == count


def test_no_user_is_in_the_metrics(
    client: FlaskClient, auth: dict[str, str], services: Services
) -> None:
    client.get("/api/v1/me", headers=auth)
    text = client.get("/metrics").text
    assert "anna" not in text
    assert services.keys.signing().kid not in text


def test_in_flight_counts_the_request_itself_and_ends_with_it(client: FlaskClient) -> None:
    client.get("/nowhere")
    assert value(client, "visiongate_requests_in_flight") == 1


def test_waiting_is_what_the_engine_says(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(services.engine), "waiting", 7)
    assert value(client, "visiongate_queue_waiting") == 7


def test_a_detector_that_cannot_answer_is_told_from_one_that_lacks_weights(
    client: FlaskClient, services: Services
) -> None:
    broken, lacking, sound = list(services.registry)[:3]
    for entry in (broken, lacking):
        entry.state = DetectorState.UNAVAILABLE
    lacking.lacks_model = True
    seen = {
        entry.name: (
            value(client, "visiongate_detector_unavailable", detector=entry.name),
            value(client, "visiongate_detector_without_model", detector=entry.name),
        )
        for entry in (broken, lacking, sound)
    }
    assert seen == {broken.name: (1, 0), lacking.name: (1, 1), sound.name: (0, 0)}


def test_a_report_counts_for_each_detector(
    app: Flask, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = Picture(np.zeros((4, 4, 3), np.uint8), "JPEG")
    report = Report(
        picture,
        (
            DetectorReport("face", None, "CPU", 20.0),
            DetectorReport("gender", None, "CPU", 3.0),
            DetectorReport("object", None, "CPU", 1.0, failure=Failure("model_unavailable", "x")),
        ),
    )

    def view() -> str:
        observe_report(report)
        return "ok"

    app.add_url_rule("/observe", "observe", view)
    client.get("/observe")
    assert '"detectors": ["face", "gender", "object"]' in capsys.readouterr().err
    assert value(client, "visiongate_detector_seconds_count", detector="face") == 1
    assert value(client, "visiongate_detector_seconds_sum", detector="face") == pytest.approx(0.02)
    assert value(client, "visiongate_sensitive_uses_total", detector="gender") == 1
    assert value(client, "visiongate_sensitive_uses_total", detector="face") == 0
    assert (
        value(
            client,
            "visiongate_detector_failures_total",
            detector="object",
            code="model_unavailable",
        )
        == 1
    )


def test_apps_do_not_share_their_counts(make_app: Callable[..., Flask]) -> None:
    one, other = make_app().test_client(), make_app().test_client()
    one.get("/nowhere")
    labels = {"method": "GET", "route": "unmatched", "status": "404"}
    assert value(one, "visiongate_requests_total", **labels) == 1
    assert value(other, "visiongate_requests_total", **labels) == 0


@pytest.mark.parametrize(
    "accept", ["*/*", "application/openmetrics-text; version=x", "text/plain;version=", ","]
)
def test_the_format_is_always_the_same(accept: str, client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert "# TYPE visiongate_requests_total counter" in answer.text


WORKER = """
from visiongate.web.metrics import Metrics
metrics = Metrics()
metrics.logins.labels("ok").inc({amount})
metrics.in_flight.inc({amount})
metrics.detector_seconds.labels("face").observe(0.02)
print(metrics.render().decode())
"""


def test_several_processes_add_up(tmp_path: Path) -> None:
    def work(amount: int) -> dict[Any, float]:
        environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", WORKER.format(amount=amount)],
            env=environ,
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        return samples(done.stdout)

    work(3)
    seen = work(4)
    assert seen["visiongate_logins_total", frozenset({("outcome", "ok")})] == 7
    assert seen["visiongate_requests_in_flight", frozenset()] == 7
    assert seen["visiongate_detector_seconds_count", frozenset({("detector", "face")})] == 2


def test_a_folder_that_comes_too_late_is_said_to(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with pytest.raises(ConfigurationError, match="before the process starts"):
        make_app()
