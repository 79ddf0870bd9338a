"""A short way for the request that nearly all clients send, past gunicorn's parser and Flask.

That request is one picture, in a form of one file, for one detector; with a token that was found
good lately; its picture is not kept, and the answer is mlapi's list. gunicorn and Flask take half
a millisecond for it, twice that right after a network has had the processor's caches to itself.

There is one answer to every request all the same. What a request means is decided by the same
functions here and there (token, form, options, pipeline, answer, metrics, log line), and whatever
differs from that plain request goes the long way. So does all that is refused: nothing is written
here but 200, and until the picture is looked at nothing is done that could not be done again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Collection
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from flask import Flask
from structlog.contextvars import clear_contextvars

from visiongate.errors import VisiongateError
from visiongate.pipeline import DetectRequest
from visiongate.types import DetectorState, Report, User
from visiongate.web import logging as web_logging
from visiongate.web.answers import detection_list, json_text
from visiongate.web.api import API_PREFIX
from visiongate.web.careful import CAREFUL, POLICY
from visiongate.web.findable import check_findable
from visiongate.web.form_parser import MOST_BYTES, only_file
from visiongate.web.metrics import metrics_of
from visiongate.web.option_table import BY_DETECTOR, COMMON
from visiongate.web.options import DetectOptions, read_options
from visiongate.web.reading import PARTS
from visiongate.web.serving.head import ends_beyond_doubt, headers_of
from visiongate.web.serving.patient_socket import Failure
from visiongate.web.tokens import known_holder

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["ShortWay", "short_way_of"]

_MOST_HEAD = 4000
"""Bytes; gunicorn allows a request line of 4094, and headers of 8190 each."""
_MOST_KNOWN = 256
"""Accounts, with what they ask for, that are remembered."""
_ROUTE = f"{API_PREFIX}/detect/{{name}}"
_LINE = re.compile(
    rb"POST %s/detect/([a-z0-9_-]{1,64})(?:\?([A-Za-z0-9_.,=&-]{0,256}))? HTTP/1\.1"
    % API_PREFIX.encode()
)
_FORM = re.compile(rb"multipart/form-data; ?boundary=([A-Za-z0-9_-]{1,70})")
_HOST = re.compile(rb"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){,7}(?::[0-9]{1,5})?")
_PLAIN = re.compile(rb"[ -~\r\n]*")
_ACCEPTED = (b"*/*", b"application/json")
_READ_HERE = frozenset(
    {b"host", b"content-length", b"content-type", b"authorization", b"accept", b"connection"}
)
_SAY_NOTHING = frozenset(
    {
        *(b"user-agent", b"accept-encoding", b"accept-language", b"x-request-id"),
        *(b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip"),
    }
)
"""Headers that do not change what is answered to a request for detection."""
_KNOWN_HEADERS = _READ_HERE | _SAY_NOTHING
_HARDENED = "".join(f"{name}: {value}\r\n" for name, value in (*CAREFUL, POLICY))


class ShortWay:
    """Answers such requests. Thread-safe."""

    def __init__(self, app: Flask) -> None:
        services: Services = app.extensions["visiongate.services"]
        self._app = app
        self._services = services
        self._metrics = metrics_of(app)
        self._log = web_logging.request_log()
        self._known: dict[tuple[str, str, str], tuple[User, DetectRequest]] = {}
        self._max_bytes = services.settings.max_upload_bytes
        self._most = min(MOST_BYTES, app.config["MAX_CONTENT_LENGTH"])

    def answer(self, head: bytes, pieces: Collection[bytes], send: Callable[[bytes], None]) -> bool:
        """Answer a request by one call of ``send``; return False if it must go the long way.

        The ``pieces`` are the request whole, its ``head`` without the empty line included, and
        nothing after it. The connection is kept. Nothing is sent where False is returned.

        Raises:
            Failure: whatever the pipeline raises; the long way is to say it.
        """
        begun = time.perf_counter()
        line = _LINE.fullmatch(head, 0, head.find(b"\r\n")) if len(head) <= _MOST_HEAD else None
        headers = headers_of(head) if line is not None else None
        if line is None or headers is None or not _is_plain(head, headers):
            return False
        user = known_holder(headers[b"authorization"].decode(), self._app)
        name, query = line[1].decode(), (line[2] or b"").decode()
        asked = self._asked_before(user, name, query) if user is not None else None
        if user is None or asked is None:
            return False
        picture = self._picture(head, headers, pieces)
        if picture is None:
            return False
        request_id = web_logging.begin(headers.get(b"x-request-id", b"").decode())
        since = self._metrics.enter()
        try:
            try:
                outcome = self._services.pipeline.run(picture, user, asked)
                body = json_text(detection_list(outcome.report)).encode()
            except Exception as error:  # noqa: BLE001 - the long way says it
                raise Failure(error, request_id) from None
            ended = time.perf_counter()
            send(_answer(body, request_id))
            # Counted and logged only now: the client need not wait for what it does not see.
            size = int(headers[b"content-length"])
            told = web_logging.fields(
                "POST", _ROUTE, 200, ended - begun, user.username, size, len(body)
            )
            self._note(outcome.report, ended - since, told)
        finally:
            clear_contextvars()
            self._metrics.leave()
        return True

    def _note(self, report: Report, seconds: float, told: dict[str, object]) -> None:
        """Count and log a request. Its answer has been sent: what fails here is no error of it."""
        try:
            self._metrics.observe(report, self._services.registry)
            self._metrics.count("POST", _ROUTE, 200, seconds)
        except Exception:  # noqa: BLE001 - the log says it
            self._log.exception("a request could not be counted")
        self._log.info("request", **told, detectors=[part.name for part in report.detectors])

    def _asked_before(self, user: User, name: str, query: str) -> DetectRequest | None:
        """Return ``_asked`` of these, or what it was for the same before.

        What else it depends on stays while the process runs: settings, and detectors once they are
        ready. Of an account that has changed there is another object.
        """
        key = user.username, name, query
        known_user, asked = self._known.get(key, (None, None))
        if known_user is user:
            return asked
        asked = self._asked(user, name, query)
        if asked is not None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = user, asked
        return asked

    def _asked(self, user: User, name: str, query: str) -> DetectRequest | None:
        """Return what is asked for, unless it is refused or takes more than one detector."""
        services = self._services
        options = _options(name, query)
        if options is None or options.gender or options.annotate:
            return None
        chosen = options.type or name
        try:
            # Also where another one is chosen: the route's own must exist.
            entries = [services.registry.get(one) for one in (name, chosen)]
            if entries[-1].state is not DetectorState.READY:  # nor is known what it can find
                return None
            check_findable(services.registry, (chosen,), options)
            services.pipeline.check(user, (chosen,))
        except VisiongateError:
            return None
        info = entries[-1].info
        if (
            (not options.delete and services.pipeline.keeps)
            or info is None
            or info.sensitive  # whose use is recorded, with who asked from where
            or info.needs == "faces"
            or any(services.quotas.limits(user))  # which headers tell of
        ):
            return None
        return DetectRequest((chosen,), options.predict, options.selection, delete=True)

    def _picture(
        self, head: bytes, headers: dict[bytes, bytes], pieces: Collection[bytes]
    ) -> bytes | None:
        form = _FORM.fullmatch(headers[b"content-type"])
        at = len(head) + len(b"\r\n\r\n")
        size = sum(map(len, pieces)) - at
        if form is None or size > self._most or int(headers[b"content-length"]) != size:
            return None
        part = only_file(b"".join(pieces), form[1].decode(), at)
        if part is None or part[0] not in PARTS or len(part[2]) > self._max_bytes:
            return None
        return part[2]


def short_way_of(app: Flask) -> ShortWay | None:
    """Return the short way of an app; None where its answers carry more than this can write."""
    settings = app.extensions["visiongate.services"].settings
    # Pages of other origins are told what they may read in headers of their own.
    if settings.cors_origins or settings.debug or os.environ.get("SCRIPT_NAME"):
        return None
    return ShortWay(app)


def _is_plain(head: bytes, headers: dict[bytes, bytes]) -> bool:
    """Tell whether nothing in the head changes the answer that is not looked at here."""
    return (
        headers.keys() <= _KNOWN_HEADERS
        and ends_beyond_doubt(head, headers)
        and _HOST.fullmatch(headers.get(b"host", b"")) is not None
        and headers.get(b"accept", b"*/*") in _ACCEPTED
        and b"authorization" in headers
        and b"content-type" in headers
        and _PLAIN.fullmatch(head) is not None
    )


@lru_cache(maxsize=256)
def _options(name: str, query: str) -> DetectOptions | None:
    """Return the options of a query; None where one of them is refused."""
    given = parse_qsl(query, keep_blank_values=True)
    try:
        return read_options(given, (*COMMON, *BY_DETECTOR.get(name, ())))
    except VisiongateError:
        return None


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _answer(body: bytes, request_id: str) -> bytes:
    """Return it as gunicorn would send it."""
    head = (
        "HTTP/1.1 200 OK\r\n"
        "Server: gunicorn\r\n"
        f"Date: {_date(int(time.time()))}\r\n"
        "Connection: keep-alive\r\n"
        "Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Vary: Accept\r\n"
        f"{_HARDENED}"
        f"X-Request-ID: {request_id}\r\n\r\n"
    )
    return head.encode() + body
