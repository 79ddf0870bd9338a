"""A server on loopback that answers as a test tells it, well or badly."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["PictureServer", "serving"]

Answer = Callable[[BaseHTTPRequestHandler], None]


class PictureServer(ThreadingHTTPServer):
    """Answers by path (without its query); ``asked`` is what came, with its headers."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is what many a test is about."""

    def gives(
        self,
        path: str,
        body: bytes,
        *,
        status: int = 200,
        length: int | None = None,
        **headers: str,
    ) -> None:
        """Answer ``path`` with ``body``; ``length`` is what its Content-Length says, -1 none."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            if length != -1:
                handler.send_header("Content-Length", str(len(body) if length is None else length))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer

    def moves(self, path: str, to: str, status: int = 302) -> None:
        """Redirect ``path``."""
        self.gives(path, b"", status=status, Location=to)

    def drips(self, path: str, head: bytes, drop: bytes) -> None:
        """Send ``head``, then ``drop`` after ``drop`` for as long as somebody listens."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.wfile.write(head)
            while not self.closing.wait(0.01):
                handler.wfile.write(drop)

        self.answers[path] = answer

    def says_nothing(self, path: str) -> None:
        """Take the request, and never answer."""
        self.answers[path] = lambda _: void(self.closing.wait())


def void(_: object) -> None:
    """Return nothing, for an expression that has a value."""


class _Handler(BaseHTTPRequestHandler):
    server: PictureServer

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers.items())))
        answer = self.server.answers.get(self.path.partition("?")[0])
        if answer is None:
            self.send_error(404, "secret of the inner server")
        else:
            answer(self)

    def log_message(self, *_: Any) -> None:
        """Write nothing."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[PictureServer]:
    """Serve for as long as the context lasts."""
    server = PictureServer()
    if tls is not None:
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
