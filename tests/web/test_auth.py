from __future__ import annotations

import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import bcrypt
import pytest
from flask import Flask, g
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import PASSWORD, bearer
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.auth import admin_required, optional_login

MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]


def test_login_answers_both_tokens_and_their_life(make_user: MakeUser, login: Login) -> None:
    make_user()
    answer = login()
    assert answer["expires"] == 3600
    assert answer["token_type"] == "Bearer"
    assert answer["access_token"] != answer["refresh_token"]


def test_the_clients_of_mlapi_log_in_unchanged(services: Services, client: FlaskClient) -> None:
    # Such a short password nobody gets any more, but whoever has one keeps it.
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    services.user_store.add(User("user", hashed))
    answer = client.post(
        "/api/v1/login",
        data='{"username":"user", "password":"secret"}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200
    body = answer.get_json()
    me = client.get("/api/v1/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.get_json()["username"] == "user"


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({}, "username"),
        ({"password": "x"}, "username"),
        ({"username": "anna"}, "password"),
        ({"username": "", "password": "x"}, "username"),
        ({"username": "anna", "password": None}, "password"),
    ],
)
def test_login_names_the_missing_field(
    body: dict[str, Any], missing: str, client: FlaskClient
) -> None:
    document = problem_of(client.post("/api/v1/login", json=body), 400, "field_missing")
    assert repr(missing) in document["detail"]
    assert document["field"] == missing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b'"text"',
        b"1e999999",
        b"9" * 5000,
        b"[" * 10_000,
        b'{"username": ["anna"], "password": "x"}',
        b'{"username": "anna", "password": 12345}',
        b'{"username": {"$ne": ""}, "password": "x"}',
        b'{"username": "\\ud800", "password": "x"}',
        b'{"username": "anna", "password": "\\udfff"}',
    ],
    ids=lambda body: repr(body[:24]),
)
def test_login_refuses_what_is_no_object_of_texts(body: bytes, client: FlaskClient) -> None:
    answer = client.post("/api/v1/login", data=body, content_type="application/json")
    problem_of(answer, 400, "bad_request")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", ""])
def test_login_says_that_it_wants_json(kind: str, client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/login", data=b'{"username":"anna","password":"x"}', content_type=kind
    )
    document = problem_of(answer, 415, "format_unsupported")
    assert "Content-Type: application/json" in document["detail"]


def test_login_reads_no_long_body(client: FlaskClient) -> None:
    body = {"username": "anna", "password": "x" * 20_000}
    problem_of(client.post("/api/v1/login", json=body), 413, "request_too_large")


