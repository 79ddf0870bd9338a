"""Coming in, staying in, going out; tokens stay in memory and end when they should."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests.browser.playground import Playground
from tests.examples.real_gateway import PASSWORD, USER, RealGateway
from visiongate.keys import KeyRing


class Tokens:
    """Sees the tokens that the page is given; ``changes`` are made to the next ones."""

    def __init__(self, page: Page, gateway: RealGateway) -> None:
        self.given: list[dict[str, Any]] = []
        self.refreshed = 0
        self.changes: list[dict[str, Any]] = []
        self._key = KeyRing(gateway.data / "keys.json").signing()
        page.route(re.compile("/api/v1/(login|refresh)$"), self._pass)

    def _pass(self, route: Route) -> None:
        response = route.fetch()
        if response.ok:
            answer = response.json() | (self.changes.pop(0) if self.changes else {})
            self.given.append(answer)
            self.refreshed += route.request.url.endswith("refresh")
            route.fulfill(response=response, json=answer)
        else:
            route.fulfill(response=response)

    def expired(self, kind: str) -> str:
        """Return a token of the gateway's whose time is over."""
        claims = jwt.decode(self.given[-1][f"{kind}_token"], options={"verify_signature": False})
        past = claims | {"iat": int(time.time()) - 60, "exp": int(time.time()) - 30}
        return jwt.encode(past, self._key.secret, "HS256", headers={"kid": self._key.kid})


@pytest.fixture
def tokens(page: Page, gateway: RealGateway) -> Tokens:
    return Tokens(page, gateway)


