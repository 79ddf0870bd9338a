"""Kept pictures: who may fetch and delete them, and how they are served."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.checks import problem_of
from tests.web.fakes import bearer
from visiongate.types import User

Headers = dict[str, str]
IMAGES = "/api/v1/images"


def picture(format_: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (80, 60), (20, 120, 30)).save(buffer, format_)
    return buffer.getvalue()


def keep(client: FlaskClient, headers: Headers, data: bytes | None = None) -> str:
    answer = client.post(
        "/api/v1/detect/face",
        headers=headers,
        data=data or picture(),
        content_type="application/octet-stream",
    )
    assert answer.status_code == 200, answer.text
    return answer.headers["X-Picture-Id"]


@pytest.fixture
def eva(make_user: Callable[..., User], login: Callable[..., dict[str, Any]]) -> Headers:
    make_user("eva")
    return bearer(login("eva")["access_token"])


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp"), ("GIF", "image/gif")],
)
def test_the_owner_gets_the_very_bytes(
    client: FlaskClient, auth: Headers, format_: str, media_type: str
) -> None:
    data = picture(format_)
    kept = keep(client, auth, data)
    answer = client.get(f"{IMAGES}/{kept}", headers=auth)
    assert answer.data == data
    assert answer.mimetype == media_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"].startswith(f'inline; filename="{kept}.')
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "no-store" in answer.headers["Cache-Control"]


def test_the_annotated_copy(client: FlaskClient, auth: Headers) -> None:
    data = picture("PNG")
    kept = keep(client, auth, data)
    answer = client.get(f"{IMAGES}/{kept}?annotated=true", headers=auth)
    assert answer.mimetype == "image/jpeg"
    assert Pillow.open(io.BytesIO(answer.data)).size == (80, 60)
    assert "annotated" in answer.headers["Content-Disposition"]
    assert client.get(f"{IMAGES}/{kept}?annotated=false", headers=auth).data == data


def test_malformed_options(client: FlaskClient, auth: Headers) -> None:
    kept = keep(client, auth)
    problem_of(client.get(f"{IMAGES}/{kept}?annotated=so", headers=auth), 400, "option_invalid")
    problem_of(client.get(f"{IMAGES}/{kept}?anotated=1", headers=auth), 400, "option_unknown")


def test_lists_are_the_owners_newest_first(
    client: FlaskClient, auth: Headers, eva: Headers
) -> None:
    first, second, other = keep(client, auth), keep(client, auth), keep(client, eva)
    listed = client.get(IMAGES, headers=auth).get_json()
    assert listed["retention"] == "on"
    assert [one["id"] for one in listed["images"]] == [second, first]
    assert {one["owner"] for one in listed["images"]} == {"anna"}
    assert listed["images"][0]["urls"]["original"] == f"{IMAGES}/{second}"
    assert [one["id"] for one in client.get(IMAGES, headers=eva).get_json()["images"]] == [other]


def test_an_admin_sees_and_deletes_everyones(
    client: FlaskClient, auth: Headers, admin: Headers
) -> None:
    kept, own = keep(client, auth), keep(client, admin)
    listed = client.get(IMAGES, headers=admin).get_json()["images"]
    assert {one["id"]: one["owner"] for one in listed} == {kept: "anna", own: "root"}
    assert client.get(f"{IMAGES}/{kept}", headers=admin).status_code == 200
    assert client.delete(f"{IMAGES}/{kept}", headers=admin).status_code == 204
    problem_of(client.get(f"{IMAGES}/{kept}", headers=auth), 404, "picture_unknown")


def test_others_are_told_what_they_are_told_of_pictures_that_never_were(
    client: FlaskClient, auth: Headers, eva: Headers
) -> None:
    kept = keep(client, auth)
    never = kept[:-1] + ("0" if kept[-1] != "0" else "1")
    for method in (client.get, client.delete):
        of_anna = problem_of(method(f"{IMAGES}/{kept}", headers=eva), 404, "picture_unknown")
        of_none = problem_of(method(f"{IMAGES}/{never}", headers=eva), 404, "picture_unknown")
        assert of_anna["detail"].replace(kept, "") == of_none["detail"].replace(never, "")
    assert client.get(f"{IMAGES}/{kept}", headers=auth).status_code == 200


def test_deletion_is_for_good(client: FlaskClient, auth: Headers) -> None:
    kept = keep(client, auth)
    answer = client.delete(f"{IMAGES}/{kept}", headers=auth)
    assert (answer.status_code, answer.data) == (204, b"")
    for query in ("", "?annotated=true"):
        problem_of(client.get(f"{IMAGES}/{kept}{query}", headers=auth), 404, "picture_unknown")
    problem_of(client.delete(f"{IMAGES}/{kept}", headers=auth), 404, "picture_unknown")
    assert client.get(IMAGES, headers=auth).get_json()["images"] == []


@pytest.mark.parametrize(
    "hostile",
    ["..", "..%2f..%2fetc%2fpasswd", "%00", "a" * 5000, "*", "%2e%2e", "con", "é", "x.jpg", "-"],
)
def test_hostile_ids_are_unknown(client: FlaskClient, auth: Headers, hostile: str) -> None:
    for method in (client.get, client.delete):
        problem_of(method(f"{IMAGES}/{hostile}", headers=auth), 404)


def test_a_token_is_needed(client: FlaskClient, auth: Headers) -> None:
    kept = keep(client, auth)
    for url in (IMAGES, f"{IMAGES}/{kept}"):
        problem_of(client.get(url), 401, "token_missing")
    problem_of(client.delete(f"{IMAGES}/{kept}"), 401, "token_missing")


def test_a_gateway_that_keeps_nothing_says_so(make_app: Callable[..., Any]) -> None:
    app = make_app(retention="off")
    app.extensions["visiongate.services"].users.create("anna", "pass word")
    client = app.test_client()
    sent = {"username": "anna", "password": "pass word"}
    auth = bearer(client.post("/api/v1/login", json=sent).get_json()["access_token"])
    assert client.get(IMAGES, headers=auth).get_json() == {"retention": "off", "images": []}
    problem = problem_of(client.get(f"{IMAGES}/abc", headers=auth), 404, "picture_unknown")
    assert "RETENTION" in problem["detail"]
