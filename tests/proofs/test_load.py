"""The load of the proofs, against servers that answer as they are told to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from bench.client import Request, Response
from proofs.load import offer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

Serve = Callable[..., Request]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that answers each connection's requests in turn, then closes it."""
    listeners, threads = [], []

    def make(*answers: bytes, size: int = 20, reads: int | None = None) -> Request:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        port = listener.getsockname()[1]
        raw = b"POST / HTTP/1.1\r\n\r\n".ljust(size, b"x")

        def each(wire: socket.socket) -> None:
            with wire, wire.makefile("rb") as sent:
                for answer in answers:
                    if len(sent.read(reads or size)) < (reads or size):
                        return
                    wire.sendall(answer)

        def accept() -> None:
            while True:
                try:
                    wire, _ = listener.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=each, args=(wire,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return Request("127.0.0.1", port, raw)

    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(10)


def test_every_request_is_answered_or_told_of(serve: Serve) -> None:
    wave = offer([serve(*[OK] * 1000)], clients=4, seconds=60, total=100)
    assert wave.statuses == {"200": 100}
    assert len(wave.times) == len(wave.moments) == 100
    assert all(took > 0 for took in wave.times)


def test_refusals_and_answers_that_end_a_connection(serve: Serve) -> None:
    wave = offer([serve(OK, BUSY)], clients=1, seconds=60, total=40)
    assert wave.statuses == {"200": 20, "503": 20}
    assert len(wave.times) == 20


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", "ConnectionError"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "ConnectionError"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ValueError"),
        (b"nonsense\r\n\r\n", "IndexError"),
    ],
)
def test_what_is_no_answer_is_told_by_its_kind(serve: Serve, answer: bytes, kind: str) -> None:
    wave = offer([serve(answer)], clients=1, seconds=60, total=3)
    assert wave.statuses == {kind: 3}
    assert wave.strange(200) == {kind: 3}


def test_where_nobody_listens() -> None:
    with socket.socket() as held:  # so that nobody else comes to listen there
        held.bind(("127.0.0.1", 0))
        request = Request("127.0.0.1", held.getsockname()[1], b"GET / HTTP/1.1\r\n\r\n")
        wave = offer([request], clients=1, seconds=60, total=2)
    assert wave.statuses == {"ConnectionRefusedError": 2}


def test_an_early_refusal_is_taken_although_the_body_is_not(serve: Serve) -> None:
    to = serve(BUSY, size=20_000_000, reads=1000)
    wave = offer([to], clients=1, seconds=60, total=2)
    assert set(wave.statuses) <= {"503", "ConnectionResetError"}
    assert sum(wave.statuses.values()) == 2


def test_answers_are_checked_and_a_rate_is_kept(serve: Serve) -> None:
    seen: list[tuple[int, bytes]] = []

    def check(which: int, answer: Response) -> bool:
        seen.append((which, answer.body))
        return which == 0

    to = serve(*[OK] * 1000)
    wave = offer([to, to], clients=2, seconds=60, total=20, rate=1000.0, check=check)
    assert wave.statuses == {"200": 10, "wrong": 10}
    assert {body for _, body in seen} == {b"ok"}
    assert wave.seconds >= 19 / 1000.0