def works(gateway: RealGateway, token: str) -> bool:
    answer = requests.get(
        f"{gateway.address}/api/v1/me", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_who_logs_in_is_named_and_sees_the_detectors(entrance: Playground) -> None:
    expect(entrance.page).to_have_title("Visiongate: the playground")
    expect(entrance.choose).to_be_hidden()
    entrance.log_in()
    expect(entrance.page.get_by_text(f"Logged in as {USER}")).to_be_visible()
    expect(entrance.detector("face")).to_be_checked()
    expect(entrance.password).to_be_hidden()
    expect(entrance.password).to_have_value("")


def test_a_wrong_password_is_said_in_plain_words(entrance: Playground) -> None:
    entrance.username.fill(USER)
    entrance.password.fill("wrong")
    entrance.enter.click()
    expect(entrance.problem).to_contain_text("Wrong user name or password.")
    expect(entrance.problem).to_contain_text("credentials_wrong")
    expect(entrance.password).to_be_focused()
    entrance.log_in()
    expect(entrance.problem).to_be_hidden()


def test_too_many_attempts_are_said_in_plain_words(entrance: Playground) -> None:
    def refuse(route: Route) -> None:
        problem = {"detail": "Too many attempts; wait 30 s.", "code": "too_many_requests"}
        route.fulfill(status=429, json=problem, headers={"Retry-After": "30"})

    entrance.page.route("**/api/v1/login", refuse)
    entrance.username.fill(USER)
    entrance.password.fill(PASSWORD)
    entrance.enter.click()
    expect(entrance.problem).to_contain_text("Too many attempts; wait 30 s.")


def test_a_gateway_that_is_away_is_said_in_plain_words(entrance: Playground) -> None:
    entrance.page.route("**/api/v1/login", lambda route: route.abort("connectionrefused"))
    entrance.username.fill(USER)
    entrance.password.fill(PASSWORD)
    entrance.enter.click()
    expect(entrance.problem).to_contain_text("The gateway cannot be reached.")


def test_a_proxy_that_fails_is_said_in_plain_words(entrance: Playground) -> None:
    entrance.page.route(
        "**/api/v1/login", lambda route: route.fulfill(status=502, body="<h1>Bad Gateway</h1>")
    )
    entrance.username.fill(USER)
    entrance.password.fill(PASSWORD)
    entrance.enter.click()
    expect(entrance.problem).to_contain_text("a proxy before it, answered 502")


def test_an_expired_access_token_is_refreshed_and_nobody_notices(
    entrance: Playground, tokens: Tokens, portrait: Path
) -> None:
    entrance.log_in()
    entrance.log_out()
    tokens.changes = [{"access_token": tokens.expired("access")}]
    entrance.log_in()
    assert tokens.refreshed == 1
    assert entrance.asked(portrait)["detections"]
    expect(entrance.problem).to_be_hidden()


def test_tokens_are_renewed_before_they_expire(
    entrance: Playground, tokens: Tokens, portrait: Path
) -> None:
    refused: list[str] = []
    entrance.page.on("response", lambda one: refused.extend([one.url] * (one.status == 401)))
    tokens.changes = [{"expires": 0}, {"expires": 0}]
    entrance.log_in()
    assert tokens.refreshed == 1
    entrance.asked(portrait)
    assert tokens.refreshed == 2
    entrance.asked(portrait)
    assert tokens.refreshed == 2
    assert refused == []


def test_a_login_that_has_ended_leads_back_to_the_entrance(
    entrance: Playground, tokens: Tokens, portrait: Path
) -> None:
    entrance.log_in()
    entrance.asked(portrait)
    page = entrance.page
    entrance.log_out()
    tokens.changes = [{f"{kind}_token": tokens.expired(kind) for kind in ("access", "refresh")}]
    entrance.password.fill(PASSWORD)
    entrance.enter.click()
    expect(entrance.problem).to_contain_text("Your login has ended. Log in again.")
    expect(entrance.problem).to_contain_text("token_expired")
    expect(entrance.username).to_have_value(USER)
    expect(entrance.password).to_be_focused()
    expect(entrance.choose).to_be_hidden()
    expect(page.locator("#boxes button")).to_have_count(0)
    expect(page.locator("#strip button")).to_have_count(0)
    entrance.log_in()


def test_a_login_that_ends_amid_the_work_shows_nothing_more(
    entrance: Playground, tokens: Tokens, gateway: RealGateway, portrait: Path
) -> None:
    entrance.log_in()
    entrance.asked(portrait)
    for given in tokens.given:
        requests.post(
            f"{gateway.address}/api/v1/logout",
            headers={"Authorization": f"Bearer {given['access_token']}"},
            timeout=60,
        )
    entrance.page.get_by_role("button", name="Ask again").click()
    expect(entrance.problem).to_contain_text("Your login has ended. Log in again.")
    expect(entrance.problem).to_contain_text("token_revoked")
    expect(entrance.choose).to_be_hidden()


def test_logging_out_revokes_the_tokens(
    entrance: Playground, tokens: Tokens, gateway: RealGateway
) -> None:
    entrance.log_in()
    (given,) = tokens.given
    assert works(gateway, given["access_token"])
    entrance.page.get_by_role("button", name="Log out").click()
    expect(entrance.status).to_contain_text("Logged out")
    assert not works(gateway, given["access_token"])
    refresh = requests.post(
        f"{gateway.address}/api/v1/refresh",
        headers={"Authorization": f"Bearer {given['refresh_token']}"},
        timeout=60,
    )
    assert refresh.json()["code"] == "token_revoked"
    expect(entrance.password).to_be_focused()


def test_logging_out_revokes_them_after_the_access_token_has_expired(
    entrance: Playground, tokens: Tokens, gateway: RealGateway
) -> None:
    entrance.log_in()

    def expire(route: Route) -> None:
        bearer = f"Bearer {tokens.expired('access')}"
        route.continue_(headers={**route.request.headers, "authorization": bearer})

    entrance.page.route("**/api/v1/logout", expire, times=1)
    entrance.page.get_by_role("button", name="Log out").click()
    expect(entrance.status).to_contain_text("Logged out")
    assert tokens.refreshed == 1
    assert not works(gateway, tokens.given[0]["access_token"])
    assert not works(gateway, tokens.given[1]["access_token"])


def test_logging_out_of_a_gateway_that_is_away_forgets_the_tokens(entrance: Playground) -> None:
    entrance.log_in()
    entrance.page.route("**/api/v1/logout", lambda route: route.abort("connectionrefused"))
    entrance.page.get_by_role("button", name="Log out").click()
    expect(entrance.problem).to_contain_text("The gateway could not be told.")
    expect(entrance.enter).to_be_visible()


def test_closing_the_page_revokes_the_tokens(
    entrance: Playground, tokens: Tokens, gateway: RealGateway
) -> None:
    entrance.log_in()
    (given,) = tokens.given
    entrance.page.goto("about:blank")
    end = time.monotonic() + 120  # the request outlives its page, so nobody tells when it is done
    while works(gateway, given["access_token"]):
        assert time.monotonic() < end


def test_tokens_are_kept_nowhere(playground: Playground) -> None:
    kept = playground.page.evaluate(
        """async () => ({
            local: localStorage.length, session: sessionStorage.length,
            cookies: document.cookie, databases: (await indexedDB.databases()).length,
            caches: (await caches.keys()).length, name: window.name, address: location.href,
        })"""
    )
    address = kept.pop("address")
    assert address == f"{playground.gateway.address}/"
    assert not any(kept.values())
    playground.page.reload()
    expect(playground.enter).to_be_visible()


def test_nothing_of_a_login_reaches_an_address(entrance: Playground) -> None:
    asked: list[str] = []
    entrance.page.on("request", lambda request: asked.append(request.url))
    entrance.log_in()
    assert all(PASSWORD not in url and "token" not in url for url in asked)
