"""Headers that keep browsers careful, on every answer that has not set its own."""

from __future__ import annotations

from flask import Response

__all__ = ["CAREFUL", "POLICY", "harden"]

CAREFUL = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-store"),
)
POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
"""Of everything but pages, which have policies of their own."""


def harden(response: Response) -> Response:
    """Set them, unless a route has set its own."""
    headers = response.headers
    given = {name.lower() for name, _ in headers}
    wanted = CAREFUL if response.mimetype == "text/html" else (*CAREFUL, POLICY)
    for name, value in wanted:
        if name.lower() not in given:
            headers.add(name, value)
    return response
