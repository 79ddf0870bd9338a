"""The server's own loop, over real sockets: who is let in, who is turned away, and how."""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import pytest

from tests.web.serving.server import DETECT, PICTURE, SECONDS, Client, Serve, post

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


def test_when_full_a_head_alone_is_answered_before_its_body_has_come(serve: Serve) -> None:
    server = serve(1)
    inside = server.held()
    client = server.ask(post(PICTURE)[:200])
    status, headers, body = client.answer()
    problem = json.loads(body)
    assert (status, problem["code"], problem["request_id"]) == (503, "overloaded", "mine")
    assert (headers["retry-after"], headers["x-request-id"]) == ("3", "mine")
    assert headers["connection"] == "keep-alive"
    assert server.counted == [("/api/v1/detect/<string:name>", "overloaded")]
    server.go.set()
    assert inside.answer()[0] == 200
    # The rest of what was refused is no request; what follows it is.
    client.wire.sendall(post(PICTURE)[200:] + post(b"next"))
    assert client.answer()[0] == 200
    assert server.bodies == [b"held", b"next"]


def test_those_inside_are_counted_out_again(serve: Serve) -> None:
    server = serve(2)
    clients = [server.held(), server.held()]
    assert server.ask(post(b"third")).answer()[0] == 503
    server.go.set()
    assert [client.answer()[0] for client in clients] == [200, 200]
    again = server.ask(post(b"1"))
    assert again.answer()[0] == 200
    again.wire.sendall(post(b"2"))
    assert again.answer()[0] == 200
    assert server.door.inside == 0


def test_a_body_that_is_on_its_way_holds_no_place(serve: Serve) -> None:
    server = serve(1)
    slow = [server.ask(post(PICTURE)[:500]) for _ in range(5)]
    inside = server.held()
    slow[0].wire.sendall(post(PICTURE)[500:])  # came whole when there was no room any more
    assert slow[0].answer()[0] == 503
    server.go.set()
    assert inside.answer()[0] == 200


