"""A web server on this machine that gives models away well, badly or not at all."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from visiongate.models.manifest import Model

CONTENT = bytes(range(256)) * 800
PATIENCE_SECONDS = 120


class ModelServer:
    """``requests`` are the paths asked for, in order; ``slow`` waits for ``release`` half-way."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[str] = []
        self.half_sent = threading.Event()
        self.release = threading.Event()

    def model(self, *kinds: str, name: str = "tiny") -> Model:
        """Describe ``CONTENT``, to be had at one address for each of ``kinds``."""
        return Model(
            name=name,
            file=f"{name}.bin",
            task="object",
            summary="a model for tests",
            addresses=tuple(f"{self.url}/{kind}/{name}.bin" for kind in kinds),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
            bytes=len(CONTENT),
            licence="none",
        )

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.path)
        kind = handler.path.split("/")[1]
        if kind == "refused":
            handler.send_error(404)
        elif kind == "broken" or (kind == "shaky" and len(self.requests) == 1):
            handler.send_error(503)
        elif kind == "moved":
            handler.send_response(302)
            handler.send_header("Location", handler.path.replace("moved", "good"))
            handler.end_headers()
        else:
            self._send(handler, kind)

    def _send(self, handler: BaseHTTPRequestHandler, kind: str) -> None:
        bodies = {"wrong": CONTENT[::-1], "short": CONTENT[:-1], "endless": CONTENT * 2}
        body = bodies.get(kind, CONTENT)
        handler.send_response(200)
        if kind != "endless":
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        half = len(body) // 2
        handler.wfile.write(body[:half])
        handler.wfile.flush()
        if kind == "slow":
            self.half_sent.set()
            self.release.wait(PATIENCE_SECONDS)
        if kind != "truncated":
            handler.wfile.write(body[half:])


@contextmanager
def serving() -> Iterator[ModelServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                server.answer(self)
            except ConnectionError:
                self.close_connection = True  # whoever asked has heard enough

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = ModelServer(f"http://127.0.0.1:{http.server_address[1]}")
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            http.shutdown()
            thread.join()
