"""A problem document as bytes, for requests that no application has seen."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

from visiongate.errors import VisiongateError
from visiongate.web.errors import PROBLEM_TYPE, plain_document

__all__ = ["plain_answer"]


def plain_answer(error: VisiongateError) -> bytes:
    """Return the whole HTTP answer, after which the connection ends."""
    request_id = secrets.token_hex(16)
    body = json.dumps(plain_document(error, request_id)).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "Connection: close",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {request_id}",
    ]
    if error.retry_after is not None:
        lines.append(f"Retry-After: {max(1, round(error.retry_after))}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
