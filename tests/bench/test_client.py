"""The load generator, against a server of a few lines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench import client


class _Echo(BaseHTTPRequestHandler):
    """Answers with the length of the body; ``/close``, ``/chunks`` and ``/busy`` as they say."""

    connections = 0
    clients = threading.Barrier(1)
    """Where the first requests of so many connections meet: no client goes on without another."""

    def setup(self) -> None:
        super().setup()
        type(self).connections += 1
        self._has_met = False

    def do_POST(self) -> None:
        if not self._has_met:
            self._has_met = True
            self.clients.wait(60)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = f'{{"bytes": {len(body)}}}'.encode()
        self.send_response(503 if self.path == "/busy" else 200)
        if self.path == "/close":
            self.send_header("Connection", "close")
        if self.path == "/chunks":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def handler() -> type[_Echo]:
    return type("Echo", (_Echo,), {"protocol_version": "HTTP/1.1", "connections": 0})


@pytest.fixture
def port(handler: type[_Echo]) -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def post(port: int, path: str, body: bytes = b"12345") -> client.Request:
    return client.prepared("127.0.0.1", port, "POST", path, body, "text/plain")


def test_every_request_is_sent_and_its_answer_compared(port: int, handler: type[_Echo]) -> None:
    handler.clients = threading.Barrier(3)
    requests = [post(port, "/", b"1"), post(port, "/", b"22")]
    found = client.run(requests, 3, total=20, expected=[{"bytes": 1}, {"bytes": 3}])
    assert found.requests == 20
    assert found.wrong == 10
    assert found.statuses == {"200": 20}
    assert found.p50 <= found.p99
    assert handler.connections == 3


def test_a_server_that_closes_after_each_answer_is_connected_to_again(
    port: int, handler: type[_Echo]
) -> None:
    handler.clients = threading.Barrier(2)
    assert client.run([post(port, "/close")], 2, total=6).requests == 6
    assert handler.connections == 6


def test_anything_but_success_is_no_measurement(port: int) -> None:
    with pytest.raises(RuntimeError, match=r"not every answer was a success.*503"):
        client.run([post(port, "/busy")], 1, total=2)


def test_an_answer_in_chunks_is_refused_rather_than_misread(port: int) -> None:
    with pytest.raises(ValueError, match="chunks"):
        client.call(post(port, "/chunks"))


def test_a_token_travels_with_the_request() -> None:
    request = client.get("127.0.0.1", 1, "/api/v1/me", "abc")
    assert b"\r\nAuthorization: Bearer abc\r\n" in request.raw
    upload = client.multipart("127.0.0.1", 1, "/predict", b"picture", None)
    assert b"Authorization" not in upload.raw
    assert b'name="file"; filename="1.jpg"\r\nContent-Type: image/jpeg\r\n\r\npicture' in upload.raw
