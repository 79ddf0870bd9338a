"""Requests that need nothing but a place to compute: who lines up for one, and who does not."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from tests.web.fakes import FakeDetector
from tests.web.serving.server import SECONDS, Serve, post
from visiongate.services import Services
from visiongate.web.serving.door import door_of
from visiongate.web.serving.lane import Lane

HEAD = b"POST /api/v1/detect/face HTTP/1.1\r\nHost: x\r\nContent-Length: 5"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_as_many_as_there_are_places_are_begun_and_the_rest_wait_in_their_order(
    serve: Serve,
) -> None:
    lane = Lane(2)
    server = serve(8, lane=lane)
    inside = [server.held(), server.held()]
    waiting = []
    for number in range(3):
        waiting.append(server.ask(post(b"waits %d" % number)))
        until(lambda count=number + 1: lane.waiting == count)  # type: ignore[misc]
    assert server.door.inside == 5
    assert server.bodies == [b"held", b"held"]
    server.go.set()
    assert [client.answer()[0] for client in inside + waiting] == [200] * 5
    assert sorted(server.bodies[2:]) == [b"waits 0", b"waits 1", b"waits 2"]
    assert server.bodies.index(b"waits 2") >= 3
    until(lambda: lane.waiting == 0 and server.door.inside == 0)


@pytest.mark.parametrize(
    "request_",
    [
        post(b"", b"X-Deadline-Ms: 500\r\n"),
        post(b"", b"x-DEADLINE-ms: 500\r\n"),
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["a deadline", "the same, written otherwise", "no detection"],
)
def test_others_have_threads_of_their_own(serve: Serve, request_: bytes) -> None:
    server = serve(8, lane=Lane(1))
    server.held()
    server.ask(request_)
    assert server.began.acquire(timeout=SECONDS)


def test_while_it_is_closed_everybody_has_a_thread(serve: Serve) -> None:
    is_open = threading.Event()
    server = serve(8, lane=Lane(1, is_open.is_set))
    server.held()
    server.held()
    is_open.set()
    server.held()
    server.ask(post(b"waits"))
    until(lambda: server.door.lane.waiting == 1)
    assert server.bodies == [b"held"] * 3


def test_who_waits_in_it_for_too_long_is_told_while_all_places_are_held(serve: Serve) -> None:
    server = serve(8, lane=Lane(1))
    inside = server.held()
    waiting = server.ask(post(b"waits"))
    until(lambda: server.door.inside == 2)
    server.door.seconds = 0.0
    status, headers, body = waiting.answer()
    assert (status, json.loads(body)["code"]) == (503, "deadline_exceeded")
    assert headers["connection"] == "close"
    assert waiting.is_closed()
    until(lambda: server.door.inside == 1)
    server.go.set()
    assert inside.answer()[0] == 200
    assert server.bodies == [b"held"]


def test_a_client_that_goes_while_it_waits_holds_nothing_up(serve: Serve) -> None:
    server = serve(8, lane=Lane(1))
    inside = server.held()
    server.ask(post(b"goes")).close()
    stays = server.ask(post(b"stays"))
    server.go.set()
    assert [inside.answer()[0], stays.answer()[0]] == [200, 200]


def test_requests_of_one_connection_are_answered_in_turn(serve: Serve) -> None:
    server = serve(8, lane=Lane(1))
    server.go.set()
    client = server.ask(post(b"1") + post(b"2") + post(b"3"))
    assert [client.answer()[0] for _ in range(3)] == [200] * 3
    assert server.bodies == [b"1", b"2", b"3"]


def test_the_app_has_a_lane_whose_line_counts_as_waiting(app: Flask) -> None:
    services = app.extensions["visiongate.services"]
    lane = door_of(app).lane
    assert lane.takes(HEAD)
    release = threading.Event()
    done: list[object] = []
    for _ in range(services.engine.concurrency + 3):
        visitor: Any = object()
        lane.line_up(visitor, lambda _: release.wait(SECONDS), done.append)
    assert services.engine.waiting == 3
    release.set()
    until(lambda: len(done) == services.engine.concurrency + 3)
    lane.close()


def test_while_a_model_is_loaded_nobody_lines_up(
    app: Flask, detectors: dict[str, FakeDetector], monkeypatch: pytest.MonkeyPatch
) -> None:
    services: Services = app.extensions["visiongate.services"]
    lane = door_of(app).lane
    entry = next(iter(services.registry))
    loading, release = threading.Event(), threading.Event()

    def load(*_: object) -> None:
        loading.set()
        assert release.wait(SECONDS)

    monkeypatch.setattr(detectors[entry.name], "load", load)
    with ThreadPoolExecutor() as pool:
        loaded = pool.submit(entry.ready, services.models, services.device, services.probe)
        assert loading.wait(SECONDS)
        assert not lane.takes(HEAD)
        release.set()
        loaded.result(SECONDS)
    assert lane.takes(HEAD)


def test_where_addresses_may_be_fetched_nobody_lines_up(make_app: Callable[..., Flask]) -> None:
    assert not door_of(make_app(url_hosts=("example.org",))).lane.takes(HEAD)
    assert not door_of(make_app(url_private_hosts=("camera.lan",))).lane.takes(HEAD)
