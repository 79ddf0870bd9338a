"""Limits cannot be dodged by saying that one is somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.security.conftest import House

Build = Callable[..., House]
HEADERS = (
    "X-Forwarded-For",
    "Forwarded",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "CF-Connecting-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Forwarded",
    "Via",
)
WRITTEN: tuple[Callable[[int], str], ...] = (
    lambda number: f"198.51.100.{number}",
    lambda number: f"for=198.51.100.{number}",
    lambda number: f"198.51.100.{number}, 203.0.113.{number}",
    lambda number: f"127.0.0.1, 2001:db8:{number}::1",
)


def attempt(house: House, number: int, headers: list[tuple[str, str]]) -> TestResponse:
    return house.client.post(
        "/api/v1/login",
        json={"username": f"user{number}", "password": "wrong"},
        headers=headers,
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
    )


@pytest.mark.parametrize("header", HEADERS)
def test_without_a_proxy_no_header_makes_another_address(header: str, build: Build) -> None:
    house = build(login_rate_per_address="3 per hour")
    statuses = [
        attempt(house, number, [(header, WRITTEN[number % 4](number))]).status_code
        for number in range(8)
    ]
    assert statuses == [401] * 3 + [429] * 5


@pytest.mark.parametrize("proxies", [1, 2])
def test_behind_proxies_what_the_client_wrote_makes_none_either(proxies: int, build: Build) -> None:
    house = build(login_rate_per_address="3 per hour", trusted_proxies=proxies)
    added = ", ".join(["192.0.2.99", "10.0.0.1"][:proxies])
    statuses = [
        attempt(
            house,
            number,
            [
                ("X-Forwarded-For", f"198.51.100.{number}, 203.0.113.{number}, {added}"),
                ("X-Real-IP", f"198.51.100.{number}"),
                ("Forwarded", f"for=198.51.100.{number}"),
            ],
        ).status_code
        for number in range(8)
    ]
    assert statuses == [401] * 3 + [429] * 5


def test_behind_a_proxy_two_headers_are_read_as_one(build: Build) -> None:
    house = build(login_rate_per_address="3 per hour", trusted_proxies=1)
    statuses = [
        attempt(
            house,
            number,
            [("X-Forwarded-For", f"198.51.100.{number}"), ("X-Forwarded-For", "192.0.2.99")],
        ).status_code
        for number in range(8)
    ]
    assert statuses == [401] * 3 + [429] * 5


def test_behind_a_proxy_two_clients_are_two(build: Build) -> None:
    house = build(login_rate_per_address="1 per hour", trusted_proxies=1)
    for number in range(4):
        answer = attempt(house, number, [("X-Forwarded-For", f"192.0.2.{number}")])
        assert answer.status_code == 401


def test_names_written_otherwise_are_one_name(build: Build) -> None:
    house = build(login_rate_per_user="3 per hour")
    names = ("victim", "Victim", "VICTIM ", "\uff56ictim", "victim\t", "vICTIM")
    statuses = [
        house.client.post(
            "/api/v1/login",
            json={"username": name, "password": "wrong"},
            environ_base={"REMOTE_ADDR": f"192.0.2.{number}"},
        ).status_code
        for number, name in enumerate(names)
    ]
    assert statuses == [401] * 3 + [429] * 3
