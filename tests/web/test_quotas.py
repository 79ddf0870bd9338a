"""Quotas from the client's side: what is refused, when, and what a client is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.checks import problem_of
from tests.web.conftest import MakeApp
from tests.web.fakes import FakeDetector, bearer
from visiongate.errors import DetectorUnavailable, StoreUnavailable
from visiongate.quotas import DAY_SECONDS, Quotas
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.api import current_services

Headers = dict[str, str]
MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]


def picture(width: int = 1000, height: int = 500, kind: str = "PNG") -> bytes:
    """Return half a megapixel, unless told otherwise."""
    buffer = BytesIO()
    Pillow.new("L", (width, height)).save(buffer, kind)
    return buffer.getvalue()


PICTURE = picture()


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be noon for quotas, since a test that runs over midnight would count anew."""
    defaults = Quotas.__init__.__kwdefaults__
    assert "clock" in defaults
    monkeypatch.setitem(defaults, "clock", lambda: 20_000.5 * DAY_SECONDS)


@pytest.fixture
def limited(make_user: MakeUser, login: Login) -> Callable[..., Headers]:
    """Return a function that makes a user with quotas and gives the header with a token."""

    def make(name: str = "cam1", **quotas: int | None) -> Headers:
        make_user(name, **quotas)
        return bearer(login(name)["access_token"])

    return make


def send(client: FlaskClient, headers: Headers, data: bytes = PICTURE, url: str = "face") -> Any:
    return client.post(
        f"/api/v1/detect/{url}?delete=true", data=data, content_type="image/png", headers=headers
    )


def test_pictures_are_counted_to_the_limit(
    client: FlaskClient, limited: Callable[..., Headers]
) -> None:
    headers = limited(requests_per_day=2)
    for left in (1, 0):
        answer = send(client, headers)
        assert answer.status_code == 200
        assert answer.headers["RateLimit-Policy"] == '"requests";q=2;w=86400'
        assert answer.headers["RateLimit"] == f'"requests";r={left};t=43200'
    answer = send(client, headers)
    document = problem_of(answer, 429, "quota_exceeded")
    assert (document["quota"], document["limit"], document["used"]) == ("requests", 2, 2)
    assert answer.headers["Retry-After"] == "43200"
    assert document["resets_in"] == 43_200
    assert answer.headers["RateLimit"] == '"requests";r=0;t=43200'


def test_megapixels_are_counted_to_the_limit(
    client: FlaskClient, limited: Callable[..., Headers]
) -> None:
    headers = limited(megapixels_per_day=1)
    assert send(client, headers).headers["RateLimit"].startswith('"megapixels";r=0;t=')
    problem_of(send(client, headers, picture(1001, 500)), 429, "quota_exceeded")
    assert send(client, headers).status_code == 200, "what was refused was not counted"
    document = problem_of(send(client, headers, picture(1, 1)), 429, "quota_exceeded")
    assert (document["quota"], document["limit"], document["used"]) == ("megapixels", 1, 1.0)


def test_a_picture_larger_than_a_day_is_not_worth_waiting_for(
    client: FlaskClient, limited: Callable[..., Headers]
) -> None:
    headers = limited(megapixels_per_day=1)
    answer = send(client, headers, picture(2000, 600))
    document = problem_of(answer, 429, "quota_exceeded")
    assert "1.2 megapixels" in document["detail"]
    assert "Retry-After" not in answer.headers
    assert send(client, headers).status_code == 200


def test_both_quotas_hold_and_are_told(
    client: FlaskClient, limited: Callable[..., Headers]
) -> None:
    headers = limited(requests_per_day=10, megapixels_per_day=3)
    answer = send(client, headers)
    assert answer.headers["RateLimit-Policy"] == (
        '"requests";q=10;w=86400, "megapixels";q=3;w=86400'
    )
    assert re.fullmatch(
        r'"requests";r=9;t=\d+, "megapixels";r=2;t=\d+', answer.headers["RateLimit"]
    )
    quota = client.get("/api/v1/me", headers=headers).get_json()["quota"]
    assert quota["requests"] == {"limit": 10, "used": 1, "left": 9}
    assert quota["megapixels"] == {"limit": 3, "used": 0.5, "left": 2.5}
    assert quota["resets"] == "2024-10-05T00:00:00Z"


def test_the_size_is_charged_before_anything_is_decoded(
    client: FlaskClient, limited: Callable[..., Headers], detectors: dict[str, FakeDetector]
) -> None:
    headers = limited(megapixels_per_day=1)
    cut = picture(2000, 600)[:100]  # a header, and nothing to decode after it
    problem_of(send(client, headers, cut), 429, "quota_exceeded")
    problem_of(send(client, headers, picture(1000, 1000)[:100]), 400, "picture_corrupt")
    problem_of(send(client, headers), 429, "quota_exceeded")
    assert {shape[:2] for shape in detectors["face"].seen} <= {(64, 64)}, "the probe alone"