@pytest.mark.parametrize("line", [b"GET /health/live", b"POST /api/v1/login"])
def test_what_needs_no_place_gets_through(serve: Serve, line: bytes) -> None:
    server = serve(1)
    server.held()
    assert server.ask(line + b" HTTP/1.1\r\nHost: x\r\n\r\n").answer()[0] == 200


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (post(b"x" * 9, b"Expect: 100-continue\r\n")[:-9], "whether a body follows is not known"),
        (DETECT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "chunks"),
        (post(b"abc", b"Transfer-Encoding: identity\r\n"), "two framings"),
        (post(b"abc", b"Content-Length: 3\r\n"), "two lengths"),
        (post(b"abc", b"Content-Length : 3\r\n"), "a name that others may read otherwise"),
        (post(b"abc", b"X: 1\r\n folded: 2\r\n"), "a folded line"),
        (post(b"abc", b"X: 1\nContent-Length: 9\r\n"), "a line that ends otherwise"),
        (post(b"abc", b"Connection: close\r\n"), "the client's wish"),
        (post(b"abc").replace(b"HTTP/1.1", b"HTTP/1.0"), "an old client"),
        (DETECT + b"Content-Length: 1000001\r\n\r\n", "more than anybody may send"),
    ],
)
def test_a_connection_is_kept_only_where_the_request_ends_beyond_doubt(
    serve: Serve, data: bytes, what: str
) -> None:
    server = serve(1)
    server.held()
    client = server.ask(data)
    status, headers, _ = client.answer()
    assert (status, headers["connection"]) == (503, "close"), what
    client.wire.sendall(b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
    assert client.is_closed()
    assert server.bodies == [] or server.bodies == [b"held"]


def test_a_client_that_sends_all_before_it_reads_gets_its_answer(serve: Serve) -> None:
    server = serve(1)
    server.held()
    for more in (b"", b"Connection: close\r\n"):
        client = server.ask(post(b"x" * 900_000, more))
        assert client.answer()[0] == 503


def test_requests_in_a_row_are_each_answered_in_their_turn(serve: Serve) -> None:
    server = serve(1)
    server.held()
    health = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    client = server.ask(post(b"1") + post(PICTURE) + post(b"") + health + post(b"4"))
    assert [client.answer()[0] for _ in range(5)] == [503, 503, 503, 200, 503]


def test_clients_of_earlier_services_are_refused_in_their_shape(serve: Serve) -> None:
    server = serve(1)
    server.held()
    for path, shape in ((b"/classify", {"success": False}), (b"/upload?x=1", {})):
        client = server.ask(b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        status, headers, body = client.answer()
        said = json.loads(body)
        assert (status, headers["content-type"]) == (503, "application/json")
        assert "waiting already" in said.pop("error")
        assert said == shape


def test_who_waited_too_long_for_a_thread_is_told(serve: Serve) -> None:
    server = serve(8, seconds=0.0, threads=1)
    client = server.ask(post(PICTURE))
    status, headers, body = client.answer()
    assert (status, json.loads(body)["code"]) == (503, "deadline_exceeded")
    assert headers["connection"] == "close"
    assert client.is_closed()
    assert server.bodies == []


def test_the_application_can_tell_when_a_request_had_come_whole(serve: Serve) -> None:
    from visiongate.web.serving.patient_socket import came_whole_at

    server = serve(2)
    begun = time.monotonic()
    server.go.set()
    client = server.ask(post(b"1"))
    assert client.answer()[0] == 200
    answered = time.monotonic()
    client.wire.sendall(post(b"2"))
    assert client.answer()[0] == 200
    first, second = (came_whole_at(environ) for environ in server.environs)
    assert begun <= first <= second
    # Its socket tells of the last one; at that time the thread asks.
    assert second >= answered
    assert came_whole_at({}) >= second


def test_many_connections_are_taken_in_at_once_and_idle_ones_make_room(serve: Serve) -> None:
    server = serve(0)
    server.worker.cfg.set("worker_connections", 40)
    server.worker.worker_connections = 40
    first = [server.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(40)]
    assert [client.answer()[0] for client in first] == [200] * 40
    more = [server.ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(40)]
    assert [client.answer()[0] for client in more] == [200] * 40


def reset(client: Client) -> None:
    """Go away so that whatever is sent to the client fails."""
    client.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_a_client_that_goes_before_it_is_told_to_continue_ends_nothing_else(serve: Serve) -> None:
    server = serve(4)
    for _ in range(20):
        reset(server.ask(DETECT + b"Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"))
    server.go.set()
    assert server.ask(post(b"x")).answer()[0] == 200


def test_very_many_requests_in_one_piece_are_turned_away_one_by_one(serve: Serve) -> None:
    server = serve(1)
    server.held()
    client = server.ask(post(b"") * 1500)
    assert [client.answer()[0] for _ in range(100)] == [503] * 100
    reset(client)
    server.go.set()
    assert server.ask(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").answer()[0] == 200


def test_an_answer_that_fails_on_its_way_ends_its_connection_alone(serve: Serve) -> None:
    server = serve(4)

    def broken(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("Content-Length", "20")])
        yield b"half of it"
        raise RuntimeError("and then")

    whole, server.worker.wsgi = server.worker.wsgi, broken
    client = server.ask(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    client.wire.settimeout(SECONDS)
    while client.wire.recv(1000):
        pass
    server.worker.wsgi = whole
    server.go.set()
    assert server.ask(post(b"x")).answer()[0] == 200


def test_a_fault_in_the_loop_ends_one_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(1)

    def fail(_head: bytes) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(server.door, "route", fail)
        assert server.ask(post(b"x")).is_closed()
    server.go.set()
    assert server.ask(post(b"x")).answer()[0] == 200
    assert server.door.inside == 0


def test_without_descriptors_it_goes_on_with_those_it_has(serve: Serve) -> None:
    import resource

    server = serve(4)
    server.go.set()
    kept = server.ask(post(b"x"))
    assert kept.answer()[0] == 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The least that is free is what the next connection would get.
    with socket.socket() as last:
        least = last.fileno()
    wires = [socket.socket() for _ in range(3)]  # ours, made while there is room
    resource.setrlimit(resource.RLIMIT_NOFILE, (least + len(wires), hard))
    try:
        for wire in wires:
            wire.connect(server.worker.sockets[0].getsockname())
        with suppress(ConnectionResetError):  # the idle one is closed to make room
            while kept.wire.recv(1000):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for wire in wires:
            wire.close()
    assert server.ask(post(b"z")).answer()[0] == 200
