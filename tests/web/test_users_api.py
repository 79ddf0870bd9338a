"""Accounts over HTTP: what admins may, what nobody may, and what is never answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.checks import problem_of
from tests.web.fakes import PASSWORD, bearer
from visiongate.services import Services
from visiongate.types import Retained, User

Headers = dict[str, str]
MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]

USERS = "/api/v1/users"


def picture() -> bytes:
    buffer = BytesIO()
    Pillow.new("RGB", (40, 30)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def bob(make_user: MakeUser) -> User:
    return make_user("bob", detectors=["face"])


def test_an_account_is_added_and_can_be_used(
    client: FlaskClient, admin: Headers, login: Login
) -> None:
    body = {
        "username": "bob",
        "password": PASSWORD,
        "role": "user",
        "detectors": ["face", "object"],
        "requests_per_day": 5,
        "megapixels_per_day": None,
    }
    answer = client.post(USERS, json=body, headers=admin)
    assert answer.status_code == 201
    document = answer.get_json()
    assert answer.headers["Location"] == f"{USERS}/bob"
    assert client.get(answer.headers["Location"], headers=admin).get_json() == document
    assert document.pop("created").endswith("Z")
    assert document.pop("quota")["requests"] == {"limit": 5, "used": 0, "left": 5}
    assert document == {
        "username": "bob",
        "role": "user",
        "disabled": False,
        "detectors": ["face", "object"],
        "requests_per_day": 5,
        "megapixels_per_day": None,
    }
    token = login("bob")["access_token"]
    me = client.get("/api/v1/me", headers=bearer(token)).get_json()
    assert (me["username"], me["detectors"]) == ("bob", ["face", "object"])


def test_only_name_and_password_are_required(client: FlaskClient, admin: Headers) -> None:
    answer = client.post(USERS, json={"username": "bob", "password": "long enough"}, headers=admin)
    document = answer.get_json()
    assert (document["role"], document["detectors"]) == ("user", None)
    assert (document["requests_per_day"], document["megapixels_per_day"]) == (None, None)


@pytest.mark.parametrize(
    "name", ["Ann Lee", "ann@example.org", "安娜", "a?b#c%2F", "🙂", "e\u0301"], ids=ascii
)
def test_every_name_has_an_address(client: FlaskClient, admin: Headers, name: str) -> None:
    made = client.post(USERS, json={"username": name, "password": "long enough"}, headers=admin)
    url = made.headers["Location"]
    assert url.isascii()
    assert client.get(url, headers=admin).get_json()["username"] == made.get_json()["username"]
    assert client.patch(url, json={"role": "admin"}, headers=admin).status_code == 200
    assert client.delete(url, headers=admin).status_code == 204
    problem_of(client.get(url, headers=admin), 404, "user_not_found")


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"password": "long enough"}, 400, "field_missing", "username"),
        ({"username": "", "password": "long enough"}, 400, "field_missing", "username"),
        ({"username": "bob"}, 400, "field_missing", "password"),
        ({}, 400, "field_missing", "Nothing"),
        ({"username": "bob", "password": None}, 400, "field_missing", "password"),
        ({"username": "bob", "password": "x" * 73}, 400, "password_invalid", "73 bytes"),
        ({"username": "bob", "password": "a\0b"}, 400, "password_invalid", "NUL"),
        ({"username": "bob", "password": "seven77"}, 400, "password_invalid", "at least 8"),
        ({"username": "bob", "password": 7}, 400, "bad_request", "password"),
        ({"username": ["bob"], "password": "long enough"}, 400, "bad_request", "username"),
        ({"username": "a/b", "password": "long enough"}, 400, "username_invalid", "slash"),
        ({"username": "..", "password": "long enough"}, 400, "username_invalid", "'..'"),
        ({"username": "x" * 65, "password": "long enough"}, 400, "username_invalid", "65"),
        ({"username": "root", "password": "long enough"}, 409, "user_exists", "root"),
        (
            {"username": "bob", "password": "long enough", "rolle": "admin"},
            400,
            "option_unknown",
            "'role'",
        ),
        (
            {"username": "bob", "password": "long enough", "disabled": True},
            400,
            "option_unknown",
            "disabled",
        ),
        (
            {"username": "bob", "password": "long enough", "role": "root"},
            400,
            "option_invalid",
            "role",
        ),
        (
            {"username": "bob", "password": "long enough", "role": None},
            400,
            "option_invalid",
            "role",
        ),
        (
            {"username": "bob", "password": "long enough", "detectors": "face"},
            400,
            "option_invalid",
            "list",
        ),
        (
            {"username": "bob", "password": "long enough", "detectors": [1]},
            400,
            "option_invalid",
            "list",
        ),
        (
            {"username": "bob", "password": "long enough", "detectors": ["faec"]},
            400,
            "option_invalid",
            "faec",
        ),
        (
            {"username": "b", "password": "long enough", "requests_per_day": -1},
            400,
            "option_invalid",
            "-1",
        ),
        (
            {"username": "b", "password": "long enough", "requests_per_day": 1.5},
            400,
            "option_invalid",
            "1.5",
        ),
        (
            {"username": "b", "password": "long enough", "requests_per_day": True},
            400,
            "option_invalid",
            "True",
        ),
        (
            {"username": "b", "password": "long enough", "megapixels_per_day": 10**10},
            400,
            "option_invalid",
            "0",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_an_account_is_refused_by_name(
    client: FlaskClient, admin: Headers, body: object, status: int, code: str, says: str
) -> None:
    answer = client.post(USERS, json=body, headers=admin)
    assert says in problem_of(answer, status, code)["detail"]
    listed = client.get(USERS, headers=admin).get_json()["users"]
    assert [user["username"] for user in listed] == ["root"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"{", "application/json", 400, "bad_request"),
        (b"[]", "application/json", 400, "bad_request"),
        (b"{}", "text/plain", 415, "format_unsupported"),
        (b'{"username":"%s"}' % (b"x" * 70_000), "application/json", 413, "request_too_large"),
    ],
)
def test_a_body_that_is_none_is_refused(
    client: FlaskClient, admin: Headers, bob: User, body: bytes, kind: str, status: int, code: str
) -> None:
    for method, url in (("POST", USERS), ("PATCH", f"{USERS}/bob")):
        answer = client.open(url, method=method, data=body, content_type=kind, headers=admin)
        problem_of(answer, status, code)


def test_several_things_change_at_once_and_the_rest_stays(
    client: FlaskClient, admin: Headers, bob: User, services: Services
) -> None:
    body = {"role": "admin", "detectors": None, "requests_per_day": 0, "megapixels_per_day": 12}
    answer = client.patch(f"{USERS}/bob", json=body, headers=admin)
    assert answer.status_code == 200
    assert answer.get_json()["megapixels_per_day"] == 12
    after = services.users.get("bob")
    assert (after.role, after.detectors) == ("admin", None)
    assert (after.requests_per_day, after.megapixels_per_day) == (0, 12)
    assert (after.password_hash, after.token_epoch) == (bob.password_hash, bob.token_epoch)


def test_nothing_changes_if_one_thing_cannot(
    client: FlaskClient, admin: Headers, bob: User, services: Services
) -> None:
    for wrong in ({"detectors": ["no"]}, {"password": "seven77"}, {"disabled": "yes"}):
        answer = client.patch(f"{USERS}/bob", json={"role": "admin", **wrong}, headers=admin)
        assert answer.status_code == 400
    problem_of(client.patch(f"{USERS}/bob", json={}, headers=admin), 400, "field_missing")
    assert services.users.get("bob") == bob


@pytest.mark.parametrize("change", [{"password": "a new one"}, {"disabled": True}], ids=str)
def test_a_new_password_and_closing_an_account_end_its_tokens_at_once(
    client: FlaskClient, admin: Headers, bob: User, login: Login, change: dict[str, object]
) -> None:
    tokens = login("bob")
    mine = bearer(tokens["access_token"])
    assert client.get("/api/v1/me", headers=mine).status_code == 200
    assert client.patch(f"{USERS}/bob", json=change, headers=admin).status_code == 200
    problem_of(client.get("/api/v1/me", headers=mine), 401, "token_revoked")
    refresh = client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
    problem_of(refresh, 401, "token_revoked")


def test_rights_change_with_the_next_request(
    client: FlaskClient, admin: Headers, bob: User, login: Login
) -> None:
    mine = bearer(login("bob")["access_token"])
    problem_of(client.get(USERS, headers=mine), 403, "forbidden")
    client.patch(f"{USERS}/bob", json={"role": "admin"}, headers=admin)
    assert client.get(USERS, headers=mine).status_code == 200
    client.patch(f"{USERS}/bob", json={"role": "user", "detectors": ["object"]}, headers=admin)
    problem_of(client.get(USERS, headers=mine), 403, "forbidden")
    sent = {"file": (BytesIO(picture()), "1.jpg")}
    problem_of(client.post("/api/v1/detect/face", data=sent, headers=mine), 403)


def test_nobody_but_admins_gets_in(client: FlaskClient, auth: Headers, bob: User) -> None:
    for method, url in (
        ("GET", USERS),
        ("POST", USERS),
        ("GET", f"{USERS}/bob"),
        ("PATCH", f"{USERS}/bob"),
        ("DELETE", f"{USERS}/bob"),
        ("DELETE", f"{USERS}/nobody"),
        ("PATCH", f"{USERS}/anna"),
    ):
        answer = client.open(url, method=method, json={"role": "admin"}, headers=auth)
        problem_of(answer, 403, "forbidden")
        problem_of(client.open(url, method=method, json={}), 401, "token_missing")


def test_an_unknown_user_is_404(client: FlaskClient, admin: Headers) -> None:
    url = f"{USERS}/nobody"
    problem_of(client.get(url, headers=admin), 404, "user_not_found")
    problem_of(client.patch(url, json={"role": "admin"}, headers=admin), 404, "user_not_found")
    problem_of(client.delete(url, headers=admin), 404, "user_not_found")


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled": True}, None], ids=str)
def test_the_last_admin_stays(
    client: FlaskClient, admin: Headers, make_user: MakeUser, change: dict[str, object] | None
) -> None:
    make_user("off", role="admin")
    client.patch(f"{USERS}/off", json={"disabled": True}, headers=admin)

    def attempt() -> Any:
        if change is None:
            return client.delete(f"{USERS}/root", headers=admin)
        return client.patch(f"{USERS}/root", json=change, headers=admin)

    assert "last admin" in problem_of(attempt(), 409, "last_admin")["detail"]
    assert client.get("/api/v1/me", headers=admin).get_json()["role"] == "admin"
    client.patch(f"{USERS}/off", json={"disabled": False}, headers=admin)
    assert attempt().status_code in (200, 204)


def test_removing_an_account_ends_its_tokens_and_deletes_its_pictures(
    client: FlaskClient, admin: Headers, bob: User, login: Login, services: Services
) -> None:
    mine = bearer(login("bob")["access_token"])
    for headers in (mine, mine, admin):
        sent = {"file": (BytesIO(picture()), "1.jpg")}
        assert client.post("/api/v1/detect/face", data=sent, headers=headers).status_code == 200
    assert client.delete(f"{USERS}/bob", headers=admin).status_code == 204
    problem_of(client.get("/api/v1/me", headers=mine), 401, "token_revoked")
    assert services.pictures is not None
    assert [kept.owner for kept in services.pictures.list()] == ["root"]
    client.post(USERS, json={"username": "bob", "password": PASSWORD}, headers=admin)
    problem_of(client.get("/api/v1/me", headers=mine), 401, "token_revoked")
    again = bearer(login("bob")["access_token"])
    assert client.get("/api/v1/images", headers=again).get_json()["images"] == []


def test_what_an_interrupted_removal_left_is_not_its_names_next_account(
    client: FlaskClient, admin: Headers, bob: User, login: Login, services: Services
) -> None:
    sent = {"file": (BytesIO(picture()), "1.jpg")}
    mine = bearer(login("bob")["access_token"])
    assert client.post("/api/v1/detect/face", data=sent, headers=mine).status_code == 200
    services.user_store.remove("bob")  # as a process that is killed before it deletes the pictures
    client.post(USERS, json={"username": "bob", "password": PASSWORD}, headers=admin)
    again = bearer(login("bob")["access_token"])
    assert client.get("/api/v1/images", headers=again).get_json()["images"] == []


@pytest.mark.parametrize("made_again", [False, True])
def test_a_picture_that_is_looked_at_while_its_user_is_removed_is_not_kept(
    client: FlaskClient,
    admin: Headers,
    bob: User,
    login: Login,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    made_again: bool,
) -> None:
    assert services.pictures is not None
    keep = services.pictures.keep

    def keep_late(*arguments: Any) -> Retained:
        services.users.remove("bob")
        if made_again:
            services.users.create("bob", PASSWORD)
        return keep(*arguments)

    monkeypatch.setattr(services.pictures, "keep", keep_late)
    answer = client.post(
        "/api/v1/detect",
        query_string={"detectors": "face"},
        data={"file": (BytesIO(picture()), "1.jpg")},
        headers=bearer(login("bob")["access_token"]),
    )
    report = answer.get_json()
    assert answer.status_code == 200
    assert report["retained"] is None
    assert report["warnings"] == ["The picture was not kept: the account has been removed."]
    assert services.pictures.list() == []


class TestPages:
    @pytest.fixture(autouse=True)
    def many(self, services: Services, admin: Headers) -> None:
        for number in range(25):
            services.user_store.add(User(f"user {number:02}", "x"))

    @staticmethod
    def pages(client: FlaskClient, admin: Headers, limit: int) -> Iterator[list[str]]:
        after: str | None = ""
        while after is not None:
            query = {"limit": limit, "after": after}
            document = client.get(USERS, query_string=query, headers=admin).get_json()
            yield [user["username"] for user in document["users"]]
            after = document["next"]

    @pytest.mark.parametrize("limit", [1, 5, 13, 26, 27, 1000])
    def test_every_account_comes_once_by_name(
        self, client: FlaskClient, admin: Headers, limit: int
    ) -> None:
        pages = list(self.pages(client, admin, limit))
        assert all(1 <= len(page) <= limit for page in pages)
        names = [name for page in pages for name in page]
        assert names == ["root", *(f"user {number:02}" for number in range(25))]

    def test_after_the_last_there_is_none(self, client: FlaskClient, admin: Headers) -> None:
        answer = client.get(USERS, query_string={"after": "zz"}, headers=admin)
        assert answer.get_json() == {"users": [], "next": None}

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ("limit=0", "option_invalid"),
            ("limit=1001", "option_invalid"),
            ("limit=-1", "option_invalid"),
            ("limit=", "option_invalid"),
            ("limit=5.0", "option_invalid"),
            ("limit=%D9%A1", "option_invalid"),
            (f"limit={'9' * 5000}", "option_invalid"),
            ("limit=1&limit=2", "option_invalid"),
            ("before=ann", "option_unknown"),
        ],
    )
    def test_what_is_no_page_is_refused(
        self, client: FlaskClient, admin: Headers, query: str, code: str
    ) -> None:
        problem_of(client.get(f"{USERS}?{query}", headers=admin), 400, code)


def test_no_answer_has_a_password_or_a_hash(
    client: FlaskClient,
    admin: Headers,
    services: Services,
    capsys: pytest.CaptureFixture[str],
) -> None:
    secret = "a very secret password"
    body = {"username": "bob", "password": secret}
    answers = [
        client.post(USERS, json=body, headers=admin),
        client.post(USERS, json=body, headers=admin),
        client.post(USERS, json={**body, "username": secret + "/"}, headers=admin),
        client.post(USERS, json={**body, "role": 1}, headers=admin),
        client.patch(f"{USERS}/bob", json={"password": secret}, headers=admin),
        client.patch(f"{USERS}/bob", json={"password": secret * 5}, headers=admin),
        client.get(f"{USERS}/bob", headers=admin),
        client.get(USERS, headers=admin),
    ]
    assert [answer.status_code for answer in answers] == [201, 409, 400, 400, 200, 400, 200, 200]
    said = "".join(answer.text for answer in answers)
    audit = (services.settings.data_dir / "audit.log").read_text()
    captured = capsys.readouterr()
    for text in (said, audit, captured.out, captured.err):
        assert secret not in text
        assert "$2b$" not in text
        assert services.users.get("bob").password_hash not in text
