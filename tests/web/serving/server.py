"""The worker in a thread of the tests, and a client that speaks to it byte by byte."""

from __future__ import annotations

import os
import re
import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

from visiongate.web.serving.door import Door, door_of
from visiongate.web.serving.lane import Lane

__all__ = ["DETECT", "PICTURE", "SECONDS", "Client", "Serve", "Server", "post"]

DETECT = b"POST /api/v1/detect/face HTTP/1.1\r\nHost: x\r\nX-Request-ID: mine\r\n"
PICTURE = b"x" * 300_000
SECONDS = 60


class Server:
    """The worker in a thread, before an app, or a WSGI application that answers when told to."""

    def __init__(
        self,
        most: int,
        seconds: float = 60.0,
        threads: int = 4,
        lane: Lane | None = None,
        app: Flask | None = None,
    ) -> None:
        from gunicorn.config import Config
        from gunicorn.glogging import Logger

        from visiongate.web.serving.patient_worker import patient_worker

        self.go = threading.Event()
        self.began = threading.Semaphore(0)
        self.bodies: list[bytes] = []
        self.environs: list[dict[str, Any]] = []
        self.counted: list[tuple[str, str]] = []
        self.door = (
            door_of(app)
            if app is not None
            else Door(
                most,
                seconds=seconds,
                retry_after=lambda: 2.5,
                lane=lane,
                count=lambda route, error: self.counted.append((route, error.code)),
            )
        )
        self._wires: list[Client] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        cfg = Config()
        cfg.set("threads", threads)
        cfg.set("keepalive", 15)
        made = patient_worker(1_000_000, lambda _: self.door)
        self.worker = made(0, os.getppid(), [self._listener], None, 60, cfg, Logger(cfg))
        self.worker.wsgi = self.door.watched(self._answer) if app is None else app.wsgi_app
        self.worker.tpool = self.worker.get_thread_pool()
        self.worker.poller = selectors.DefaultSelector()
        self.worker.method_queue.init()
        self._thread = threading.Thread(target=self.worker.run)
        self._thread.start()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.began.release()
        body = environ["wsgi.input"].read()
        self.bodies.append(body)
        self.environs.append(environ)
        if environ["PATH_INFO"].startswith("/api/v1/detect"):
            assert self.go.wait(SECONDS)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    def ask(self, data: bytes) -> Client:
        wire = socket.create_connection(self._listener.getsockname(), timeout=SECONDS)
        client = Client(wire)
        self._wires.append(client)
        wire.sendall(data)
        return client

    def held(self) -> Client:
        """Return a client whose request is inside."""
        client = self.ask(post(b"held"))
        assert self.began.acquire(timeout=SECONDS)
        return client

    def stop(self) -> None:
        self.go.set()
        for client in self._wires:
            client.close()
        self.worker.handle_exit(None, None)
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()
        self.worker.tmp.close()


class Client:
    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self._file = wire.makefile("rb")

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the next answer's status, headers and body."""
        match = re.match(rb"HTTP/1\.[01] (\d+)", self._file.readline())
        assert match
        headers = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return int(match[1]), headers, self._file.read(int(headers["content-length"]))

    def close(self) -> None:
        self._file.close()
        self.wire.close()

    def is_closed(self) -> bool:
        return self._file.read(1) == b""


def post(body: bytes, more: bytes = b"") -> bytes:
    return DETECT + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


Serve = Callable[..., Server]
