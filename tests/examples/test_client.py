"""The client class, against a real gateway, and against answers that one rarely gives."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import pytest
import requests
from requests.adapters import BaseAdapter

from tests.docs.pages import DOCS, code_blocks
from tests.examples.moving_face import face, frame, overlap
from tests.examples.real_gateway import PASSWORD, USER, RealGateway
from visiongate_client import (
    GatewayError,
    GatewayRefused,
    GatewayUnreachable,
    VisiongateClient,
)

Answer: TypeAlias = tuple[int, dict[str, str], object]
"""Status, headers, and a body as JSON or as bytes."""


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Recording(requests.Session):
    """A session that notes the routes asked, and the tokens given."""

    def __init__(self) -> None:
        super().__init__()
        self.routes: list[str] = []
        self.tokens: list[dict[str, str]] = []
        self.hooks["response"].append(self._note)

    def _note(self, response: requests.Response, **_: object) -> None:
        route = response.request.path_url.rpartition("/")[2].partition("?")[0]
        self.routes.append(route)
        if route in ("login", "refresh") and response.ok:
            self.tokens.append(response.json())


@pytest.fixture
def session() -> Recording:
    return Recording()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(gateway: RealGateway, session: Recording, clock: Clock) -> Iterator[VisiongateClient]:
    with VisiongateClient(gateway.address, USER, PASSWORD, session=session, clock=clock) as client:
        yield client


def jpeg(number: int = 0) -> bytes:
    return cv2.imencode(".jpg", frame(number))[1].tobytes()


def test_a_face_is_found_where_it_is(client: VisiongateClient) -> None:
    report = client.detect(jpeg(3), ["face"], min_confidence=0.9, labels=None)
    (found,) = report["detections"]
    assert overlap(found["box"], face(3)) > 0.7


def test_the_page_s_example_works(
    gateway: RealGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("1.jpg").write_bytes(jpeg())
    (code,) = code_blocks((DOCS / "stream.md").read_text(encoding="utf-8"), "python")
    assert "http://localhost:5000" in code
    exec(code.replace("http://localhost:5000", gateway.address), {"password": PASSWORD})
    assert capsys.readouterr().out.startswith("face 0.9")


def test_a_picture_is_kept_only_when_that_is_asked_for(
    client: VisiongateClient, gateway: RealGateway
) -> None:
    before = len(gateway.kept)
    assert client.detect(jpeg(), ["face"])["retained"] is None
    assert len(gateway.kept) == before
    assert client.detect(jpeg(), ["face"], keep=True)["retained"] is not None
    assert len(gateway.kept) > before


def test_a_token_that_has_expired_is_renewed(client: VisiongateClient, session: Recording) -> None:
    client.login()  # by the client's clock, which stands still, the token never expires
    end = time.monotonic() + 60
    while "refresh" not in session.routes and time.monotonic() < end:
        assert client.detectors()
        threading.Event().wait(0.05)
    assert session.routes[-3:] == ["detectors", "refresh", "detectors"]


def test_the_password_helps_where_the_refresh_token_does_not(
    client: VisiongateClient, session: Recording, gateway: RealGateway
) -> None:
    client.login()
    bearer = {"Authorization": f"Bearer {session.tokens[0]['refresh_token']}"}
    assert requests.post(f"{gateway.address}/api/v1/refresh", headers=bearer, timeout=30).ok
    # A used token that comes again ends the whole login, so the access token fails as well.
    assert (
        requests.post(f"{gateway.address}/api/v1/refresh", headers=bearer, timeout=30).status_code
        == 401
    )
    assert client.detectors()
    assert session.routes == ["login", "detectors", "refresh", "login", "detectors"]


def test_closing_logs_out(
    client: VisiongateClient, session: Recording, gateway: RealGateway
) -> None:
    client.login()
    client.close()
    for kind, method, route in (("access", "GET", "me"), ("refresh", "POST", "refresh")):
        bearer = {"Authorization": f"Bearer {session.tokens[0][f'{kind}_token']}"}
        answer = requests.request(
            method, f"{gateway.address}/api/v1/{route}", headers=bearer, timeout=60
        )
        assert answer.status_code == 401
    # Of the two only this one lives long enough here to be surely ended by nothing else.
    assert answer.json()["code"] == "token_revoked"


def test_an_entry_in_netrc_does_not_replace_the_token(
    client: VisiongateClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.detectors()


def test_a_wrong_password_is_told_and_never_tried_again(
    gateway: RealGateway, session: Recording
) -> None:
    client = VisiongateClient(gateway.address, USER, "wrong", session=session)
    with pytest.raises(GatewayRefused, match="password") as caught:
        client.patiently(client.detectors)
    assert caught.value.code == "credentials_wrong"
    assert session.routes == ["login"]


def test_the_password_is_in_no_representation(gateway: RealGateway) -> None:
    assert PASSWORD not in repr(VisiongateClient(gateway.address, USER, PASSWORD))


class Scripted(BaseAdapter):
    """Answers what a script says, one answer a request, in place of a network."""

    def __init__(self, *script: Answer) -> None:
        super().__init__()
        self.script = list(script)
        self.asked: list[tuple[str, str]] = []
        """The last part of each path, and the token that came with it."""

    def send(  # type: ignore[override]  # of what comes along, nothing matters here
        self, request: requests.PreparedRequest, **_: object
    ) -> requests.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append((request.path_url.rpartition("/")[2], token))
        status, headers, body = self.script.pop(0)
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers)
        response.url = request.url or ""
        response.request = request
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        response.raw = io.BytesIO(content)
        return response

    def close(self) -> None:
        pass


def tokens(name: str, life: float) -> Answer:
    return (
        200,
        {},
        {"access_token": f"access {name}", "refresh_token": f"refresh {name}", "expires": life},
    )


LOGIN = tokens("", 3600)
FINE = (200, {}, {"detectors": []})


def problem(status: int, code: str, **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return (status, names, {"code": code, "detail": f"the words of {code}"})


class Scene:
    """A client whose gateway follows a script, and whose pauses only move its clock."""

    def __init__(self, *script: Answer) -> None:
        self.clock = Clock()
        self.pauses: list[float] = []
        self.adapter = Scripted(*script)
        session = requests.Session()
        session.mount("http://", self.adapter)
        self.client = VisiongateClient(
            "http://gateway", USER, PASSWORD, session=session, clock=self.clock, wait=self._wait
        )

    def _wait(self, _problem: GatewayError, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.now += seconds

    def ask(self) -> Any:
        return self.client.patiently(self.client.detectors)


@pytest.mark.parametrize(
    "answer",
    [
        problem(503, "overloaded", Retry_After="3"),
        problem(429, "too_many_requests", Retry_After="3"),
        problem(503, "model_unavailable", Retry_After="3"),
    ],
    ids=lambda answer: answer[2]["code"],
)
def test_the_gateway_says_how_long_to_wait(answer: Answer) -> None:
    scene = Scene(LOGIN, answer, FINE)
    assert scene.ask() == []
    assert scene.pauses == [3.0]


def test_it_may_say_so_as_a_date() -> None:
    moment = datetime.now(timezone.utc) + timedelta(seconds=55)
    scene = Scene(
        LOGIN, problem(503, "overloaded", Retry_After=format_datetime(moment, usegmt=True)), FINE
    )
    scene.ask()
    assert 20 < scene.pauses[0] <= 55


def test_pauses_grow_to_a_limit_and_patience_ends() -> None:
    scene = Scene(LOGIN, *[problem(502, "")] * 40)
    with pytest.raises(GatewayRefused):
        scene.ask()
    assert 0.2 <= scene.pauses[0] <= 0.3
    assert 6.4 <= max(scene.pauses) <= 9.6
    assert 40 < sum(scene.pauses) <= 60


@pytest.mark.parametrize(
    "answer",
    [
        problem(503, "detector_unavailable"),
        problem(404, "detector_unknown"),
        problem(413, "picture_too_large"),
        problem(500, "internal_error"),
        problem(503, "overloaded", Retry_After="3600"),
        (302, {"Location": "https://gateway/"}, {}),
        (200, {}, b"<html>"),
        (200, {}, [1]),
    ],
    ids=str,
)
def test_what_waiting_cannot_mend_is_raised_at_once(
    answer: Answer,
) -> None:
    scene = Scene(LOGIN, answer)
    with pytest.raises(GatewayError):
        scene.ask()
    assert scene.pauses == []


def test_an_error_has_the_gateway_s_words() -> None:
    with pytest.raises(GatewayRefused, match="the words of detector_forbidden") as caught:
        Scene(LOGIN, problem(403, "detector_forbidden")).ask()
    assert (caught.value.status, caught.value.code) == (403, "detector_forbidden")


def test_a_page_of_something_else_is_no_login() -> None:
    with pytest.raises(GatewayError, match="is it a Visiongate"):
        Scene((200, {}, {"hello": "world"})).ask()


def test_a_token_is_renewed_before_it_expires() -> None:
    scene = Scene(tokens("1", 100), FINE, FINE, tokens("2", 1000), FINE, FINE, tokens("3", 1), FINE)
    # A fifth of its life before the end, at most a minute.
    for moment in (0, 79, 81, 81 + 939, 81 + 941):
        scene.clock.now = 1000.0 + moment
        scene.ask()
    assert scene.adapter.asked == [
        ("login", ""),
        ("detectors", "access 1"),
        ("detectors", "access 1"),
        ("refresh", "refresh 1"),
        ("detectors", "access 2"),
        ("detectors", "access 2"),
        ("refresh", "refresh 2"),
        ("detectors", "access 3"),
    ]


def test_a_refresh_that_comes_too_early_is_tried_again() -> None:
    scene = Scene(LOGIN, FINE, problem(503, "unavailable"), LOGIN, FINE)
    scene.ask()
    scene.clock.now += 4000
    assert scene.ask() == []
    assert scene.adapter.script == []


def test_nobody_there(unused_port: int) -> None:
    client = VisiongateClient(f"http://127.0.0.1:{unused_port}", USER, PASSWORD)
    with pytest.raises(GatewayUnreachable, match="cannot be reached: Connection refused"):
        client.login()


@pytest.mark.parametrize("address", ["localhost:5000", "http://", "gopher://x", ""])
def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(GatewayError, match="is no address") as caught:
        VisiongateClient(address, USER, PASSWORD).login()
    assert not caught.value.transient
