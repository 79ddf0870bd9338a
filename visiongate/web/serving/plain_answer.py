"""A problem document as bytes, for requests that no application has seen."""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterable
from http import HTTPStatus

from visiongate.errors import VisiongateError
from visiongate.web.errors import PROBLEM_TYPE, plain_document

__all__ = ["plain_answer"]


def plain_answer(
    error: VisiongateError,
    request_id: str | None = None,
    *,
    keeps: bool = False,
    extra: Iterable[str] = (),
    body: str | None = None,
) -> bytes:
    """Return the whole HTTP answer, after which the connection ends unless it ``keeps``.

    ``body`` is JSON of another shape than the problem document's; ``extra`` are header lines.
    """
    request_id = request_id or secrets.token_hex(16)
    kind = PROBLEM_TYPE if body is None else "application/json"
    if body is None:
        body = json.dumps(plain_document(error, request_id))
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Connection: {'keep-alive' if keeps else 'close'}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body.encode()) + 1}",
        f"X-Request-ID: {request_id}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        *extra,
    ]
    if error.retry_after is not None:
        lines.append(f"Retry-After: {max(1, math.ceil(error.retry_after))}")
    return ("\r\n".join(lines) + f"\r\n\r\n{body}\n").encode()
