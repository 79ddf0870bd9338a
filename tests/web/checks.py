"""What holds of every problem document."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def problem_of(response: TestResponse, status: int, code: str | None = None) -> dict[str, Any]:
    """Return the response's problem document, its shape (RFC 9457) checked."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    document = response.get_json()
    assert isinstance(document, dict)
    assert document["status"] == status
    assert document["type"] == f"urn:visiongate:error:{document['code']}"
    assert document["title"]
    assert document["detail"]
    assert document["msg"] == document["detail"]
    assert document["request_id"] == response.headers["X-Request-ID"]
    if code is not None:
        assert document["code"] == code
    return document
