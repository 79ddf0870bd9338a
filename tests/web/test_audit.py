"""The audit log from the client's side: what is in it, what never is, and what a full disk does."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow
from prometheus_client import generate_latest

from tests.web.checks import problem_of
from tests.web.conftest import MakeApp
from tests.web.fakes import PASSWORD, FakeDetector, bearer
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.api import current_services
from visiongate.web.metrics import metrics_of

Headers = dict[str, str]
MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]
Events = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def events(services: Services) -> Events:
    """Return a function that reads the log's events, those of some names if any are given."""
    path = services.settings.data_dir / "audit.log"

    def read(*names: str) -> list[dict[str, Any]]:
        lines = path.read_text("ascii").splitlines() if path.exists() else []
        return [one for one in map(json.loads, lines) if not names or one["event"] in names]

    return read


def picture() -> bytes:
    buffer = BytesIO()
    Pillow.new("RGB", (40, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


def detect(client: FlaskClient, url: str, headers: Headers) -> Any:
    data = {"file": (BytesIO(picture()), "1.jpg")}
    return client.post(f"/api/v1/detect{url}", data=data, headers=headers)


def test_a_login_and_a_logout_are_recorded_with_who_and_whence(
    client: FlaskClient, make_user: MakeUser, events: Events
) -> None:
    make_user("anna")
    body = {"username": "anna", "password": PASSWORD}
    answer = client.post(
        "/api/v1/login",
        json=body,
        headers={"X-Request-ID": "my-id"},
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )
    token = answer.get_json()["access_token"]
    client.post("/api/v1/logout", headers=bearer(token))
    login, logout = events("login.ok", "logout")
    assert login.pop("time").endswith("Z")
    assert login == {
        "event": "login.ok",
        "outcome": "ok",
        "reason": None,
        "user": "anna",
        "actor": "anna",
        "via": "http",
        "address": "192.0.2.7",
        "request_id": "my-id",
        "detail": {},
    }
    assert (logout["event"], logout["user"]) == ("logout", "anna")


def test_failed_logins_tell_which_account_but_no_name_that_is_none(
    client: FlaskClient, make_user: MakeUser, services: Services, events: Events
) -> None:
    make_user("anna")
    make_user("off")
    services.users.set_disabled("off", True)
    typed_into_the_wrong_field = "Tr0ub4dor&3"
    for name in ("anna", "off", typed_into_the_wrong_field, "x\n" * 5000, "\x1b[2J"):
        client.post("/api/v1/login", json={"username": name, "password": "wrong"})
    failed = events("login.failed")
    assert [(one["user"], one["actor"], one["detail"]["account"]) for one in failed] == [
        ("anna", None, "enabled"),
        ("off", None, "disabled"),
        (None, None, "unknown"),
        (None, None, "unknown"),
        (None, None, "unknown"),
    ]
    assert {(one["outcome"], one["reason"]) for one in failed} == {("failed", "credentials_wrong")}
    text = (services.settings.data_dir / "audit.log").read_text()
    assert typed_into_the_wrong_field not in text
    assert "wrong" not in text.replace("credentials_wrong", "")
    assert len(text.splitlines()) == len(events())


def test_too_many_logins_are_recorded_once_and_counted(make_app: MakeApp) -> None:
    app = make_app(login_rate_per_address="2 per hour")
    client = app.test_client()
    for _ in range(8):
        client.post("/api/v1/login", json={"username": "anna", "password": "x"})
    with app.app_context():
        services = current_services()
    services.audit.close()
    lines = (services.settings.data_dir / "audit.log").read_text().splitlines()
    limited = [one for one in map(json.loads, lines) if one["event"] == "login.limited"]
    assert [one["detail"].get("repeated") for one in limited] == [None, 5]
    assert {(one["outcome"], one["reason"]) for one in limited} == {
        ("refused", "too_many_requests")
    }


def test_refusals_are_recorded_with_code_route_and_user(
    client: FlaskClient, make_user: MakeUser, login: Login, events: Events
) -> None:
    make_user("anna", detectors=["face"])
    anna = bearer(login("anna")["access_token"])
    client.get("/api/v1/me")
    client.get("/api/v1/me?secret=1", headers=bearer("no.good.token"))
    client.get("/api/v1/users/somebody", headers=anna)
    detect(client, "/object", anna)
    client.post("/classify", data=b"", headers=bearer("no.good.token"))
    client.get("/api/v1/nothing", headers=anna)  # 404 is no refusal
    refused = events("request.refused")
    assert [(one["reason"], one["user"], one["detail"]) for one in refused] == [
        ("token_missing", None, {"method": "GET", "route": "/api/v1/me"}),
        ("token_invalid", None, {"method": "GET", "route": "/api/v1/me"}),
        ("forbidden", "anna", {"method": "GET", "route": "/api/v1/users/{name}"}),
        (
            "detector_forbidden",
            "anna",
            {"method": "POST", "route": "/api/v1/detect/{name}"},
        ),
    ], "the second token_invalid of this minute is counted"
    assert {one["outcome"] for one in refused} == {"refused"}


def test_a_flood_of_refusals_takes_few_lines(
    client: FlaskClient, services: Services, events: Events
) -> None:
    for number in range(300):
        client.get("/api/v1/me", environ_base={"REMOTE_ADDR": f"192.0.2.{number % 3}"})
    assert len(events()) == 3
    services.audit.close()
    told = events()[3:]
    assert sorted((one["address"], one["detail"]["repeated"]) for one in told) == [
        (f"192.0.2.{number}", 99) for number in range(3)
    ]
    for number in range(2000):
        address = f"2001:db8::{number:x}"
        client.get("/api/v1/me", environ_base={"REMOTE_ADDR": address})
    assert len(events()) < 300, "nor does it help to come from many addresses"


def test_changes_of_users_tell_what_and_by_whom(
    client: FlaskClient, admin: Headers, events: Events
) -> None:
    users = "/api/v1/users"
    body = {"username": "bob", "password": "long enough", "detectors": ["object", "face"]}
    client.post(users, json=body, headers=admin)
    client.post(users, json=body, headers=admin)
    client.patch(
        f"{users}/bob",
        json={"password": "also long enough", "role": "admin", "disabled": True},
        headers=admin,
    )
    client.delete(f"{users}/root", headers=admin)
    client.delete(f"{users}/bob", headers=admin)
    found = events("user.created", "user.changed", "user.removed")[1:]  # the first made root
    assert [(e["event"], e["user"], e["outcome"], e["reason"]) for e in found] == [
        ("user.created", "bob", "ok", None),
        ("user.created", "bob", "refused", "user_exists"),
        ("user.changed", "bob", "ok", None),
        ("user.removed", "root", "refused", "last_admin"),
        ("user.removed", "bob", "ok", None),
    ]
    assert {(e["actor"], e["via"], e["address"]) for e in found} == {("root", "http", "127.0.0.1")}
    assert found[0]["detail"]["detectors"] == ["face", "object"]
    assert found[2]["detail"] == {"disabled": True, "password": "changed", "role": "admin"}


def test_uses_of_sensitive_detectors_tell_which_and_how_many_faces(
    client: FlaskClient, auth: Headers, events: Events, detectors: dict[str, FakeDetector]
) -> None:
    assert detect(client, "/face", auth).status_code == 200
    assert events("detector.sensitive") == [], "finding a face says nothing of the person"
    detect(client, "/face?gender=true", auth)
    detect(client, "?detectors=ethnicity,gender,object", auth)
    detectors["gender"].fails = RuntimeError("broken")
    detect(client, "?detectors=ethnicity,gender", auth)
    detectors["gender"].fails = None
    detect(client, "/face?gender=true&min_confidence=1", auth)
    client.post("/classify", data={"image": (BytesIO(picture()), "1.jpg")}, headers=auth)
    uses = events("detector.sensitive")
    assert [use["detail"]["judged"] for use in uses] == [
        {"gender": 1},
        {"ethnicity": 1, "gender": 1},
        {"ethnicity": 1},
        {"gender": 0},
        {"gender": 1},
    ]
    assert {(use["user"], use["actor"], use["outcome"]) for use in uses} == {("anna", "anna", "ok")}


def test_a_quota_that_is_exceeded_is_recorded(
    client: FlaskClient, make_user: MakeUser, login: Login, events: Events
) -> None:
    make_user("cam1", requests_per_day=1)
    headers = bearer(login("cam1")["access_token"])
    for _ in range(3):
        detect(client, "/face", headers)
    (exceeded,) = events("quota.exceeded")
    assert (exceeded["user"], exceeded["reason"]) == ("cam1", "quota_exceeded")
    assert exceeded["detail"]["quota"] == "requests"
    assert events("request.refused") == []


def test_no_token_gets_in(
    client: FlaskClient, make_user: MakeUser, login: Login, services: Services
) -> None:
    make_user("anna")
    tokens = login("anna")
    client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
    client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
    client.get("/api/v1/me", headers=bearer(tokens["access_token"]))
    text = (services.settings.data_dir / "audit.log").read_text()
    assert "token_revoked" in text
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert not any(part in text for part in token.split("."))


class TestWithoutALog:
    """``audit.log`` is a folder here, as good as a full disk."""

    @pytest.fixture
    def broken(self, make_app: MakeApp, request: pytest.FixtureRequest) -> Any:
        def make(**settings: Any) -> tuple[FlaskClient, Headers]:
            app = make_app(**settings)
            with app.app_context():
                services = current_services()
                services.users.create("anna", "long enough")
            path = services.settings.data_dir / "audit.log"
            path.unlink(missing_ok=True)
            path.mkdir(parents=True, exist_ok=True)
            client = app.test_client()
            answer = client.post(
                "/api/v1/login", json={"username": "anna", "password": "long enough"}
            )
            return client, bearer(answer.get_json()["access_token"])

        return make

    def test_work_goes_on_and_health_says_so(
        self, broken: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client, headers = broken()
        assert detect(client, "/face?gender=true", headers).status_code == 200
        health = client.get("/health").get_json()
        assert (health["status"], health["audit"]) == ("healthy", "failing")
        log = capsys.readouterr().err
        assert log.count("the audit log cannot be written") == 1, "said once, not each time"
        assert b"visiongate_audit_failures_total 2.0" in generate_latest(
            metrics_of(client.application).registry
        )

    def test_sensitive_detectors_refuse_where_the_operator_wants_that(self, broken: Any) -> None:
        client, headers = broken(audit_on_failure="refuse")
        answer = detect(client, "/face?gender=true", headers)
        problem_of(answer, 503, "audit_unavailable")
        assert client.get("/api/v1/images", headers=headers).get_json()["images"] == []
        assert detect(client, "/face", headers).status_code == 200

    def test_it_is_written_again_as_soon_as_it_can_be(
        self, broken: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        client, headers = broken(audit_on_failure="refuse")
        with client.application.app_context():
            path = current_services().settings.data_dir / "audit.log"
        path.rmdir()
        assert detect(client, "/face?gender=true", headers).status_code == 200
        assert client.get("/health").get_json()["audit"] == "on"
        assert "1 event(s) are missing" in capsys.readouterr().err
        assert json.loads(path.read_text())["event"] == "detector.sensitive"

    def test_switched_off_nothing_is_written_nor_missed(self, broken: Any) -> None:
        client, headers = broken(audit="off", audit_on_failure="refuse")
        assert detect(client, "/face?gender=true", headers).status_code == 200
        assert client.get("/health").get_json()["audit"] == "off"
