from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from flask import Flask, g
from flask.testing import FlaskClient

from tests.web.fakes import PASSWORD, bearer
from visiongate.types import User
from visiongate.web.logging import configure, gunicorn_logger, note

MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]
Capture = pytest.CaptureFixture[str]


def lines(capsys: Capture) -> list[dict[str, Any]]:
    """Return what was logged; each line must be JSON by itself."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def request_line(capsys: Capture) -> dict[str, Any]:
    (line,) = [line for line in lines(capsys) if line["event"] == "request"]
    return line


def test_a_request_is_one_line(client: FlaskClient, auth: dict[str, str], capsys: Capture) -> None:
    capsys.readouterr()
    answer = client.get("/api/v1/me?page=secret", headers=auth)
    line = request_line(capsys)
    assert line["method"] == "GET"
    assert line["route"] == "/api/v1/me"
    assert line["status"] == 200
    assert line["user"] == "anna"
    assert line["ms"] > 0
    assert line["bytes_out"] == len(answer.data)
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")
    assert "code" not in line


def test_a_refused_request_tells_its_code(client: FlaskClient, capsys: Capture) -> None:
    client.get("/api/v1/me")
    line = request_line(capsys)
    assert (line["status"], line["code"], line["user"]) == (401, "token_missing", None)


def test_paths_are_templates(client: FlaskClient, auth: dict[str, str], capsys: Capture) -> None:
    capsys.readouterr()
    client.get("/api/v1/images/0123456789abcdef", headers=auth)
    client.get("/no/such/secret?token=abc")
    err = capsys.readouterr().err
    routes = [json.loads(line)["route"] for line in err.splitlines()]
    assert routes[0] == "/api/v1/images/{picture_id}"
    assert routes[1] == "unmatched"
    assert "secret" not in err
    assert "0123456789abcdef" not in err


def test_no_secret_gets_into_the_log(
    make_user: MakeUser, login: Login, client: FlaskClient, app: Flask, capsys: Capture
) -> None:
    tokens: dict[str, Any] = {}

    def fail() -> str:
        raise RuntimeError("it failed")

    def leak() -> str:
        raise KeyError(tokens["access_token"])

    app.add_url_rule("/fail", "fail", fail, methods=["POST"])
    app.add_url_rule("/leak", "leak", leak)
    make_user()
    tokens.update(login())
    headers = bearer(tokens["access_token"])
    client.post("/api/v1/login", json={"username": PASSWORD, "password": "wrong-" + PASSWORD})
    client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
    client.post("/fail", headers=headers, data=b"picture" * 10)
    client.get("/leak", headers=headers)
    client.get(f"/api/v1/me?jwt={tokens['access_token']}", headers=headers)
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    assert "[token]" in err
    for secret in (PASSWORD, "picturepicture", *tokens.values()):
        if isinstance(secret, str) and secret != "Bearer":
            assert secret not in err


@pytest.mark.parametrize("given", ["abc", "A.b-c_1", "x" * 64])
def test_a_sane_request_id_is_kept(given: str, client: FlaskClient, capsys: Capture) -> None:
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given
    assert answer.get_json()["request_id"] == given
    assert request_line(capsys)["request_id"] == given


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", 'a"b', "a,b", "\xe9", "../x", "a\tb"], ids=ascii
)
def test_any_other_request_id_is_replaced(given: str, client: FlaskClient) -> None:
    answer = client.get("/nowhere", headers={"X-Request-ID": given})
    made = answer.headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32
    assert made != client.get("/nowhere").headers["X-Request-ID"]


def test_routes_add_to_their_line(app: Flask, client: FlaskClient, capsys: Capture) -> None:
    def view() -> str:
        note(detectors=["face"])
        g.user = User("eva", "hash")
        return "ok"

    app.add_url_rule("/noted", "noted", view)
    client.get("/noted")
    line = request_line(capsys)
    assert (line["detectors"], line["user"]) == (["face"], "eva")
    client.get("/nowhere")
    assert "detectors" not in request_line(capsys)


def test_the_standard_library_writes_json_too(
    app: Flask, client: FlaskClient, capsys: Capture
) -> None:
    def view() -> str:
        logging.getLogger("some.library").warning("two\nlines: %s", "x")
        structlog.get_logger("visiongate.some").warning("ours", number=3)
        return "ok"

    app.add_url_rule("/logs", "logs", view)
    answer = client.get("/logs")
    theirs, ours, _request = lines(capsys)
    assert (theirs["event"], theirs["logger"], theirs["level"]) == (
        "two\nlines: x",
        "some.library",
        "warning",
    )
    assert (ours["event"], ours["number"]) == ("ours", 3)
    assert theirs["request_id"] == ours["request_id"] == answer.headers["X-Request-ID"]


def test_a_request_id_ends_with_its_request(client: FlaskClient, capsys: Capture) -> None:
    client.get("/health")
    capsys.readouterr()
    logging.getLogger("some.library").warning("later")
    (line,) = lines(capsys)
    assert "request_id" not in line


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_the_level_comes_from_the_settings(
    level: str, make_app: Callable[..., Flask], capsys: Capture
) -> None:
    client = make_app(log_level=level).test_client()
    capsys.readouterr()
    client.get("/health")
    logger = logging.getLogger("visiongate.some")
    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)(name)
    events = {line["event"] for line in lines(capsys)}
    order = ["debug", "info", "warning", "error"]
    assert events - {"request"} == set(order[order.index(level) :])
    assert ("request" in events) == (level in ("debug", "info"))


def test_configuring_twice_writes_once(capsys: Capture) -> None:
    configure("info")
    configure("info")
    logging.getLogger("visiongate.some").warning("once")
    assert len(lines(capsys)) == 1


def test_gunicorn_writes_json_too(capsys: Capture) -> None:
    config = pytest.importorskip("gunicorn.config").Config()
    logger = gunicorn_logger()(config)
    logger.info("Listening at: %s", "http://127.0.0.1:5000")
    (line,) = lines(capsys)
    assert line["event"] == "Listening at: http://127.0.0.1:5000"
    assert line["logger"] == "gunicorn.error"


def test_an_exception_is_one_line(capsys: Capture) -> None:
    configure("info")
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("visiongate.some").exception("it failed")
    (line,) = lines(capsys)
    assert "ValueError: bad" in line["exception"]
    assert line["exception"].startswith("Traceback")
