"""Every error as one shape: problem details of RFC 9457, ``application/problem+json``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, current_app, g
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as HTTPMethodNotAllowed

from visiongate import errors
from visiongate.errors import VisiongateError
from visiongate.web.answer_types import Problem

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["PROBLEM_TYPE", "as_error", "init_app", "plain_document", "problem", "problem_of_one"]

PROBLEM_TYPE = "application/problem+json"
_TYPE_PREFIX = "urn:visiongate:error:"
_REALM = 'Bearer realm="visiongate"'
_SERVER_ERROR = 500

_BY_STATUS: Mapping[int, type[VisiongateError]] = {
    cls.status: cls
    for cls in (
        errors.BadRequest,
        errors.AuthenticationError,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.RequestTimeout,
        errors.RequestTooLarge,
        errors.FormatUnsupported,
        errors.TooManyRequests,
        errors.NotBuilt,
        errors.Unavailable,
    )
}
"""What the framework's own errors are called; a 4xx that is not listed is a BadRequest."""

_log = structlog.get_logger(__name__)


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Answer every exception of every route as a problem document."""
    app.register_error_handler(VisiongateError, _answer_own)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unforeseen)


def problem(error: VisiongateError, status: int | None = None) -> Response:
    """Return the problem document of ``error``; ``status`` where it is not the error's own."""
    status = status or error.status
    g.problem_code = error.code
    document = problem_document(error, status)
    response = Response(current_app.json.dumps(document) + "\n", status, mimetype=PROBLEM_TYPE)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(_whole_seconds(error.retry_after))
    if isinstance(error, errors.AuthenticationError):
        response.headers["WWW-Authenticate"] = _challenge(error)
    return response


def problem_document(error: VisiongateError, status: int | None = None) -> Problem:
    """Return what the problem document of ``error`` says."""
    return plain_document(error, g.get("request_id"), status)


def plain_document(
    error: VisiongateError, request_id: str | None, status: int | None = None
) -> Problem:
    """Return the same where there is no application."""
    return {
        **error.extra,  # type: ignore[typeddict-item]  # its members are the errors' own
        "type": _TYPE_PREFIX + error.code,
        "title": error.title,
        "status": status or error.status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        # Clients of the original mlapi show this member.
        "msg": error.detail,
    }


def problem_of_one(exception: Exception) -> Problem:
    """Return the problem of one picture among several, whose answer has no header for it."""
    error = as_error(exception)
    if error.status == _SERVER_ERROR:
        _log.error("unforeseen error", exc_info=exception)
    document = problem_document(error)
    if error.retry_after is not None:
        document["retry_after"] = _whole_seconds(error.retry_after)
    return document


def as_error(exception: Exception) -> VisiongateError:
    """Return the error of ours that stands for ``exception``, hiding what is nobody's business.

    For routes that answer in another service's shape: its ``status`` and ``detail`` are what
    the problem document would say.
    """
    if isinstance(exception, HTTPException) and exception.code is not None:
        return _from_http(exception)
    if isinstance(exception, VisiongateError) and exception.status != _SERVER_ERROR:
        return exception
    return VisiongateError(
        "Something went wrong inside the gateway; its log tells more under "
        f"request id {g.get('request_id')}."
    )


def _answer_own(error: VisiongateError) -> Response:
    if error.status == _SERVER_ERROR:
        return _answer_unforeseen(error)
    return problem(error)


def _answer_http(exception: HTTPException) -> Response | HTTPException:
    if exception.response is not None:
        return exception
    response = problem(as_error(exception), exception.code)
    for name, value in _headers(exception):
        response.headers.setdefault(name, value)
    return response


def _answer_unforeseen(exception: Exception) -> Response:
    _log.error("unforeseen error", exc_info=exception)
    return problem(as_error(exception))


def _from_http(exception: HTTPException) -> VisiongateError:
    status = exception.code or _SERVER_ERROR
    cls = _BY_STATUS.get(status)
    if cls is None:
        cls = errors.BadRequest if status < _SERVER_ERROR else VisiongateError
    detail = exception.description or ""
    if cls is errors.NotFound:
        detail = "There is no such route. All of them are in /openapi.json, and readable in /docs."
    elif isinstance(exception, HTTPMethodNotAllowed) and exception.valid_methods:
        detail = f"This route takes {', '.join(sorted(exception.valid_methods))}."
    elif status >= _SERVER_ERROR:
        detail = ""
    return cls(detail)


def _headers(exception: HTTPException) -> Iterable[tuple[str, str]]:
    """Yield the headers that belong to the error, like Allow and Retry-After."""
    return (item for item in exception.get_headers() if item[0] != "Content-Type")


def _whole_seconds(seconds: float) -> int:
    return max(1, math.ceil(seconds))


def _challenge(error: errors.AuthenticationError) -> str:
    """Return the WWW-Authenticate header (RFC 6750: no error code where no token was sent)."""
    if isinstance(error, errors.TokenMissing | errors.CredentialsWrong):
        return _REALM
    return f'{_REALM}, error="invalid_token", error_description="{error.title}"'
