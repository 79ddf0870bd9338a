"""Answers that a browser may keep, as long as it asks each time whether they still hold."""

from __future__ import annotations

import hashlib

from flask import Response, request

__all__ = ["cached_answer"]


def cached_answer(body: bytes, media_type: str) -> Response:
    """Answer ``body``, or 304 where the caller has this version already."""
    response = Response(body, mimetype=media_type)
    response.set_etag(hashlib.sha256(body).hexdigest()[:16])
    response.headers["Cache-Control"] = "no-cache"  # may be kept, and is asked for again
    response.make_conditional(request)
    del response.headers["Date"]  # the server writes it too
    return response
