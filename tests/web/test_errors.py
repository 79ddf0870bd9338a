from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, abort, request
from flask.testing import FlaskClient
from flask_restful import Resource
from werkzeug.exceptions import default_exceptions

from tests.web.checks import problem_of
from visiongate.errors import (
    BadRequest,
    ConfigurationError,
    DetectorUnknown,
    Overloaded,
    TokenInvalid,
    TokenMissing,
    VisiongateError,
    all_errors,
)
from visiongate.web.api import api_of

SECRET = "/home/operator/secret.txt"

Raiser = Callable[[Exception | int], None]


@pytest.fixture(params=["plain route", "resource"])
def raising(request: pytest.FixtureRequest, app: Flask) -> Raiser:
    """Return a function that says what GET /raise raises, or with which status it aborts."""
    chosen: list[Exception | int] = []

    def fail() -> Any:
        what = chosen.pop()
        if isinstance(what, int):
            abort(what)
        raise what

    if request.param == "plain route":
        app.add_url_rule("/raise", "raise", fail)
    else:
        resource = type("Raise", (Resource,), {"get": lambda self: fail()})
        api_of(app).add_resource(resource, "/raise")
    return chosen.append


@pytest.mark.parametrize("cls", list(all_errors()), ids=lambda cls: cls.__name__)
def test_every_error_of_ours_is_a_problem_document(
    cls: type[VisiongateError], raising: Raiser, client: FlaskClient
) -> None:
    raising(cls("What happened, and what to do."))
    document = problem_of(client.get("/raise"), cls.status)
    if cls.status == 500:
        assert document["code"] == "internal_error"
        assert "What happened" not in document["detail"]
    else:
        assert document["code"] == cls.code
        assert document["title"] == cls.title
        assert document["detail"] == "What happened, and what to do."


@pytest.mark.parametrize("status", sorted(default_exceptions))
def test_every_error_of_the_framework_is_a_problem_document(
    status: int, raising: Raiser, client: FlaskClient
) -> None:
    raising(status)
    document = problem_of(client.get("/raise"), status)
    assert document["code"] in {cls.code for cls in all_errors()}


def test_an_unforeseen_error_tells_the_log_and_nobody_else(
    raising: Raiser, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    raising(RuntimeError(f"cannot read {SECRET}"))
    answer = client.get("/raise")
    document = problem_of(answer, 500, "internal_error")
    assert SECRET not in answer.text
    assert document["request_id"] in document["detail"]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (told,) = [line for line in lines if "exception" in line]
    assert told["request_id"] == document["request_id"]
    assert "Traceback" in told["exception"]
    assert SECRET in told["exception"]


def test_a_configuration_error_in_a_request_tells_no_path(
    raising: Raiser, client: FlaskClient
) -> None:
    raising(ConfigurationError(f"{SECRET} is damaged"))
    answer = client.get("/raise")
    problem_of(answer, 500, "internal_error")
    assert SECRET not in answer.text


def test_debug_mode_answers_problem_documents_too(
    app: Flask, raising: Raiser, client: FlaskClient
) -> None:
    app.debug = True
    raising(ZeroDivisionError())
    problem_of(client.get("/raise"), 500, "internal_error")


def test_unknown_route(client: FlaskClient) -> None:
    problem_of(client.get("/nowhere"), 404, "not_found")


def test_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.get("/api/v1/login")
    document = problem_of(answer, 405, "method_not_allowed")
    assert "POST" in document["detail"]
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_extra_members_stand_beside_the_standard_ones(raising: Raiser, client: FlaskClient) -> None:
    raising(DetectorUnknown("No.", extra={"detectors": ["face"], "status": 200, "code": "fine"}))
    document = problem_of(client.get("/raise"), 404, "detector_unknown")
    assert document["detectors"] == ["face"]


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (2.1, "3"), (None, None)])
def test_retry_after_is_whole_seconds(
    seconds: float | None, header: str | None, raising: Raiser, client: FlaskClient
) -> None:
    raising(Overloaded("Full.", retry_after=seconds))
    assert client.get("/raise").headers.get("Retry-After") == header


def test_401_challenges_for_a_bearer_token(raising: Raiser, client: FlaskClient) -> None:
    raising(TokenMissing())
    assert client.get("/raise").headers["WWW-Authenticate"] == 'Bearer realm="visiongate"'
    raising(TokenInvalid())
    challenge = client.get("/raise").headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="visiongate", error="invalid_token", ')


def test_details_may_speak_any_language(raising: Raiser, client: FlaskClient) -> None:
    raising(BadRequest("Größe: \U0001f4f7 \ud800 \r\nSet-Cookie: a=b"))
    answer = client.get("/raise")
    assert "Größe" in problem_of(answer, 400)["detail"]
    assert "Set-Cookie" not in answer.headers


def test_a_body_over_the_limit_is_413(app: Flask, client: FlaskClient) -> None:
    app.add_url_rule("/read", "read", lambda: request.get_data(), methods=["POST"])
    body = b"x" * (int(app.config["MAX_CONTENT_LENGTH"]) + 1)
    problem_of(client.post("/read", data=body), 413, "request_too_large")


def test_errors_carry_the_careful_headers(client: FlaskClient) -> None:
    headers = client.get("/nowhere").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"login_rate_per_user": "\uff11\uff10 per minute"}, "LOGIN_RATE_PER_USER"),
        ({"rate_limit_storage": "nonsense://here"}, "RATE_LIMIT_STORAGE"),
    ],
)
def test_a_setting_that_cannot_be_used_is_an_error_at_start(
    changes: dict[str, Any], named: str, make_app: Callable[..., Flask]
) -> None:
    with pytest.raises(ConfigurationError, match=f"VISIONGATE_{named}"):
        make_app(**changes)
