"""One app behind two servers, with the short way and without it; and requests to compare them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from flask import Flask

from tests.web.fakes import PASSWORD
from tests.web.serving.server import Client, Serve, Server
from visiongate.services import Services
from visiongate.web.serving.short_way import ShortWay

__all__ = ["EDGE", "Answer", "Ways", "answer_of", "form", "make_ready", "request", "two_ways"]

EDGE = b"------------------------0123456789abcdef"
Answer: TypeAlias = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@dataclass
class Ways:
    """One app behind two servers: one has the short way, the other has not."""

    short: Server
    long: Server
    answered: list[bool]
    """Whether the short way has answered, each time that it was asked."""
    token: str

    def ask(self, raw: bytes) -> tuple[Answer, Answer]:
        """Return both answers to a request, without what differs from moment to moment."""
        return answer_of(self.short.ask(raw)), answer_of(self.long.ask(raw))

    def took_the_short_way(self, raw: bytes) -> bool:
        self.answered.clear()
        short, long = self.ask(raw)
        assert short == long
        return any(self.answered)


def two_ways(app: Flask, serve: Serve) -> Ways:
    plain = app.wsgi_app
    short = serve(0, app=app)
    app.wsgi_app = plain  # type: ignore[method-assign]
    long = serve(0, app=app)
    long.door.short_way = None
    answered: list[bool] = []
    way = short.door.short_way
    if way is not None:
        short.door.short_way = _Watched(way, answered)  # type: ignore[assignment]
    body = json.dumps({"username": "anna", "password": PASSWORD}).encode()
    login = short.ask(
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    token = json.loads(login.answer()[2])["access_token"]
    ways = Ways(short, long, answered, token)
    ways.ask(request(ways, b"x"))  # from here on the token is known
    return ways


class _Watched:
    def __init__(self, way: ShortWay, answered: list[bool]) -> None:
        self._way = way
        self._answered = answered

    def answer(self, head: bytes, pieces: Collection[bytes], send: Callable[[bytes], None]) -> bool:
        def watched(answer: bytes) -> None:
            self._answered.append(True)
            send(answer)

        answered = self._way.answer(head, pieces, watched)
        if not answered:
            self._answered.append(False)
        return answered


def form(picture: bytes, name: bytes = b"file", more: bytes = b"") -> bytes:
    return (
        b'--%s\r\nContent-Disposition: form-data; name="%s"; filename="1.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n%s\r\n%s--%s--\r\n" % (EDGE, name, picture, more, EDGE)
    )


def request(
    ways: Ways,
    picture: bytes,
    *,
    path: bytes = b"/api/v1/detect/object?delete=true",
    body: bytes | None = None,
    **changed: bytes | None,
) -> bytes:
    """Return a plain request; ``changed`` replaces headers, adds some, or with None leaves out."""
    body = form(picture) if body is None else body
    headers: dict[str, bytes | None] = {
        "Host": b"localhost:5000",
        "User-Agent": b"curl/7.88.1",
        "Accept": b"*/*",
        "Authorization": b"Bearer " + ways.token.encode(),
        "X-Request-ID": b"mine",
        "Content-Length": b"%d" % len(body),
        "Content-Type": b"multipart/form-data; boundary=" + EDGE,
    }
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [b"%s: %s" % (k.encode(), v) for k, v in headers.items() if v is not None]
    return b"POST %s HTTP/1.1\r\n%s\r\n\r\n" % (path, b"\r\n".join(lines)) + body


def answer_of(client: Client) -> Answer:
    status, headers, body = client.answer()
    headers.pop("date", None)  # absent from what was refused unread
    return status, headers, body


def make_ready(services: Services) -> None:
    """Make all detectors ready, as they are once a gateway has started."""
    for entry in services.registry:
        entry.ready(services.models, services.device, services.probe)
