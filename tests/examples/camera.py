"""A network camera: motion JPEG over HTTP, as many cameras speak it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType

import cv2
from numpy.typing import NDArray

_SECONDS_A_FRAME = 0.04


class Camera:
    """Sends ``picture(number)`` again and again, to so many connections, so many frames each."""

    def __init__(
        self,
        picture: Callable[[int], NDArray],  # type: ignore[type-arg]
        *,
        connections: int = 1,
        frames: int | None = None,
        after_each: Callable[[], object] = lambda: None,
    ) -> None:
        self.connections = 0
        self._most = connections
        self._frames = frames
        self._after_each = after_each
        self._jpegs = [cv2.imencode(".jpg", picture(n))[1].tobytes() for n in range(4)]
        self._closing = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}/video.mjpg"

    def __enter__(self) -> Camera:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, _a: type[BaseException] | None, _b: BaseException | None, _c: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        if self.connections >= self._most:
            request.send_error(503)
            return
        self.connections += 1
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        for number in count() if self._frames is None else range(self._frames):
            jpeg = self._jpegs[number % len(self._jpegs)]
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            try:
                request.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return  # whoever watched has gone
            self._after_each()
            if self._closing.wait(_SECONDS_A_FRAME):
                return
