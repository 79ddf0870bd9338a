"""Which requests need a place, and what those are told for whom there is none."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from structlog.testing import capture_logs

from visiongate.web.serving.door import Door, door_of

HEAD = b"POST /api/v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 5"


@pytest.mark.parametrize(
    ("line", "route"),
    [
        (b"POST /api/v1/detect HTTP/1.1", "/api/v1/detect"),
        (b"POST /api/v1/detect?detectors=face HTTP/1.1", "/api/v1/detect"),
        (b"POST /api/v1/detect/face HTTP/1.1", "/api/v1/detect/<string:name>"),
        (b"POST /api/v1/detect/face?a=/b HTTP/1.1", "/api/v1/detect/<string:name>"),
        (b"POST /classify HTTP/1.1", "/classify"),
        (b"POST /api/gender HTTP/1.1", "/api/gender"),
        (b"POST /predict HTTP/1.1", "/predict"),
        (b"POST /upload HTTP/1.1", "/upload"),
        (b"POST /api/v1/detect/face/more HTTP/1.1", None),
        (b"POST /api/v1/detected HTTP/1.1", None),
        (b"POST /api/v1/login HTTP/1.1", None),
        (b"GET /api/v1/detect/face HTTP/1.1", None),
        (b"POST http://x/api/v1/detect HTTP/1.1", None),
        (b"POST /", None),
        (b"POST / \xff\xfe", None),
        (b"", None),
    ],
)
def test_routes_that_need_a_place(line: bytes, route: str | None) -> None:
    assert Door(1).route(line + b"\r\nHost: x") == route


def test_every_route_that_looks_at_pictures_is_known(app: Flask) -> None:
    """A new one that is forgotten here would be refused at the price of an answer."""
    looking = {
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint.startswith(("detect", "compat_")) and "POST" in (rule.methods or ())
    }
    assert looking
    for route in looking:
        path = route.replace("<string:name>", "face").encode()
        assert Door(1).route(b"POST " + path + b" HTTP/1.1") == route


def test_the_door_has_the_engines_room_and_counts_for_the_operator(app: Flask) -> None:
    door = door_of(app)
    engine = app.extensions["visiongate.services"].engine
    assert door.most == engine.concurrency + engine.max_waiting > 0
    at_first = door.is_full
    for visitor in range(door.most):
        door.enter(visitor)
    assert (at_first, door.is_full) == (False, True)
    refusal = door.refuse(HEAD, "/api/v1/detect")
    assert refusal.keeps
    problem = json.loads(refusal.answer.partition(b"\r\n\r\n")[2])
    assert problem["code"] == "overloaded"
    shown = app.test_client().get("/metrics").text
    assert (
        'visiongate_requests_total{method="POST",route="/api/v1/detect",status="503"} 1.0' in shown
    )
    assert 'visiongate_errors_total{code="overloaded"} 1.0' in shown


def test_the_log_tells_how_many_and_not_of_each() -> None:
    door = Door(1)
    with capture_logs() as lines:
        door.tell()
        for _ in range(7):
            door.refuse(HEAD, "/api/v1/detect")
        door.tell()
        door.refuse(HEAD, "/api/v1/detect")
        door.tell()
    assert lines == [
        {"event": "turned away", "requests": 7, "code": "overloaded", "log_level": "warning"}
    ]


@pytest.mark.parametrize(
    ("origins", "allowed"),
    [
        ((), None),
        (("https://a.example",), "https://a.example"),
        (("https://b.example",), None),
        (("*",), "*"),
    ],
)
def test_pages_of_allowed_origins_may_read_it(origins: tuple[str, ...], allowed: str) -> None:
    head = HEAD + b"\r\nOrigin: https://a.example"
    answer = Door(1, origins=origins).refuse(head, "/api/v1/detect").answer.decode()
    assert ("Access-Control-Allow-Origin" in answer) == (allowed is not None)
    if allowed:
        assert f"\r\nAccess-Control-Allow-Origin: {allowed}\r\n" in answer
        assert "Retry-After" in answer.split("Access-Control-Expose-Headers: ")[1]


def test_an_id_that_could_write_into_the_answer_is_not_taken_over() -> None:
    for given in (b"a\tb", b"a: b", b"x" * 65, b"\xe9", b"a\nSet-Cookie: x"):
        answer = Door(1).refuse(HEAD + b"\r\nX-Request-ID: " + given, "/api/v1/detect").answer
        assert given not in answer


def test_no_header_makes_the_loop_think_for_long() -> None:
    head = HEAD + b"\r\nX: a" + b" " * 60_000 + b"b" + b"\r\nY:" + b"\t" * 60_000
    assert Door(1).refuse(head, "/api/v1/detect").keeps
