from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import PASSWORD, bearer
from visiongate.services import Services
from visiongate.settings import Settings
from visiongate.web.app import create_app


@pytest.fixture
def real(make_settings: Callable[..., Settings]) -> Iterator[Flask]:
    """An app that made its own services: real stores and keys in a temporary folder."""
    app = create_app(make_settings(preload=False, offline=True))
    yield app
    services: Services = app.extensions["visiongate.services"]
    services.close()
    services.users.close()


def test_a_login_lives_on_real_stores(real: Flask) -> None:
    services: Services = real.extensions["visiongate.services"]
    services.users.create("anna", PASSWORD)
    client = real.test_client()
    body = {"username": "anna", "password": PASSWORD}
    first = client.post("/api/v1/login", json=body).get_json()
    assert client.get("/api/v1/me", headers=bearer(first["access_token"])).status_code == 200

    services.keys.rotate(3600)
    answer = client.post("/api/v1/refresh", headers=bearer(first["refresh_token"]))
    assert answer.status_code == 200
    second = answer.get_json()
    assert client.get("/api/v1/me", headers=bearer(second["access_token"])).status_code == 200

    client.post("/api/v1/logout", headers=bearer(second["access_token"]))
    for token in (first["access_token"], second["access_token"]):
        problem_of(client.get("/api/v1/me", headers=bearer(token)), 401, "token_revoked")
    problem_of(
        client.post("/api/v1/refresh", headers=bearer(second["refresh_token"])),
        401,
        "token_revoked",
    )

    third = client.post("/api/v1/login", json=body).get_json()
    services.keys.rotate(0)
    problem_of(
        client.get("/api/v1/me", headers=bearer(third["access_token"])), 401, "token_invalid"
    )


@pytest.mark.parametrize("trusted", [0, 1])
def test_forwarded_headers_count_behind_trusted_proxies_alone(
    trusted: int, make_app: Callable[..., Flask]
) -> None:
    app = make_app(trusted_proxies=trusted)
    app.add_url_rule("/seen", "seen", lambda: [request.remote_addr, request.url])
    headers = {
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "vision.example",
    }
    seen = app.test_client().get("/seen", headers=headers).get_json()
    if trusted:
        assert seen == ["198.51.100.7", "https://vision.example/seen"]
    else:
        assert seen == ["127.0.0.1", "http://localhost/seen"]


def test_a_route_may_set_its_own_headers(app: Flask, client: FlaskClient) -> None:
    own = {"Cache-Control": "max-age=60", "Content-Security-Policy": "default-src 'self'"}
    app.add_url_rule("/own", "own", lambda: ("<p>", own))
    headers = client.get("/own").headers
    for name, value in own.items():
        assert headers.getlist(name) == [value]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_answers_are_never_kept_by_caches(client: FlaskClient, auth: dict[str, str]) -> None:
    assert client.get("/api/v1/me", headers=auth).headers["Cache-Control"] == "no-store"
