"""A lone client that comes again at once is answered by the thread that answered it before."""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

import pytest

from tests.web.fakes import FakeDetector
from tests.web.serving.server import SECONDS
from tests.web.serving.ways import Ways, answer_of, request
from visiongate.errors import DetectorUnavailable
from visiongate.web.serving import answering
from visiongate.web.serving.answering import LINGER_SECONDS, is_waited_for
from visiongate.web.serving.arrival import Arrival

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


@pytest.mark.parametrize("pause", [0.0, LINGER_SECONDS * 5], ids=["at once", "later"])
def test_a_lone_client_is_answered_again_and_again(ways: Ways, jpeg: bytes, pause: float) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    for _ in range(20):
        time.sleep(pause)
        client.wire.sendall(raw)
        assert answer_of(client) == first
    assert ways.short.door.inside == 0


def test_a_lone_client_needs_no_other_thread(
    ways: Ways, jpeg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "LINGER_SECONDS", 30.0)  # however slow the machine
    handed_over: list[object] = []
    lane, plain = ways.short.door.lane, ways.short.door.lane.line_up

    def line_up(*given: Any) -> None:
        handed_over.append(given[0])
        plain(*given)

    monkeypatch.setattr(lane, "line_up", line_up)
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    for _ in range(5):
        client.wire.sendall(raw)
        assert answer_of(client) == first
    client.close()
    assert len(handed_over) == 1


def test_what_comes_next_may_be_anything(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    assert client.answer()[0] == 200
    health = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    for more, statuses in [
        (health, [200]),
        (raw, [200]),
        (raw + raw, [200, 200]),
        (health + raw, [200, 200]),
        (raw + health, [200, 200]),
        (request(ways, b"no picture"), [415]),
        (request(ways, jpeg, Authorization=b"Bearer x"), [401]),
        (raw, [200]),
    ]:
        client.wire.sendall(more)
        assert [client.answer()[0] for _ in statuses] == statuses


def test_what_comes_in_pieces_is_put_together(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    for cut in (1, 10, 200, len(raw) - 1):
        for pause in (0.0, LINGER_SECONDS / 2, 0.05):
            client.wire.sendall(raw[:cut])
            time.sleep(pause)
            client.wire.sendall(raw[cut:])
            assert answer_of(client) == first


def test_who_goes_after_the_answer_leaves_nothing_behind(ways: Ways, jpeg: bytes) -> None:
    raw, before = request(ways, jpeg), ways.short.worker.nr_conns
    for _ in range(10):
        client = ways.short.ask(raw)
        assert client.answer()[0] == 200
        client.close()
    end = time.monotonic() + 30
    while ways.short.worker.nr_conns > before and time.monotonic() < end:
        time.sleep(0.01)
    assert ways.short.worker.nr_conns == before
    assert ways.short.door.inside == 0


def test_who_waits_to_be_told_to_go_on_is_told_at_once(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    head, body = request(ways, jpeg, Expect=b"100-continue").split(b"\r\n\r\n", 1)
    client.wire.sendall(head + b"\r\n\r\n")
    assert client.wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.wire.sendall(body)
    assert answer_of(client) == first


@pytest.mark.parametrize(
    ("head", "waits"),
    [
        (b"Content-Length: 5", True),
        (b"Content-Length: 1999999", True),
        (b"Content-Length: 2000005", False),
        (b"Transfer-Encoding: chunked", False),
        (b"Content-Length: 5\r\nExpect: 100-continue", False),
    ],
    ids=repr,
)
def test_for_what_a_thread_waits(head: bytes, waits: bool) -> None:
    arrival = Arrival(10_000_000)
    arrival.feed(b"POST / HTTP/1.1\r\n")
    assert is_waited_for(arrival)
    arrival.feed(head + b"\r\n\r\n1\r\n")
    assert is_waited_for(arrival) == waits


def test_no_thread_waits_for_a_head_without_end() -> None:
    arrival = Arrival(10_000_000)
    arrival.feed(b"GET /" + b"a" * 60_000)
    assert is_waited_for(arrival)
    arrival.feed(b"a" * 10_000)
    assert not is_waited_for(arrival)


def test_others_are_answered_beside_chunks_without_end(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    greedy = ways.short.ask(raw)
    assert greedy.answer()[0] == 200
    stop = threading.Event()

    def stream() -> None:
        head = (
            b"POST /api/v1/detect/object HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        with suppress(OSError):
            greedy.wire.sendall(head)
            while not stop.is_set():
                greedy.wire.sendall(b"1\r\na\r\n" * 10)

    thread = threading.Thread(target=stream)
    thread.start()
    try:
        for _ in range(10):
            assert ways.short.ask(raw).answer()[0] == 200
    finally:
        stop.set()
        thread.join(30)
        greedy.close()


def test_a_failed_request_leaves_nothing_of_its_picture(
    ways: Ways, detectors: dict[str, FakeDetector], jpeg: bytes
) -> None:
    raw = request(ways, jpeg)
    assert ways.took_the_short_way(raw)
    seen: list[weakref.ref[Any]] = []

    def fails(images: Any, _options: Any) -> Any:
        seen.append(weakref.ref(images[0]))
        raise DetectorUnavailable("It is out of order.")

    detectors["object"].predict = fails  # type: ignore[method-assign]
    gc.disable()  # what goes in its time only would be kept as long as a connection is
    try:
        client = ways.short.ask(raw)
        assert client.answer()[0] == 503
        end = time.monotonic() + SECONDS
        while seen[0]() is not None and time.monotonic() < end:
            time.sleep(0.01)
        assert len(seen) == 1
        assert seen[0]() is None
    finally:
        gc.enable()


def test_a_failure_is_logged_under_the_id_that_is_answered(
    ways: Ways,
    detectors: dict[str, FakeDetector],
    jpeg: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    detectors["object"].fails = RuntimeError("broken")
    raw = request(ways, jpeg, X_Request_ID=None)
    capsys.readouterr()
    status, headers, _ = ways.short.ask(raw).answer()
    assert status == 503
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert len(lines) >= 2
    assert {line["request_id"] for line in lines} == {headers["x-request-id"]}
