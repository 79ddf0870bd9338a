"""Turn pictures away from their heads alone, while as many are inside as may compute and wait.

To refuse must cost far less than to answer, or those who are refused take the processor away from
those who are not. So the server's own loop does it: no thread, no Flask, not one byte of the body
looked at. It never lets anybody in who has no right to be: what it does not turn away, the
application judges like any other request.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from flask import Flask

from visiongate.errors import DeadlineExceeded, Overloaded, VisiongateError
from visiongate.web.api import API_PREFIX
from visiongate.web.compat import ROUTES as COMPAT
from visiongate.web.logging import sane_id
from visiongate.web.metrics import count_turned_away
from visiongate.web.serving.head import ends_beyond_doubt, headers_of
from visiongate.web.serving.lane import Lane
from visiongate.web.serving.plain_answer import plain_answer
from visiongate.web.serving.short_way import ShortWay, short_way_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from visiongate.services import Services

__all__ = ["Door", "Refusal", "door_of"]

_MANY = f"{API_PREFIX}/detect"
_ONE = f"{API_PREFIX}/detect/"
_ONE_TEMPLATE = f"{API_PREFIX}/detect/<string:name>"
_EVERY_SECONDS = 1.0
"""How often the log tells of those turned away: a line for each would cost more than they do."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer, and whether the connection may go on after it and the rest of the body."""

    answer: bytes
    keeps: bool


class Door:
    """Knows who is inside. The loop lets in and refuses; any thread may see somebody out.

    Args:
        most: requests that may be inside; 0 lets everybody in, for the engine to refuse.
        seconds: how long a request that was let in may wait for a thread.
        retry_after: estimates the seconds until there is room.
        origins: those whose pages may read the refusal; see ``settings.cors_origins``.
        lane: threads for those who need only a place.
        short_way: answers plain requests past the application, if any.
        count: is told the route of each that is turned away, and why.
    """

    def __init__(
        self,
        most: int,
        *,
        seconds: float = math.inf,
        retry_after: Callable[[], float] = lambda: 1.0,
        origins: tuple[str, ...] = (),
        lane: Lane | None = None,
        short_way: ShortWay | None = None,
        count: Callable[[str, VisiongateError], None] = lambda _route, _error: None,
    ) -> None:
        self.most = most
        self.seconds = seconds
        self.lane = lane or Lane()
        self.short_way = short_way
        self._inside: set[object] = set()
        self._retry_after = retry_after
        self._origins = origins
        self._count = count
        self._untold = 0
        self._told = 0.0

    @property
    def inside(self) -> int:
        """How many are inside."""
        return len(self._inside)

    @property
    def is_full(self) -> bool:
        return 0 < self.most <= len(self._inside)

    def enter(self, visitor: object) -> None:
        """Let a request in, which its connection's socket stands for."""
        self._inside.add(visitor)

    def leave(self, visitor: object) -> None:
        """See it out, if it was inside at all."""
        self._inside.discard(visitor)

    def watched(self, app: WSGIApplication) -> WSGIApplication:
        """Return the application, seeing each request out when it is done.

        Before the answer is sent: a client that has it may come again at once.
        """

        def through(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            try:
                return app(environ, start_response)
            finally:
                self.leave(environ.get("gunicorn.socket"))

        return through

    def route(self, head: bytes) -> str | None:
        """Return the template of the route, where that needs a place to compute; else None."""
        if not head.startswith(b"POST /"):
            return None
        path = head[5:].split(None, 1)[0].partition(b"?")[0].decode("latin-1")
        if path == _MANY or path in COMPAT:
            return path
        if path.startswith(_ONE) and "/" not in path[len(_ONE) :]:
            return _ONE_TEMPLATE
        return None

    def refuse(self, head: bytes, route: str, *, may_keep: bool = True) -> Refusal:
        """Return what is answered to a request to ``route``.

        The connection is kept if it ``may_keep``, the client wants it, and nobody could see the
        end of this request elsewhere than we do.
        """
        error = Overloaded(
            f"{self.inside} requests are being answered or waiting already, the most allowed. "
            "Try again shortly, or send fewer at once.",
            retry_after=self._retry_after(),
        )
        self._untold += 1
        return self._refusal(error, head, route, may_keep)

    def is_late(self, came_at: float) -> bool:
        """Tell whether it is too late to begin with what came whole at that ``monotonic`` time."""
        return time.monotonic() > came_at + self.seconds

    def refuse_late(self, head: bytes, route: str) -> bytes:
        """Return what is answered then. Any thread may ask."""
        error = DeadlineExceeded(
            "The deadline passed while the request waited for its turn. Try again shortly.",
            retry_after=self._retry_after(),
        )
        return self._refusal(error, head, route, may_keep=False).answer

    def _refusal(self, error: VisiongateError, head: bytes, route: str, may_keep: bool) -> Refusal:
        self._count(route, error)
        headers = headers_of(head)
        keeps = may_keep and ends_beyond_doubt(head, headers)
        extra = self._for_pages((headers or {}).get(b"origin"))
        body = None
        if route in COMPAT:
            failed = {"success": False} if COMPAT[route][1] else {}
            body = json.dumps({**failed, "error": error.detail})
        request_id = sane_id((headers or {}).get(b"x-request-id", b"").decode("latin-1"))
        return Refusal(plain_answer(error, request_id, keeps=keeps, extra=extra, body=body), keeps)

    def tell(self) -> None:
        """Write to the log how many were turned away, once a second at most."""
        now = time.monotonic()
        if self._untold and now >= self._told + _EVERY_SECONDS:
            _log.warning("turned away", requests=self._untold, code=Overloaded.code)
            self._told, self._untold = now, 0

    def _for_pages(self, origin: bytes | None) -> tuple[str, ...]:
        if origin is None or not self._origins:
            return ()
        allowed = origin.decode("latin-1")
        if "*" in self._origins:
            allowed = "*"
        elif allowed not in self._origins:
            return ()
        return (
            f"Access-Control-Allow-Origin: {allowed}",
            "Access-Control-Expose-Headers: Retry-After, X-Request-ID",
            "Vary: Origin",
        )


def door_of(app: Flask) -> Door:
    """Put a door before the app's engine: as many come in as may compute and wait there."""
    services: Services = app.extensions["visiongate.services"]
    engine, settings = services.engine, services.settings
    fetches = bool(settings.url_hosts or settings.url_private_hosts)
    lane = Lane(
        0 if fetches else getattr(engine, "concurrency", 0),
        is_open=lambda: not services.registry.is_loading,
    )
    getattr(engine, "count_too", lambda _waiting: None)(lambda: lane.waiting)
    door = Door(
        getattr(engine, "concurrency", 0) + getattr(engine, "max_waiting", 0),
        seconds=settings.deadline_ms / 1000,
        retry_after=getattr(engine, "retry_after", lambda: 1.0),
        origins=settings.cors_origins,
        lane=lane,
        short_way=short_way_of(app),
        count=lambda route, error: count_turned_away(app, route, error),
    )
    app.wsgi_app = door.watched(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return door