def test_what_no_picture_was_is_not_counted(
    client: FlaskClient, limited: Callable[..., Headers]
) -> None:
    headers = limited(requests_per_day=1)
    for data in (b"", b"no picture at all", b"%PDF-1.4"):
        assert send(client, headers, data).status_code in (400, 415)
    assert send(client, headers, url="unheard_of").status_code == 404
    assert send(client, headers).status_code == 200


def test_what_the_gateway_could_not_do_is_given_back(
    client: FlaskClient, limited: Callable[..., Headers], detectors: dict[str, FakeDetector]
) -> None:
    headers = limited(requests_per_day=1, megapixels_per_day=1)
    send(client, limited("cam2"))  # loads the detector
    for failure in (DetectorUnavailable("broken"), RuntimeError("broken")):
        detectors["face"].fails = failure
        assert send(client, headers).status_code == 503
    detectors["face"].fails = None
    assert send(client, headers).status_code == 200
    problem_of(send(client, headers), 429, "quota_exceeded")


def test_each_user_has_a_count_of_their_own(
    client: FlaskClient, limited: Callable[..., Headers], auth: Headers
) -> None:
    first, second = (limited(name, requests_per_day=1) for name in ("cam1", "cam2"))
    assert [send(client, one).status_code for one in (first, first, second)] == [200, 429, 200]
    answer = send(client, auth)
    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


def test_who_has_no_quota_never_touches_the_count(
    client: FlaskClient, auth: Headers, services: Services
) -> None:
    assert send(client, auth).status_code == 200
    quota = client.get("/api/v1/me", headers=auth).get_json()["quota"]
    assert (quota["requests"], quota["megapixels"]) == (None, None)
    assert not (services.settings.data_dir / "usage.db").exists()


def test_an_admin_raises_a_quota_and_it_holds_at_once(
    client: FlaskClient, limited: Callable[..., Headers], admin: Headers
) -> None:
    headers = limited(requests_per_day=1)
    assert [send(client, headers).status_code for _ in range(2)] == [200, 429]
    url = "/api/v1/users/cam1"
    told = client.patch(url, json={"requests_per_day": 3}, headers=admin).get_json()
    assert told["quota"]["requests"] == {"limit": 3, "used": 1, "left": 2}
    assert send(client, headers).status_code == 200
    client.patch(url, json={"requests_per_day": 1}, headers=admin)
    answer = send(client, headers)
    assert problem_of(answer, 429)["used"] == 2
    assert answer.headers["RateLimit"].startswith('"requests";r=0;'), "never below zero"
    client.patch(url, json={"requests_per_day": 0}, headers=admin)
    assert send(client, headers).status_code == 200


class TestDefaults:
    @pytest.fixture
    def app(self, make_app: MakeApp) -> Flask:
        return make_app(requests_per_day=1, open_routes=("/upload",))

    @pytest.fixture
    def users(self, app: Flask) -> Callable[..., Headers]:
        def make(name: str, **quotas: int | None) -> Headers:
            with app.app_context():
                current_services().users.create(name, "long enough", **quotas)
            login = {"username": name, "password": "long enough"}
            answer = app.test_client().post("/api/v1/login", json=login)
            return bearer(answer.get_json()["access_token"])

        return make

    def test_hold_for_who_has_none_of_their_own(
        self, app: Flask, users: Callable[..., Headers]
    ) -> None:
        client = app.test_client()
        ann, bob, root = users("ann"), users("bob", requests_per_day=2), users("root")
        assert [send(client, ann).status_code for _ in range(2)] == [200, 429]
        assert [send(client, bob).status_code for _ in range(3)] == [200, 200, 429]
        free = users("free", requests_per_day=0)
        assert [send(client, free).status_code for _ in range(3)] == [200] * 3
        assert send(client, root).status_code == 200

    def test_all_who_send_no_token_share_one(self, app: Flask) -> None:
        client = app.test_client()
        answers = [client.post("/upload", data=PICTURE, content_type="image/png") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert set(answers[1].get_json()) == {"error"}, "in that service's shape"
        assert int(answers[1].headers["Retry-After"]) >= 1


def test_a_count_that_cannot_be_kept_lets_nobody_past_a_quota(
    client: FlaskClient,
    limited: Callable[..., Headers],
    auth: Headers,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    headers = limited(requests_per_day=5)

    def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    for name in ("used", "charge"):
        monkeypatch.setattr(services.quotas._store, name, broken)
    problem_of(send(client, headers), 503, "store_unavailable")
    assert send(client, auth).status_code == 200