def test_login_reads_no_long_body_without_a_length(client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/login",
        input_stream=BytesIO(b'{"username": "' + b"x" * 20_000 + b'"}'),
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    problem_of(answer, 413, "request_too_large")


def test_login_says_where_the_json_is_broken(client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/login", data=b'{"username": "anna" "password"}', content_type="application/json"
    )
    document = problem_of(answer, 400, "bad_request")
    assert "line 1 column 21" in document["detail"]
    assert "anna" not in document["detail"]


def test_login_answers_alike_for_unknown_wrong_and_disabled(
    make_user: MakeUser, services: Services, client: FlaskClient
) -> None:
    make_user("anna")
    make_user("otto")
    services.users.set_disabled("otto", True)
    documents = []
    for username, password in [
        ("nobody", PASSWORD),
        ("anna", "wrong"),
        ("anna", "w" * 100),
        ("otto", PASSWORD),
        ("x" * 500, PASSWORD),
        ("a\nb\0", PASSWORD),
    ]:
        answer = client.post("/api/v1/login", json={"username": username, "password": password})
        document = problem_of(answer, 401, "credentials_wrong")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="visiongate"'
        documents.append({k: v for k, v in document.items() if k != "request_id"})
    assert all(document == documents[0] for document in documents)


def test_the_scheme_may_be_written_in_any_case(auth: dict[str, str], client: FlaskClient) -> None:
    header = auth["Authorization"].replace("Bearer ", "bearer  ")
    assert client.get("/api/v1/me", headers={"Authorization": header}).status_code == 200


def test_me_tells_what_the_caller_may(
    make_user: MakeUser, login: Login, client: FlaskClient
) -> None:
    make_user("eva", role="admin", detectors=["object", "face"])
    me = client.get("/api/v1/me", headers=bearer(login("eva")["access_token"])).get_json()
    assert me["username"] == "eva"
    assert me["role"] == "admin"
    assert me["detectors"] == ["face", "object"]
    assert isinstance(me["expires"], int)
    assert "password" not in str(me).lower()


def test_role_and_detectors_are_read_from_the_store(
    services: Services, auth: dict[str, str], client: FlaskClient
) -> None:
    services.users.change("anna", {"role": "admin"})
    services.users.change("anna", {"detectors": ["face"]})
    me = client.get("/api/v1/me", headers=auth).get_json()
    assert (me["role"], me["detectors"]) == ("admin", ["face"])


def test_refresh_gives_new_tokens_and_uses_up_the_old(
    make_user: MakeUser, login: Login, client: FlaskClient
) -> None:
    make_user()
    first = login()
    answer = client.post("/api/v1/refresh", headers=bearer(first["refresh_token"]))
    assert answer.status_code == 200
    second = answer.get_json()
    assert set(second) == set(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert client.get("/api/v1/me", headers=bearer(second["access_token"])).status_code == 200
    again = client.post("/api/v1/refresh", headers=bearer(first["refresh_token"]))
    problem_of(again, 401, "token_revoked")


def test_a_refresh_token_used_twice_ends_the_whole_family(
    make_user: MakeUser, login: Login, client: FlaskClient
) -> None:
    make_user()
    other = login()
    first = login()
    second = client.post("/api/v1/refresh", headers=bearer(first["refresh_token"])).get_json()
    client.post("/api/v1/refresh", headers=bearer(first["refresh_token"]))
    for token in (first["access_token"], second["access_token"]):
        problem_of(client.get("/api/v1/me", headers=bearer(token)), 401, "token_revoked")
    stolen = client.post("/api/v1/refresh", headers=bearer(second["refresh_token"]))
    problem_of(stolen, 401, "token_revoked")
    # Another login of the same user is another family.
    assert client.get("/api/v1/me", headers=bearer(other["access_token"])).status_code == 200


def test_of_refreshes_at_once_one_alone_succeeds(
    app: Flask, make_user: MakeUser, login: Login
) -> None:
    make_user()
    headers = bearer(login()["refresh_token"])
    start = threading.Barrier(8)
    statuses: list[int] = []

    def refresh() -> None:
        start.wait()
        statuses.append(app.test_client().post("/api/v1/refresh", headers=headers).status_code)

    threads = [threading.Thread(target=refresh) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [401] * 7


def test_logout_ends_the_login_and_no_other(
    make_user: MakeUser, login: Login, client: FlaskClient
) -> None:
    make_user()
    here, there = login(), login()
    answer = client.post("/api/v1/logout", headers=bearer(here["access_token"]))
    assert answer.status_code == 200
    problem_of(client.get("/api/v1/me", headers=bearer(here["access_token"])), 401, "token_revoked")
    problem_of(
        client.post("/api/v1/refresh", headers=bearer(here["refresh_token"])), 401, "token_revoked"
    )
    assert client.get("/api/v1/me", headers=bearer(there["access_token"])).status_code == 200


def test_admin_required(app: Flask, make_user: MakeUser, login: Login, client: FlaskClient) -> None:
    app.add_url_rule("/admin", "admin", admin_required(lambda: {"name": g.user.username}))
    make_user("anna")
    make_user("root", role="admin")
    auth, admin = (bearer(login(name)["access_token"]) for name in ("anna", "root"))
    problem_of(client.get("/admin"), 401, "token_missing")
    problem_of(client.get("/admin", headers=auth), 403, "forbidden")
    assert client.get("/admin", headers=admin).get_json() == {"name": "root"}


@pytest.mark.parametrize("opened", [True, False])
def test_a_route_is_open_only_where_the_operator_opened_it(
    opened: bool, make_app: Callable[..., Flask]
) -> None:
    app = make_app(open_routes=("/predict",) if opened else ("/upload",))
    app.add_url_rule("/open", "open", optional_login("/predict")(lambda: {"name": g.user.username}))
    client = app.test_client()
    answer = client.get("/open")
    if opened:
        assert answer.get_json() == {"name": "(anonymous)"}
        # Whoever shows a token means to be somebody.
        problem_of(client.get("/open", headers=bearer("x.y.z")), 401, "token_invalid")
    else:
        problem_of(answer, 401, "token_missing")


def test_cors_answers_the_listed_origins_alone(make_app: Callable[..., Flask]) -> None:
    client = make_app(cors_origins=("https://app.example",)).test_client()
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Authorization",
    }
    good = client.options("/api/v1/login", headers={"Origin": "https://app.example", **asked})
    assert good.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Authorization" in good.headers["Access-Control-Allow-Headers"]
    for origin in ("https://evil.example", "https://app.example.evil.example", "null"):
        bad = client.options("/api/v1/login", headers={"Origin": origin, **asked})
        assert "Access-Control-Allow-Origin" not in bad.headers


def test_cors_is_off_unless_asked_for(client: FlaskClient) -> None:
    answer = client.get("/health", headers={"Origin": "https://app.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
