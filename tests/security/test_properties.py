"""What clients may read and write of things: no secret comes out, nothing unasked goes in."""

from __future__ import annotations

import pytest

from tests.security.conftest import PASSWORD, House
from tests.security.doors import picture_form
from tests.web.checks import problem_of
from tests.web.fakes import bearer

UNASKED = {"role": "admin", "disabled": False, "detectors": None, "token_epoch": 0}


def test_no_answer_tells_a_secret(house: House) -> None:
    headers = bearer(house.login("root")["access_token"])
    users = house.services.users.list()
    secrets = [user.password_hash for user in users] + [house.services.keys.signing().secret]
    looked = 0
    for door in house.doors:
        if door.method == "GET":
            answer = house.client.open(**door.knock(), headers=headers)
            looked += answer.status_code == 200
            for secret in (*secrets, PASSWORD, "$2b$"):
                assert secret not in answer.text, f"{door} tells a secret"
    assert looked > 8


@pytest.mark.parametrize("name", ["password_hash", "token_epoch", "created", "username", "id"])
def test_what_is_not_for_clients_to_set_is_refused(name: str, house: House) -> None:
    headers = bearer(house.login("root")["access_token"])
    before = house.services.users.get("victim")
    body = {"role": "admin", name: "x"}
    answer = house.client.patch("/api/v1/users/victim", json=body, headers=headers)
    assert name in problem_of(answer, 400)["detail"]
    assert house.services.users.get("victim") == before


@pytest.mark.parametrize("name", UNASKED)
def test_a_login_sets_nothing(name: str, house: House) -> None:
    before = house.services.users.get("intruder")
    body = {"username": "intruder", "password": PASSWORD, name: UNASKED[name]}
    house.client.post("/api/v1/login", json=body)
    assert house.services.users.get("intruder") == before


@pytest.mark.parametrize("name", ["owner", "user", "username", "id", "role"])
def test_a_picture_is_kept_for_who_sent_it(name: str, house: House) -> None:
    headers = bearer(house.login("intruder")["access_token"])
    answer = house.client.post(
        "/api/v1/detect/face", query_string={name: "victim"}, data=picture_form(), headers=headers
    )
    problem_of(answer, 400, "option_unknown")
    answer = house.client.post(
        "/api/v1/detect/face", data={**picture_form(), name: "victim"}, headers=headers
    )
    problem_of(answer, 400, "option_unknown")
    assert house.services.pictures is not None
    assert house.services.pictures.list() == []
