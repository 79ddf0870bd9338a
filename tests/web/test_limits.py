from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import PASSWORD
from visiongate.web import limits

MakeApp = Callable[..., Flask]


def attempt(
    client: FlaskClient, username: str = "anna", address: str = "192.0.2.1", **headers: str
) -> Any:
    return client.post(
        "/api/v1/login",
        json={"username": username, "password": "wrong"},
        environ_base={"REMOTE_ADDR": address},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def test_one_user_can_be_tried_so_often_from_wherever(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_user="3 per minute").test_client()
    for number in range(3):
        problem_of(attempt(client, address=f"192.0.2.{number}"), 401, "credentials_wrong")
    answer = attempt(client, address="192.0.2.99")
    document = problem_of(answer, 429, "too_many_requests")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert f"Try again in {answer.headers['Retry-After']} s" in document["detail"]
    problem_of(attempt(client, "otto"), 401, "credentials_wrong")


def test_the_right_password_waits_as_well(make_app: MakeApp) -> None:
    app = make_app(login_rate_per_user="2 per hour")
    app.extensions["visiongate.services"].users.create("anna", PASSWORD)
    client = app.test_client()
    for _ in range(2):
        attempt(client)
    body = {"username": "anna", "password": PASSWORD}
    problem_of(client.post("/api/v1/login", json=body), 429, "too_many_requests")


def test_one_address_can_try_so_often_whatever_the_name(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="3 per minute").test_client()
    for number in range(3):
        problem_of(attempt(client, f"user{number}"), 401)
    problem_of(attempt(client, "another"), 429, "too_many_requests")
    problem_of(attempt(client, "another", address="192.0.2.2"), 401)


def test_malformed_attempts_count_for_their_address(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="2 per minute").test_client()
    for _ in range(2):
        problem_of(client.post("/api/v1/login", data=b"{"), 415)
    problem_of(client.post("/api/v1/login", data=b"{"), 429)


@pytest.mark.parametrize("other", ["ANNA", " anna ", "\uff41nna", "anna\t"], ids=ascii)
def test_another_way_to_write_a_name_is_no_other_name(other: str, make_app: MakeApp) -> None:
    client = make_app(login_rate_per_user="1 per minute").test_client()
    problem_of(attempt(client, "anna"), 401)
    problem_of(attempt(client, other), 429)


def test_an_ipv6_network_is_one_address(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute").test_client()
    problem_of(attempt(client, address="2001:db8:1:2::1"), 401)
    problem_of(attempt(client, address="2001:db8:1:2:ffff::9"), 429)
    problem_of(attempt(client, address="2001:db8:1:3::1"), 401)


def test_an_ipv4_address_in_ipv6_clothes_is_itself(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute").test_client()
    problem_of(attempt(client, address="::ffff:192.0.2.1"), 401)
    problem_of(attempt(client, address="192.0.2.1"), 429)
    problem_of(attempt(client, address="::ffff:192.0.2.2"), 401)


@pytest.mark.parametrize("address", ["", "unix:/run/socket", "x" * 5000])
def test_a_server_may_know_no_address(address: str, make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute").test_client()
    problem_of(attempt(client, address=address), 401)
    problem_of(attempt(client, address=address), 429)


def test_forwarded_headers_of_strangers_are_not_believed(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute").test_client()
    problem_of(attempt(client, X_Forwarded_For="198.51.100.1"), 401)
    problem_of(attempt(client, X_Forwarded_For="198.51.100.2", Forwarded="for=1.1.1.1"), 429)


def test_behind_a_trusted_proxy_the_client_counts(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute", trusted_proxies=1).test_client()
    problem_of(attempt(client, X_Forwarded_For="198.51.100.1"), 401)
    problem_of(attempt(client, X_Forwarded_For="198.51.100.2"), 401)
    # What the client wrote stands left of what the proxy added, and counts for nothing.
    problem_of(attempt(client, X_Forwarded_For="203.0.113.9, 198.51.100.2"), 429)


def test_without_its_storage_it_still_counts(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(login_rate_per_user="2 per minute")
    asked = cut_off(app, monkeypatch)
    client = app.test_client()
    for _ in range(2):
        problem_of(attempt(client), 401)
    answer = attempt(client)
    problem_of(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert len(asked) == 1, "each attempt waits for a storage that is known to be gone"


def test_its_storage_counts_again_once_it_is_back(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(login_rate_per_user="2 per minute", rate_limit_storage="memory://")
    storage = app.extensions["visiongate.login_limits"].storage
    monkeypatch.setattr(limits, "_TRY_AGAIN_SECONDS", 0.0)
    client = app.test_client()
    with monkeypatch.context() as gone:
        asked = cut_off(app, gone)
        problem_of(attempt(client), 401)
        problem_of(attempt(client), 401)
        problem_of(attempt(client), 429)
        assert len(asked) >= 3, "the storage is not tried again"
    for _ in range(2):
        problem_of(attempt(client), 401)
    problem_of(attempt(client), 429)
    assert sum(storage.storage.values()) > 2, "the storage has not counted"


def test_what_cannot_tell_when_still_refuses(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(login_rate_per_user="1 per minute")
    client = app.test_client()
    problem_of(attempt(client), 401)
    cut_off(app, monkeypatch, "get_expiry")
    answer = attempt(client)
    problem_of(answer, 429)
    assert answer.headers["Retry-After"] == "60"


def test_a_storage_that_fails_is_told_of_without_its_address(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()
    cut_off(app, monkeypatch)
    attempt(app.test_client())
    logged = capsys.readouterr().err
    assert "counted in this process alone" in logged
    assert "ConnectionError" in logged
    assert "hunter2" not in logged


@pytest.mark.parametrize("rate", ["2 per minute; 3 per hour", "3 per hour; 2 per minute"])
def test_of_several_rates_each_holds(rate: str, make_app: MakeApp) -> None:
    client = make_app(login_rate_per_user=rate).test_client()
    for _ in range(2):
        problem_of(attempt(client), 401)
    document = problem_of(attempt(client), 429)
    assert "2 per 1 minute" in document["detail"]


def cut_off(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    *methods: str,
) -> list[object]:
    """Have the storage fail; return the list that each call of it is added to."""
    storage = app.extensions["visiongate.login_limits"].storage
    asked: list[object] = []

    def unreachable(*args: object, **kwargs: object) -> Any:
        asked.append(args)
        raise ConnectionError("no route to redis://:hunter2@redis.internal")

    for method in methods or ("incr", "get", "get_expiry", "check"):
        monkeypatch.setattr(storage, method, unreachable)
    return asked


def test_names_are_not_kept_as_they_are() -> None:
    assert "anna" not in limits._digest("anna")
    assert len(limits._digest("x" * 100_000)) == 32


def test_other_routes_are_not_limited(make_app: MakeApp) -> None:
    client = make_app(login_rate_per_address="1 per minute").test_client()
    for _ in range(3):
        assert client.get("/health").status_code == 200
