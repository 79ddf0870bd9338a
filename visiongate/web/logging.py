"""Logs as JSON lines on standard error, one for each request, the standard library's too.

What is written of a request is listed in ``fields``; paths, queries, bodies, headers and
names of files are not, so neither a picture nor a password can get into a log.
"""

from __future__ import annotations

import logging
import random
import re
import sys
import threading
import time
from collections.abc import MutableMapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TextIO

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars
from structlog.typing import Processor

from visiongate.web.serving.patient_socket import id_of_failure

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = [
    "UNMATCHED",
    "begin",
    "configure",
    "fields",
    "gunicorn_logger",
    "init_app",
    "note",
    "request_log",
    "route",
    "sane_id",
    "template",
]

UNMATCHED = "unmatched"
"""The route of requests to paths that no route has."""

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:  # it takes no parameter before Python 3.11
    _StreamHandler = logging.StreamHandler

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]*)?")
_SERVERS = ("gunicorn.error", "gunicorn.access", "waitress", "werkzeug")

_lock = threading.RLock()


class _Stderr(_StreamHandler):
    """Write the standard library's lines to whatever ``sys.stderr`` is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        self.lock = _lock

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Writer:
    """Write our own lines there too, without the standard library's detours (0.1 ms a line)."""

    def __init__(self, name: str = "visiongate") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        # A full disk or a closed terminal must not fail the request that was to be logged.
        with _lock, suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")
            sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


def configure(level: str) -> None:
    """Send every log line of this process through one JSON writer. Repeating it is harmless."""
    shared: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    written: list[Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, *written],
        logger_factory=_Writer,
        wrapper_class=structlog.make_filtering_bound_logger(level),
    )
    handler = _Stderr()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, _Stderr)] + [handler]
    root.setLevel(level.upper())
    for name in _SERVERS:
        # Servers write in formats of their own unless their handlers go.
        server = logging.getLogger(name)
        server.handlers.clear()
        server.propagate = True


def gunicorn_logger() -> type[Any]:
    """Return a class for gunicorn's ``logger_class``, whose lines go through ``configure``'s."""
    from gunicorn.glogging import Logger

    class JsonLogger(Logger):  # type: ignore[misc]
        def setup(self, cfg: Any) -> None:
            super().setup(cfg)
            configure(cfg.loglevel)

    return JsonLogger


def init_app(app: Flask, services: Services) -> None:
    """Write a line for each request, under an id that the answer carries as X-Request-ID."""
    configure(services.settings.log_level)
    log = request_log()

    def finish(response: Response) -> Response:
        request_id = g.get("request_id")
        if request_id is not None:
            response.headers.add("X-Request-ID", request_id)
            failed = response.status_code == 500
            if log.is_enabled_for(logging.ERROR if failed else logging.INFO):
                (log.error if failed else log.info)("request", **_all_fields(response))
        return response

    app.before_request(_begin)
    app.after_request(finish)
    app.teardown_request(lambda _: clear_contextvars())


def request_log() -> Any:
    """Return what writes the lines of requests; once, not at every line."""
    return structlog.get_logger("visiongate.request").bind()


def begin(given_id: str) -> str:
    """Have all lines of this thread carry the request's id, the client's own if it may; return it.

    ``clear_contextvars`` ends that.
    """
    request_id = sane_id(given_id) or _new_id()
    clear_contextvars()
    bind_contextvars(request_id=request_id)
    return request_id


def fields(
    method: str,
    route: str,
    status: int,
    seconds: float,
    user: str | None,
    bytes_in: int | None,
    bytes_out: int | None,
) -> dict[str, object]:
    """Return what is written of a request that took so long."""
    return {
        "method": method if len(method) <= 10 else method[:10],
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 2),
        "user": user,
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
    }


def note(**fields: object) -> None:
    """Add fields to the line of the current request. Never anything secret or unbounded."""
    g.setdefault("log_fields", {}).update(fields)


def sane_id(given: str) -> str | None:
    """Return the id that a client gave its request, if it may stand in a log."""
    return given if _SANE_ID.fullmatch(given) else None


def route() -> str:
    """Return the template of the current route (``/api/v1/detect/{name}``), never the raw path."""
    rule = request.url_rule
    return template(rule.rule) if rule is not None else UNMATCHED


@cache
def template(rule: str) -> str:
    """Return one of Flask's rules as the specification writes it."""
    return _VARIABLE.sub(r"{\1}", rule)


def _begin() -> None:
    g.begun = time.perf_counter()
    given = id_of_failure(request.environ) or request.headers.get("X-Request-ID", "")
    g.request_id = begin(given)


def _new_id() -> str:
    # Nobody has to be unable to guess it, so the kernel need not be asked for it.
    return f"{random.getrandbits(128):032x}"  # nosec B311


def _all_fields(response: Response) -> dict[str, object]:
    user = g.get("user")
    written = fields(
        request.method,
        route(),
        response.status_code,
        time.perf_counter() - g.begun,
        user.username if user is not None else None,
        request.content_length,
        response.content_length,
    )
    if (code := g.get("problem_code")) is not None:
        written["code"] = code
    written.update(g.get("log_fields", {}))
    return written


def _redact(_logger: object, _name: str, line: str | MutableMapping[str, Any]) -> str:
    """Blank out whatever looks like a token, wherever it came from."""
    text = str(line)
    return _TOKEN.sub("[token]", text) if "eyJ" in text else text
