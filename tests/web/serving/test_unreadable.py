"""Requests that gunicorn refuses are refused in the one shape of errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    UnsupportedTransferCoding,
)
from gunicorn.http.parser import RequestParser

from visiongate.web.serving.leaving import LeavingWorker
from visiongate.web.serving.unreadable import unreadable

LINE = b"POST / HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "a line that is none": (b"hello\r\n\r\n", 400, "bad_request"),
    "a method that is none": (b"g\xe9t / HTTP/1.1\r\n\r\n", 400, "bad_request"),
    "another version": (b"GET / HTTP/9.9\r\n\r\n", 400, "bad_request"),
    "a long line": (b"GET /%s HTTP/1.1\r\n\r\n" % (b"x" * 9000), 413, "request_too_large"),
    "many headers": (LINE + b"A: b\r\n" * 200 + b"\r\n", 413, "request_too_large"),
    "a header's name": (LINE + b"a b: c\r\n\r\n", 400, "bad_request"),
    "two lengths": (LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request"),
    "two content types": (
        LINE + b"Content-Type: image/png\r\nContent-Type: text/plain\r\n\r\n",
        400,
        "bad_request",
    ),
    "another coding": (LINE + b"Transfer-Encoding: x\r\n\r\n", 501, "not_built"),
}


def refusal_of(request: bytes) -> Exception:
    config = Config()
    config.set("http_parser", "python")  # as the gateway has it
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever kind gunicorn has for it
        next(RequestParser(config, iter([request]), ("127.0.0.1", 1)))
    return caught.value


@pytest.mark.parametrize("how", REFUSED)
def test_what_it_is_called(how: str) -> None:
    request, status, code = REFUSED[how]
    error = unreadable(refusal_of(request))
    assert (error.status, error.code) == (status, code)
    assert error.detail.startswith("The request cannot be read: ")
    assert error.detail.isprintable()
    assert len(error.detail) < 250


@pytest.mark.parametrize(
    "exception", [RuntimeError("secret"), ConfigurationProblem("x"), InvalidResponseHeader("x")]
)
def test_what_is_no_fault_of_the_clients_tells_nothing(exception: Exception) -> None:
    error = unreadable(exception)
    assert (error.status, error.code) == (500, "internal_error")
    assert "secret" not in error.detail


class Log:
    def __init__(self) -> None:
        self.told: list[str] = []

    def warning(self, message: str, *given: Any) -> None:
        assert "secret" not in message % given
        self.told.append("warning")

    def error(self, *_: Any, exc_info: Exception) -> None:
        self.told.append(f"error {exc_info}")


@pytest.mark.parametrize(
    ("exception", "status", "told"),
    [
        (refusal_of(LINE + b"a b: c\r\n\r\n"), 400, "warning"),
        (
            refusal_of(LINE + b"Authorization: Bearer ab\r\nsecret-end-of-it\r\n\r\n"),
            400,
            "warning",
        ),
        (refusal_of(LINE + b"Authorization: Bearer ab\x01secret\r\n\r\n"), 400, "warning"),
        (UnsupportedTransferCoding("x"), 501, "warning"),
        (RuntimeError("broken"), 500, "error broken"),
    ],
)
def test_how_the_worker_answers(exception: Exception, status: int, told: str) -> None:
    sent: list[bytes] = []

    class Client:
        sendall = staticmethod(sent.append)

    worker = object.__new__(LeavingWorker)
    worker.log = Log()
    worker.handle_error(None, Client(), ("127.0.0.1", 1), exception)  # type: ignore[arg-type]
    head, _, body = b"".join(sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in head
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert json.loads(body)["status"] == status
    assert worker.log.told == [told]


def test_a_client_that_is_gone_is_no_trouble() -> None:
    class Client:
        def sendall(self, _data: bytes) -> None:
            raise BrokenPipeError

    worker = object.__new__(LeavingWorker)
    worker.log = Log()
    worker.handle_error(None, Client(), None, refusal_of(b"hello\r\n\r\n"))  # type: ignore[arg-type]
    assert worker.log.told == ["warning"]
